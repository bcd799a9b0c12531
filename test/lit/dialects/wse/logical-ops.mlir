// RUN: wse-opt %s | wse-opt | filecheck %s
// RUN: wse-opt --emit-bytecode %s | wse-opt | filecheck %s

#rows = #wse.layout<"[y:4/2, -] on x:4; y:4 at (0, 0)">
#whole = #wse.layout<"[-, -] on x:4; y:4 at (0, 0)">
#blocks = #wse.layout<"[y:4/2, x:4/2] on x:4; y:4 at (0, 0)">
#swapped = #wse.layout<"[x:4/2, y:4/2] on x:4; y:4 at (0, 0)">
#beside = #wse.layout<"[y:8/1, x:2/4] on x:2; y:8 at (4, 0)">

// A layout is its text.
// CHECK-LABEL: func.func @move
// CHECK: "wse.scatter"(%{{.*}}) {layout = #wse.layout<"[y:4/2, -] on x:4; y:4 at (0, 0)">} : (tensor<8x8xf32>) -> tensor<8x8xf32>
// CHECK: "wse.redistribute"(%{{.*}}) {layout = #wse.layout<"[y:8/1, x:2/4] on x:2; y:8 at (4, 0)">, source_layout = #wse.layout<"[y:4/2, -]
// CHECK: "wse.gather"
func.func @move(%arg0: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = "wse.scatter"(%arg0) {layout = #rows} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = "wse.redistribute"(%0) {source_layout = #rows, layout = #beside, steps = ["circulate along x"]} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %2 = "wse.gather"(%1) {layout = #beside} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return %2 : tensor<8x8xf32>
}

// A value goes from one region to the next: in blocks of a dimension, or whole.
// CHECK-LABEL: func.func @stream
// CHECK: "wse.stream_in"(%arg0) {rows = 1 : i64} : (tensor<8x8xf32>) -> tensor<8x8xf32>
// CHECK: "wse.stream_out"(%{{.*}}) : (tensor<8x8xf32>) -> tensor<8x8xf32>
func.func @stream(%arg0: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = "wse.stream_in"(%arg0) {rows = 1} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = "wse.stream_out"(%0) : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return %1 : tensor<8x8xf32>
}

// The two grid axes change roles.
// CHECK-LABEL: func.func @transpose
// CHECK: "wse.transpose_distribution"
func.func @transpose(%arg0: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = "wse.transpose_distribution"(%arg0) {source_layout = #blocks, layout = #swapped} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}

// Every collective round-trips, with and without a named algorithm.
// CHECK-LABEL: func.func @collectives
// CHECK: "wse.all_reduce"(%{{.*}}) {algorithm = "two_phase{group=4}", axis = "x", kind = "add", layout
// CHECK: "wse.reduce"(%{{.*}}) {algorithm = "chain", axis = "x", kind = "max", layout = {{.*}}, root = 3 : i64}
// CHECK: "wse.broadcast"(%{{.*}}) {algorithm = "", axis = "x", {{.*}}, root = 0 : i64}
// CHECK: "wse.reduce_scatter"(%{{.*}}) {algorithm = "", axis = "x", dim = 1 : i64, kind = "add"
// CHECK: "wse.all_gather"(%{{.*}}) {algorithm = "", axis = "x", dim = 1 : i64
func.func @collectives(%arg0: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = "wse.all_reduce"(%arg0) {axis = "x", kind = "add", algorithm = "two_phase{group=4}", layout = #rows} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = "wse.reduce"(%0) {axis = "x", kind = "max", root = 3, algorithm = "chain", layout = #rows} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %2 = "wse.broadcast"(%1) {axis = "x", root = 0, algorithm = "", layout = #rows} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %3 = "wse.reduce_scatter"(%2) {axis = "x", kind = "add", dim = 1, algorithm = "", source_layout = #rows, layout = #blocks} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %4 = "wse.all_gather"(%3) {axis = "x", dim = 1, algorithm = "", source_layout = #blocks, layout = #rows} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return %4 : tensor<8x8xf32>
}

// Shifts in both directions; borders of neighbours.
// CHECK-LABEL: func.func @neighbours
// CHECK: "wse.shift"(%{{.*}}) {axis = "x", distance = 1 : i64, layout = {{.*}}, wrap = 1 : i64}
// CHECK: "wse.shift"(%{{.*}}) {axis = "y", distance = -2 : i64, layout = {{.*}}, wrap = 0 : i64}
// CHECK: "wse.halo_exchange"(%{{.*}}) {high = [1, 0], layout = {{.*}}, low = [1, 2]}
func.func @neighbours(%arg0: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = "wse.shift"(%arg0) {axis = "x", distance = 1, wrap = 1, layout = #blocks} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = "wse.shift"(%0) {axis = "y", distance = -2, wrap = 0, layout = #blocks} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %2 = "wse.halo_exchange"(%1) {low = [1, 2], high = [1, 0], layout = #blocks} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return %2 : tensor<8x8xf32>
}

// An attribute with a dialect prefix may be attached to any operation; a scalar tensor has no axes.
// CHECK-LABEL: func.func @notes
// CHECK: "wse.scatter"(%{{.*}}) {layout = #wse.layout<"[] on x:1; y:1 at (0, 0)">, wse.note = "kept"}
func.func @notes(%arg0: tensor<f32>) -> tensor<f32> {
  %0 = "wse.scatter"(%arg0) {layout = #wse.layout<"[] on x:1; y:1 at (0, 0)">, wse.note = "kept"} : (tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}
