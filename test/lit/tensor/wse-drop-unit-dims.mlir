// RUN: wse-opt %s --split-input-file --wse-drop-unit-dims --canonicalize --cse | filecheck %s

#map = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#column = affine_map<(d0, d1, d2) -> (d0, d1, 0)>

// A batch of one and a sum kept as a column: the operations work on rows, and no reshape is left between them.
// CHECK-LABEL: func.func @rows
// CHECK: %[[X:.*]] = tensor.collapse_shape %{{.*}} {{\[\[}}0, 1], [2]] : tensor<1x5x7xf32> into tensor<5x7xf32>
// CHECK: %[[S:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]} ins(%[[X]] : tensor<5x7xf32>) outs(%{{.*}} : tensor<5xf32>)
// CHECK: %[[R:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]} ins(%[[X]], %[[S]] : tensor<5x7xf32>, tensor<5xf32>)
// CHECK: tensor.expand_shape %[[R]]
func.func @rows(%x: tensor<1x5x7xf32>) -> tensor<1x5x7xf32> {
  %zero = arith.constant 0.0 : f32
  %z0 = tensor.empty() : tensor<1x5x1xf32>
  %z = linalg.fill ins(%zero : f32) outs(%z0 : tensor<1x5x1xf32>) -> tensor<1x5x1xf32>
  %s = linalg.generic {indexing_maps = [#map, #column], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<1x5x7xf32>) outs(%z : tensor<1x5x1xf32>) {
  ^bb0(%a: f32, %b: f32):
    %t = arith.addf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<1x5x1xf32>
  %e = tensor.empty() : tensor<1x5x7xf32>
  %r = linalg.generic {indexing_maps = [#map, #column, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %s : tensor<1x5x7xf32>, tensor<1x5x1xf32>) outs(%e : tensor<1x5x7xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %t = arith.subf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<1x5x7xf32>
  return %r : tensor<1x5x7xf32>
}

// -----

// A window that starts at one place only does not cover all of its input: it reads a slice.
// CHECK-LABEL: func.func @window
// CHECK: %[[S:.*]] = tensor.extract_slice %{{.*}}[0, 0] [6, 2] [1, 1] : tensor<6x3xf32> to tensor<6x2xf32>
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]} ins(%[[S]], %{{.*}} : tensor<6x2xf32>, tensor<2xf32>)
func.func @window(%x: tensor<6x3xf32>, %shape: tensor<2xf32>, %z: tensor<6x1xf32>) -> tensor<6x1xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(c, o, k) -> (c, o * 2 + k)>, affine_map<(c, o, k) -> (k)>, affine_map<(c, o, k) -> (c, o)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %shape : tensor<6x3xf32>, tensor<2xf32>) outs(%z : tensor<6x1xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %t = arith.maximumf %a, %c : f32
    linalg.yield %t : f32
  } -> tensor<6x1xf32>
  return %r : tensor<6x1xf32>
}

// -----

// Indices of iterators that are gone are zero; an operand of no elements keeps its empty dimension.
// CHECK-LABEL: func.func @indices
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel"]} outs(%{{.*}} : tensor<?xindex>)
// CHECK: %[[I:.*]] = linalg.index 0
// CHECK: linalg.yield %[[I]]
// CHECK-LABEL: func.func @nothing
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<0xf32>)
func.func @indices(%e: tensor<1x?xindex>) -> tensor<1x?xindex> {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<1x?xindex>) {
  ^bb0(%a: index):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %s = arith.addi %i, %j : index
    linalg.yield %s : index
  } -> tensor<1x?xindex>
  return %r : tensor<1x?xindex>
}
func.func @nothing(%x: tensor<1x0xf32>) -> tensor<1x0xf32> {
  %e = tensor.empty() : tensor<1x0xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<1x0xf32>) outs(%e : tensor<1x0xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %a : f32
    linalg.yield %s : f32
  } -> tensor<1x0xf32>
  return %r : tensor<1x0xf32>
}

// -----

// A sum of one term: the zero it starts from is added to the term, and nothing is filled; a start that is not known is read.
// CHECK-LABEL: func.func @outer_product
// CHECK:       %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NOT:   linalg.fill
// CHECK:       linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]} ins(%{{.*}}, %{{.*}} : tensor<5xf32>, tensor<7xf32>) outs(%{{.*}} : tensor<5x7xf32>)
// CHECK:       arith.addf %{{.*}}, %[[ZERO]] : f32
// CHECK-LABEL: func.func @added
// CHECK:       linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]} ins(%{{.*}}, %{{.*}} : tensor<5xf32>, tensor<7xf32>) outs(%arg2 : tensor<5x7xf32>)
// CHECK:       ^bb0(%{{.*}}: f32, %{{.*}}: f32, %[[OUT:.*]]: f32):
// CHECK:       arith.addf %[[OUT]], %{{.*}} : f32
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @outer_product(%a: tensor<5x1xf32>, %b: tensor<1x7xf32>) -> tensor<5x7xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x7xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %r = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<5x1xf32>, tensor<1x7xf32>) outs(%z : tensor<5x7xf32>) {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %p = arith.mulf %x, %y : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}
func.func @added(%a: tensor<5x1xf32>, %b: tensor<1x7xf32>, %c: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %r = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<5x1xf32>, tensor<1x7xf32>) outs(%c : tensor<5x7xf32>) {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %p = arith.mulf %x, %y : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}

// -----

// An operation that names its loops keeps them.
// CHECK-LABEL: func.func @named_loops
// CHECK: iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<1x7xf32>)
func.func @named_loops(%a: tensor<1x7xf32>) -> tensor<1x7xf32> {
  %e = tensor.empty() : tensor<1x7xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<1x7xf32>) outs(%e : tensor<1x7xf32>) attrs = {wse.iterators = ["", "x"]} {
  ^bb0(%x: f32, %y: f32):
    %p = arith.addf %x, %x : f32
    linalg.yield %p : f32
  } -> tensor<1x7xf32>
  return %r : tensor<1x7xf32>
}

// -----

// The wafer's host brings operands to where an algorithm of its library wants them, as the caller has them.
// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-drop-unit-dims{keep-products=true}))' | filecheck %s --check-prefix=KEEP
// KEEP-LABEL: func.func @row_times_matrix
// KEEP-NOT: collapse_shape
// KEEP: iterator_types = ["parallel", "parallel", "reduction"]
// CHECK-LABEL: func.func @row_times_matrix
// CHECK: iterator_types = ["parallel", "reduction"]
func.func @row_times_matrix(%a: tensor<1x8xf32>, %b: tensor<8x4xf32>, %c: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<1x8xf32>, tensor<8x4xf32>) outs(%c : tensor<1x4xf32>) {
    ^bb0(%l: f32, %r: f32, %acc: f32):
      %p = arith.mulf %l, %r : f32
      %s = arith.addf %acc, %p : f32
      linalg.yield %s : f32
  } -> tensor<1x4xf32>
  return %0 : tensor<1x4xf32>
}
