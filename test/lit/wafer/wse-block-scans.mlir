// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-block-scans),canonicalize,cse)' --split-input-file | filecheck %s

#all = affine_map<(d0, d1) -> (d0, d1)>
#lines = affine_map<(d0, d1) -> (d1)>

// 37 steps become 7 in 6 blocks, which are padded, and 6 over their sums.
// CHECK-LABEL: func.func @long
// CHECK:         tensor.insert_slice %{{.*}} into %{{.*}}[0, 0] [37, 3] [1, 1] : tensor<37x3xf32> into tensor<42x3xf32>
// CHECK:         tensor.expand_shape %{{.*}} {{\[\[}}0, 1], [2]] output_shape [6, 7, 3]
// CHECK:         %[[INSIDE:.*]]:2 = linalg.generic {{.*}}iterator_types = ["parallel", "reduction", "parallel"]
// CHECK:         %[[BEFORE:.*]]:2 = linalg.generic {{.*}}iterator_types = ["reduction", "parallel"]{{.*}} ins(%[[INSIDE]]#1
// CHECK:         linalg.yield %[[RUNNING:.*]], %{{.*}} : f32, f32
// CHECK:         %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[INSIDE]]#0, %[[BEFORE]]#0
// CHECK:         %[[WHOLE:.*]] = tensor.collapse_shape %[[SUM]]
// CHECK:         %[[CUT:.*]] = tensor.extract_slice %[[WHOLE]][0, 0] [37, 3] [1, 1]
// CHECK:         return %[[CUT]], %[[BEFORE]]#1
func.func @long(%x: tensor<37x3xf32>, %out: tensor<37x3xf32>, %last: tensor<3xf32>) -> (tensor<37x3xf32>, tensor<3xf32>) {
  %0:2 = linalg.generic {indexing_maps = [#all, #all, #lines], iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<37x3xf32>) outs(%out, %last : tensor<37x3xf32>, tensor<3xf32>) {
  ^bb0(%e: f32, %o: f32, %r: f32):
    %s = arith.addf %r, %e : f32
    linalg.yield %s, %s : f32, f32
  } -> (tensor<37x3xf32>, tensor<3xf32>)
  return %0#0, %0#1 : tensor<37x3xf32>, tensor<3xf32>
}

// -----

#all = affine_map<(d0, d1) -> (d0, d1)>
#lines = affine_map<(d0, d1) -> (d0)>

// Short lines stay, and so do sizes that are left open.
// CHECK-LABEL: func.func @others
// CHECK-NOT:     tensor.expand_shape
func.func @others(%x: tensor<3x16xi64>, %out: tensor<3x16xi64>, %last: tensor<3xi64>, %y: tensor<3x?xi64>, %z: tensor<3x?xi64>) -> (tensor<3x16xi64>, tensor<3x?xi64>) {
  %0:2 = linalg.generic {indexing_maps = [#all, #all, #lines], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<3x16xi64>) outs(%out, %last : tensor<3x16xi64>, tensor<3xi64>) {
  ^bb0(%e: i64, %o: i64, %r: i64):
    %s = arith.addi %r, %e : i64
    linalg.yield %s, %s : i64, i64
  } -> (tensor<3x16xi64>, tensor<3xi64>)
  %1:2 = linalg.generic {indexing_maps = [#all, #all, #lines], iterator_types = ["parallel", "reduction"]}
      ins(%y : tensor<3x?xi64>) outs(%z, %last : tensor<3x?xi64>, tensor<3xi64>) {
  ^bb0(%e: i64, %o: i64, %r: i64):
    %s = arith.addi %r, %e : i64
    linalg.yield %s, %s : i64, i64
  } -> (tensor<3x?xi64>, tensor<3xi64>)
  return %0#0, %1#0 : tensor<3x16xi64>, tensor<3x?xi64>
}

// -----

#all = affine_map<(d0) -> (d0)>
#line = affine_map<(d0) -> ()>

// The products of a block alone may overflow where those of the line do not.
// CHECK-LABEL: func.func @products
// CHECK-NOT:     tensor.expand_shape
func.func @products(%x: tensor<37xf32>, %out: tensor<37xf32>, %last: tensor<f32>) -> tensor<37xf32> {
  %0:2 = linalg.generic {indexing_maps = [#all, #all, #line], iterator_types = ["reduction"]}
      ins(%x : tensor<37xf32>) outs(%out, %last : tensor<37xf32>, tensor<f32>) {
  ^bb0(%e: f32, %o: f32, %r: f32):
    %s = arith.mulf %r, %e : f32
    linalg.yield %s, %s : f32, f32
  } -> (tensor<37xf32>, tensor<f32>)
  return %0#0 : tensor<37xf32>
}
