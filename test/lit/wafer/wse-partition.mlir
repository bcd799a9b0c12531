// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-partition{machine=tiny grid=4x2})' | filecheck %s
// RUN: env PYTHONHASHSEED=1 wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-partition{machine=tiny})' > %t.1
// RUN: env PYTHONHASHSEED=2 wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-partition{machine=tiny})' > %t.2
// RUN: diff %t.1 %t.2
// RUN: not wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-partition{machine=tiny grid=9x9})' 2>&1 | filecheck %s --check-prefix=GRID
// RUN: not wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-partition{machine=tiny grid=wide})' 2>&1 | filecheck %s --check-prefix=FORM

// A grid that the machine does not have, and one that is no grid.
// GRID: grid 9x9 does not fit the machine, which gives 8x8 PEs to a program
// FORM: grid 'wide' is not of the form WIDTHxHEIGHT

// A reduction that is forced to be split over x is followed by a reduce over x (the host alone reads the result), and its operands come in
// split accordingly.
// CHECK-LABEL: func.func @main
// CHECK-DAG: wse.scatter{{.*}}%arg0{{.*}}<"[y:{{[0-9/]*}}, x:
// CHECK-DAG: wse.scatter{{.*}}%arg1{{.*}}<"[-, x:
// CHECK: linalg.generic {{.*}}wse.iterators = #wse.layout<"[y:2/3, -, x:4/3] on x:4; y:2 at (0, 0)">, wse.layouts = [#wse.layout<"[y:2/3, -] on x:4; y:2 at (0, 0), partial add over x">]
// CHECK: wse.reduce{{.*}}axis = "x", kind = "add"
// CHECK: wse.gather{{.*}}<"[y:{{[0-9/]*}}, -]
#lhs = affine_map<(d0, d1, d2) -> (d0, d2)>
#rhs = affine_map<(d0, d1, d2) -> (d1, d2)>
#out = affine_map<(d0, d1, d2) -> (d0, d1)>
func.func @main(%a: tensor<6x10xf32>, %w: tensor<5x10xf32> {wse.kind = "parameter", wse.name = "w"}) -> tensor<6x5xf32> {
  %zero = arith.constant dense<0.0> : tensor<6x5xf32>
  %0 = linalg.generic {indexing_maps = [#lhs, #rhs, #out], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %w : tensor<6x10xf32>, tensor<5x10xf32>) outs(%zero : tensor<6x5xf32>)
      attrs = {wse.iterators = ["y", "", "x"]} {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<6x5xf32>
  return %0 : tensor<6x5xf32>
}

// -----

// A second use in another layout gets a redistribution; a parameter is instead brought in a second time.
// CHECK-LABEL: func.func @main
// CHECK-DAG: wse.scatter{{.*}}%arg1{{.*}}<"[y:
// CHECK-DAG: wse.scatter{{.*}}%arg1{{.*}}<"[x:
// CHECK-DAG: wse.redistribute{{.*}}layout = #wse.layout<"[x:{{.*}}source_layout = #wse.layout<"[y:
#id = affine_map<(d0) -> (d0)>
func.func @main(%a: tensor<12xf32>, %w: tensor<12xf32> {wse.kind = "parameter", wse.name = "w"}) -> tensor<12xf32> {
  %empty = tensor.empty() : tensor<12xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%a, %w : tensor<12xf32>, tensor<12xf32>) outs(%empty : tensor<12xf32>) attrs = {wse.iterators = ["y"]} {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %s = arith.addf %l, %r : f32
    linalg.yield %s : f32
  } -> tensor<12xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%0, %w : tensor<12xf32>, tensor<12xf32>) outs(%empty : tensor<12xf32>) attrs = {wse.iterators = ["x"]} {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %s = arith.mulf %l, %r : f32
    linalg.yield %s : f32
  } -> tensor<12xf32>
  return %1 : tensor<12xf32>
}

// -----

// Its reader takes blocks of the result, so that the sums are left in blocks.
// CHECK-LABEL: func.func @main
// CHECK: linalg.generic {{.*}}wse.layouts = [#wse.layout<"[y:2/3, -] on x:4; y:2 at (0, 0), partial add over x">]
// CHECK: wse.redistribute{{.*}} {layout = #wse.layout<"[y:2/3, x:4/12]{{.*}} steps = ["reduce_scatter along x by ring to [y:2/3, x:4/12]"]}
#lhs = affine_map<(d0, d1, d2) -> (d0, d2)>
#rhs = affine_map<(d0, d1, d2) -> (d1, d2)>
#out = affine_map<(d0, d1, d2) -> (d0, d1)>
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @main(%a: tensor<6x10xf32>, %w: tensor<45x10xf32> {wse.kind = "parameter", wse.name = "w"}) -> tensor<6x45xf32> {
  %zero = arith.constant dense<0.0> : tensor<6x45xf32>
  %empty = tensor.empty() : tensor<6x45xf32>
  %0 = linalg.generic {indexing_maps = [#lhs, #rhs, #out], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %w : tensor<6x10xf32>, tensor<45x10xf32>) outs(%zero : tensor<6x45xf32>)
      attrs = {wse.iterators = ["y", "", "x"]} {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<6x45xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<6x45xf32>) outs(%empty : tensor<6x45xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = math.exp %l : f32
    linalg.yield %s : f32
  } -> tensor<6x45xf32>
  return %1 : tensor<6x45xf32>
}

// -----

// A reduction whose init is a tensor starts from the neutral number, so that it may be split; the init is added
// afterwards. A dense constant becomes an argument that carries its value.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %arg1: tensor<3xf32> {wse.kind = "constant", wse.name = "constant0", wse.value = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00]>
// CHECK: arith.constant dense<0.000000e+00> : tensor<3xf32>
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel"]
// CHECK: arith.addf
func.func @main(%a: tensor<3x8xf32>) -> tensor<3xf32> {
  %init = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]} ins(%a : tensor<3x8xf32>) outs(%init : tensor<3xf32>) {
  ^bb0(%l: f32, %acc: f32):
    %s = arith.addf %l, %acc : f32
    linalg.yield %s : f32
  } -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

// Rows of a convolution with stride 2 are split over y: blocks of 3 rows read pieces of 6 rows, and one more behind.
// Columns are split over x: windows of 3 columns that are 2 apart read 4 more than a block has.
// CHECK-LABEL: func.func @main
// CHECK-DAG: wse.scatter{{.*}}%arg0{{.*}}<"[-, y:2/6 halo 0,1, x:4/2 cut 0..7 halo 0,4] on x:4; y:2 at (0, 0)">
// CHECK-DAG: wse.scatter{{.*}}%arg1{{.*}}<"[-, -, -, -] on
// CHECK: linalg.generic {{.*}}wse.iterators = #wse.layout<"[-, y:2/3, x:4/2, -, -, -] on x:4; y:2 at (0, 0)">
#image = affine_map<(d0, d1, d2, d3, d4, d5) -> (d3, d1 * 2 + d4, d2 + d5 * 2)>
#taps = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d3, d4, d5)>
#sums = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2)>
func.func @main(%a: tensor<3x11x11xf32>, %w: tensor<2x3x3x3xf32>) -> tensor<2x5x7xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x5x7xf32>
  %0 = linalg.generic {indexing_maps = [#image, #taps, #sums],
      iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%a, %w : tensor<3x11x11xf32>, tensor<2x3x3x3xf32>) outs(%zero : tensor<2x5x7xf32>)
      attrs = {wse.iterators = ["", "y", "x", "", "", ""]} {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<2x5x7xf32>
  return %0 : tensor<2x5x7xf32>
}

// -----

// A bias that a sum starts from is added afterwards as it is: nobody holds a tensor of its copies.
// CHECK-LABEL: func.func @main
// CHECK: wse.scatter{{.*}}%arg1{{.*}} : (tensor<5xf32>) -> tensor<5xf32>
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<5xf32>, tensor<6x5xf32>)
// CHECK-NOT: linalg.generic
#in = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#kept = affine_map<(d0, d1, d2) -> (d0, d1)>
#column = affine_map<(d0, d1) -> (d1)>
#both = affine_map<(d0, d1) -> (d0, d1)>
func.func @main(%a: tensor<6x5x3xf32>, %bias: tensor<5xf32>) -> tensor<6x5xf32> {
  %empty = tensor.empty() : tensor<6x5xf32>
  %init = linalg.generic {indexing_maps = [#column, #both], iterator_types = ["parallel", "parallel"]}
      ins(%bias : tensor<5xf32>) outs(%empty : tensor<6x5xf32>) {
  ^bb0(%b: f32, %o: f32):
    linalg.yield %b : f32
  } -> tensor<6x5xf32>
  %0 = linalg.generic {indexing_maps = [#in, #kept], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a : tensor<6x5x3xf32>) outs(%init : tensor<6x5xf32>) {
  ^bb0(%l: f32, %acc: f32):
    %s = arith.addf %acc, %l : f32
    linalg.yield %s : f32
  } -> tensor<6x5xf32>
  return %0 : tensor<6x5xf32>
}

// -----

// Nobody reads all of a tensor any more but for the part of it that a later operation wants: that is copied at once, and not
// kept as part of the whole until then.
// CHECK-LABEL: func.func @main
// CHECK: %[[ALL:.*]] = linalg.generic
// CHECK: arith.addf
// CHECK: linalg.generic {{.*}} ins(%[[ALL]]
// CHECK: math.exp
// CHECK: %[[PART:.*]] = "wse.redistribute"(%[[ALL]]){{.*}}steps = ["copy to [x:4/3]"]
// CHECK: arith.mulf
// CHECK-NOT: wse.redistribute
// CHECK: linalg.generic {{.*}} ins(%[[PART]],
// CHECK: arith.subf
#id = affine_map<(d0) -> (d0)>
func.func @main(%a: tensor<12xf32>) -> tensor<12xf32> {
  %empty = tensor.empty() : tensor<12xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%a : tensor<12xf32>) outs(%empty : tensor<12xf32>) attrs = {wse.iterators = [""]} {
  ^bb0(%l: f32, %o: f32):
    %s = arith.addf %l, %l : f32
    linalg.yield %s : f32
  } -> tensor<12xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%0 : tensor<12xf32>) outs(%empty : tensor<12xf32>) attrs = {wse.iterators = [""]} {
  ^bb0(%l: f32, %o: f32):
    %s = math.exp %l : f32
    linalg.yield %s : f32
  } -> tensor<12xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%1 : tensor<12xf32>) outs(%empty : tensor<12xf32>) attrs = {wse.iterators = ["x"]} {
  ^bb0(%l: f32, %o: f32):
    %s = arith.mulf %l, %l : f32
    linalg.yield %s : f32
  } -> tensor<12xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%0, %2 : tensor<12xf32>, tensor<12xf32>) outs(%empty : tensor<12xf32>) attrs = {wse.iterators = ["x"]} {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %s = arith.subf %l, %r : f32
    linalg.yield %s : f32
  } -> tensor<12xf32>
  return %3 : tensor<12xf32>
}

// -----

// So is what a way begins with: the rest of it is taken when the operation is due.
// CHECK-LABEL: func.func @main
// CHECK: %[[ALL:.*]] = linalg.generic
// CHECK: linalg.generic {{.*}} ins(%[[ALL]]
// CHECK: math.exp
// CHECK: %[[PART:.*]] = "wse.redistribute"(%[[ALL]]){{.*}}steps = ["copy to [
// CHECK: math.absf
// CHECK: %[[TURNED:.*]] = "wse.redistribute"(%[[PART]]){{.*}}steps = ["{{[a-z].* along x}}
// CHECK-NOT: wse.redistribute
// CHECK: linalg.generic {{.*}} ins(%[[TURNED]],
// CHECK: arith.subf
#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
func.func @main(%a: tensor<8x8x8xf32>, %b: tensor<8x8x8xf32>) -> (tensor<8x8x8xf32>, tensor<8x8x8xf32>) {
  %empty = tensor.empty() : tensor<8x8x8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a : tensor<8x8x8xf32>) outs(%empty : tensor<8x8x8xf32>) attrs = {wse.iterators = ["", "", "x"]} {
  ^bb0(%l: f32, %o: f32):
    %s = arith.addf %l, %l : f32
    linalg.yield %s : f32
  } -> tensor<8x8x8xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%0 : tensor<8x8x8xf32>) outs(%empty : tensor<8x8x8xf32>) attrs = {wse.iterators = ["", "", "x"]} {
  ^bb0(%l: f32, %o: f32):
    %s = math.exp %l : f32
    linalg.yield %s : f32
  } -> tensor<8x8x8xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%b : tensor<8x8x8xf32>) outs(%empty : tensor<8x8x8xf32>) attrs = {wse.iterators = ["y", "x", ""]} {
  ^bb0(%l: f32, %o: f32):
    %s = math.absf %l : f32
    linalg.yield %s : f32
  } -> tensor<8x8x8xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%0, %2 : tensor<8x8x8xf32>, tensor<8x8x8xf32>) outs(%empty : tensor<8x8x8xf32>) attrs = {wse.iterators = ["y", "x", ""]} {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %s = arith.subf %l, %r : f32
    linalg.yield %s : f32
  } -> tensor<8x8x8xf32>
  return %1, %3 : tensor<8x8x8xf32>, tensor<8x8x8xf32>
}
