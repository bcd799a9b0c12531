// RUN: wse-opt %s --split-input-file --wse-split-dims --canonicalize --cse | filecheck %s

// A product's columns are heads and places in a head, where its reader takes them so; weights are reshaped, nothing else.
#x = affine_map<(n, k) -> (k)>
#w = affine_map<(n, k) -> (n, k)>
#n = affine_map<(n, k) -> (n)>
// CHECK-LABEL: func.func @heads
// CHECK-SAME: (%[[X:.*]]: tensor<6xf32>, %[[W:.*]]: tensor<12x6xf32>)
// CHECK: %[[V:.*]] = tensor.expand_shape %[[W]] {{\[\[}}0, 1], [2]] output_shape [3, 4, 6]
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]} ins(%[[X]], %[[V]] :
// CHECK-NOT: tensor.{{expand|collapse}}_shape
// CHECK: return %{{.*}} : tensor<3x4xf32>
func.func @heads(%x: tensor<6xf32>, %w: tensor<12x6xf32>) -> tensor<3x4xf32> {
  %c = arith.constant dense<0.0> : tensor<12xf32>
  %q = linalg.generic {indexing_maps = [#x, #w, #n], iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : tensor<6xf32>, tensor<12x6xf32>) outs(%c : tensor<12xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %r = arith.addf %s, %m : f32
    linalg.yield %r : f32
  } -> tensor<12xf32>
  %h = tensor.expand_shape %q [[0, 1]] output_shape [3, 4] : tensor<12xf32> into tensor<3x4xf32>
  return %h : tensor<3x4xf32>
}

// -----

// Halves of a row are the two places of a dimension, in what they are taken from and put together to.
#id = affine_map<(i) -> (i)>
// CHECK-LABEL: func.func @turned
// CHECK: %[[H:.*]] = tensor.expand_shape %{{.*}} {{\[\[}}0, 1]] output_shape [2, 4]
// CHECK: tensor.extract_slice %[[H]][1, 0] [1, 4] [1, 1]
// CHECK: tensor.extract_slice %[[H]][0, 0] [1, 4] [1, 1]
// CHECK: tensor.insert_slice {{.*}}[0, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<2x4xf32>
// CHECK: tensor.insert_slice {{.*}}[1, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<2x4xf32>
func.func @turned(%x: tensor<8xf32>) -> tensor<8xf32> {
  %second = tensor.extract_slice %x[4] [4] [1] : tensor<8xf32> to tensor<4xf32>
  %first = tensor.extract_slice %x[0] [4] [1] : tensor<8xf32> to tensor<4xf32>
  %e = tensor.empty() : tensor<8xf32>
  %a = tensor.insert_slice %second into %e[0] [4] [1] : tensor<4xf32> into tensor<8xf32>
  %b = tensor.insert_slice %first into %a[4] [4] [1] : tensor<4xf32> into tensor<8xf32>
  return %b : tensor<8xf32>
}

// -----

// Not where positions are asked for, dimensions do not line up, or a window reads them: reshapes stay.
#id = affine_map<(i) -> (i)>
// CHECK-LABEL: func.func @positions
// CHECK: iterator_types = ["parallel"]
// CHECK: tensor.expand_shape
func.func @positions(%x: tensor<8xi64>) -> tensor<2x4xi64> {
  %e = tensor.empty() : tensor<8xi64>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<8xi64>) outs(%e : tensor<8xi64>) {
  ^bb0(%a: i64, %b: i64):
    %i = linalg.index 0 : index
    %c = arith.index_cast %i : index to i64
    %s = arith.addi %a, %c : i64
    linalg.yield %s : i64
  } -> tensor<8xi64>
  %h = tensor.expand_shape %r [[0, 1]] output_shape [2, 4] : tensor<8xi64> into tensor<2x4xi64>
  return %h : tensor<2x4xi64>
}

// -----

#id = affine_map<(i) -> (i)>
// CHECK-LABEL: func.func @crossing
// CHECK-SAME: (%[[X:.*]]: tensor<4x3xf32>)
// CHECK: %[[R:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]} ins(%[[X]] :
// CHECK: %[[C:.*]] = tensor.collapse_shape %[[R]]
// CHECK: tensor.expand_shape %[[C]] {{.*}}output_shape [3, 4]
func.func @crossing(%x: tensor<4x3xf32>) -> tensor<3x4xf32> {
  %c = tensor.collapse_shape %x [[0, 1]] : tensor<4x3xf32> into tensor<12xf32>
  %e = tensor.empty() : tensor<12xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%c : tensor<12xf32>) outs(%e : tensor<12xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.negf %a : f32
    linalg.yield %s : f32
  } -> tensor<12xf32>
  %h = tensor.expand_shape %r [[0, 1]] output_shape [3, 4] : tensor<12xf32> into tensor<3x4xf32>
  return %h : tensor<3x4xf32>
}
