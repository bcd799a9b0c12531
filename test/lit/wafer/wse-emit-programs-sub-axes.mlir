// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-emit-programs)' --mlir-print-local-scope | filecheck %s

// Columns are 2 x 3: PEs of a line along the outer factor are three apart, and lines cross on the same links. Those of each
// offset have colours of their own, so all of them run at once; PEs between the two of a line pass its words on.
// CHECK: "wse.colour"(){{.*}}sym_name = "all_reduce_c0_0_up0"
// CHECK-NEXT: "wse.route"() {colour = @all_reduce_c0_0_up0, {{.*}}receive = "east", send = ["west"], where = #wse.strided_rect<1 : i64, 0 : i64, 2 : i64, 2 : i64
// CHECK-NEXT: "wse.route"() {colour = @all_reduce_c0_0_up0, {{.*}}receive = "east", send = ["ramp"], where = #wse.strided_rect<0 : i64
// CHECK-NEXT: "wse.route"() {colour = @all_reduce_c0_0_up0, {{.*}}receive = "ramp", send = ["west"], where = #wse.strided_rect<3 : i64
// CHECK: sym_name = "all_reduce_c0_1_up0"
// CHECK: sym_name = "all_reduce_c0_2_up0"
// CHECK-NOT: sym_name = "all_reduce_c0_3_up0"
// CHECK: func.func @main_x0_y0to1
// CHECK: "wse.receive"{{.*}}colour = @all_reduce_c0_0_up0, combine = "add"
// CHECK: "wse.send"{{.*}}colour = @all_reduce_c0_0_broadcast
// CHECK: func.func @main_x5_y0to1
// CHECK: "wse.send"{{.*}}colour = @all_reduce_c0_2_up0
// CHECK: "wse.receive"{{.*}}colour = @all_reduce_c0_2_broadcast, combine = "store"
#all = affine_map<(i, j) -> (i, j)>
#columns = affine_map<(i, j) -> (j)>
#held = #wse.layout<"[xo:2/6, y:2/6 xi:3/2] on xo:2 xi:3; y:2 at (0, 0)">
#sums = #wse.layout<"[y:2/6 xi:3/2] on xo:2 xi:3; y:2 at (0, 0)">
#parts = #wse.layout<"[y:2/6 xi:3/2] on xo:2 xi:3; y:2 at (0, 0), partial add over xo">
func.func @main(%a: tensor<12x12xf32>) -> tensor<12x12xf32>
    attributes {wse.machine = "tiny", wse.rect = #wse.rect<0, 0, 6, 2>} {
  %zero = arith.constant dense<0.0> : tensor<12xf32>
  %empty = tensor.empty() : tensor<12x12xf32>
  %x = "wse.scatter"(%a) {layout = #held} : (tensor<12x12xf32>) -> tensor<12x12xf32>
  %sum = linalg.generic {indexing_maps = [#all, #columns], iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<12x12xf32>) outs(%zero : tensor<12xf32>)
      attrs = {wse.iterators = #held, wse.layouts = [#parts]} {
  ^bb0(%e: f32, %acc: f32):
    %s = arith.addf %acc, %e : f32
    linalg.yield %s : f32
  } -> tensor<12xf32>
  %r = "wse.all_reduce"(%sum) {axis = "xo", kind = "add", algorithm = "chain", layout = #sums} : (tensor<12xf32>) -> tensor<12xf32>
  %left = linalg.generic {indexing_maps = [#all, #columns, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x, %r : tensor<12x12xf32>, tensor<12xf32>) outs(%empty : tensor<12x12xf32>)
      attrs = {wse.iterators = #held, wse.layouts = [#held]} {
  ^bb0(%e: f32, %s: f32, %o: f32):
    %d = arith.subf %e, %s : f32
    linalg.yield %d : f32
  } -> tensor<12x12xf32>
  %g = "wse.gather"(%left) {layout = #held} : (tensor<12x12xf32>) -> tensor<12x12xf32>
  return %g : tensor<12x12xf32>
}

// -----

// Lines along the inner factor are stretches of the rows: they share colours, routes and texts.
// CHECK: "wse.route"() {colour = @all_reduce_c0_up0, {{.*}}send = ["ramp"], where = #wse.strided_rect<0 : i64, 0 : i64, 2 : i64, 2 : i64, 3 : i64, 1 : i64>
// CHECK-NEXT: "wse.route"() {colour = @all_reduce_c0_up0, {{.*}}receive = "ramp", send = ["west"], where = #wse.strided_rect<1 : i64, 0 : i64, 2 : i64, 2 : i64, 3 : i64, 1 : i64>
// CHECK: func.func @main_x0to3by3_y0to1
// CHECK: "wse.receive"{{.*}}colour = @all_reduce_c0_up0, combine = "add"
// CHECK: func.func @main_x1to4by3_y0to1
// CHECK: "wse.relay"{{.*}}combine = "add"{{.*}}receive = @all_reduce_c0_up1, send = @all_reduce_c0_up0
// CHECK: func.func @main_x2to5by3_y0to1
// CHECK: "wse.send"{{.*}}colour = @all_reduce_c0_up1
#all = affine_map<(i, j) -> (i, j)>
#columns = affine_map<(i, j) -> (j)>
#held = #wse.layout<"[xi:3/4, y:2/6 xo:2/3] on xo:2 xi:3; y:2 at (0, 0)">
#sums = #wse.layout<"[y:2/6 xo:2/3] on xo:2 xi:3; y:2 at (0, 0)">
#parts = #wse.layout<"[y:2/6 xo:2/3] on xo:2 xi:3; y:2 at (0, 0), partial add over xi">
func.func @main(%a: tensor<12x12xf32>) -> tensor<12x12xf32>
    attributes {wse.machine = "tiny", wse.rect = #wse.rect<0, 0, 6, 2>} {
  %zero = arith.constant dense<0.0> : tensor<12xf32>
  %empty = tensor.empty() : tensor<12x12xf32>
  %x = "wse.scatter"(%a) {layout = #held} : (tensor<12x12xf32>) -> tensor<12x12xf32>
  %sum = linalg.generic {indexing_maps = [#all, #columns], iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<12x12xf32>) outs(%zero : tensor<12xf32>)
      attrs = {wse.iterators = #held, wse.layouts = [#parts]} {
  ^bb0(%e: f32, %acc: f32):
    %s = arith.addf %acc, %e : f32
    linalg.yield %s : f32
  } -> tensor<12xf32>
  %r = "wse.all_reduce"(%sum) {axis = "xi", kind = "add", algorithm = "chain", layout = #sums} : (tensor<12xf32>) -> tensor<12xf32>
  %left = linalg.generic {indexing_maps = [#all, #columns, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x, %r : tensor<12x12xf32>, tensor<12xf32>) outs(%empty : tensor<12x12xf32>)
      attrs = {wse.iterators = #held, wse.layouts = [#held]} {
  ^bb0(%e: f32, %s: f32, %o: f32):
    %d = arith.subf %e, %s : f32
    linalg.yield %d : f32
  } -> tensor<12x12xf32>
  %g = "wse.gather"(%left) {layout = #held} : (tensor<12x12xf32>) -> tensor<12x12xf32>
  return %g : tensor<12x12xf32>
}
