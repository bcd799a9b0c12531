// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-expand-scans),canonicalize,cse)' --split-input-file | filecheck %s

#all = affine_map<(d0, d1) -> (d0, d1)>
#lines = affine_map<(d0, d1) -> (d0)>

// Running sums along the last dimension carry a number, which begins with the one that is given.
// CHECK-LABEL: func.func @line
// CHECK-SAME:    %[[X:[a-z0-9_]+]]: tensor<3x5xf32>
// CHECK:         scf.for %[[I:[a-z0-9_]+]] = %c0 to %c3 step %c1
// CHECK:           %[[GIVEN:[a-z0-9_]+]] = tensor.extract %[[X]][%[[I]], %c0]
// CHECK:           %[[START:[a-z0-9_]+]] = tensor.extract %{{.*}}[%[[I]]]
// CHECK:           %[[FIRST:[a-z0-9_]+]] = arith.addf %[[START]], %[[GIVEN]]
// CHECK:           scf.for %[[J:[a-z0-9_]+]] = %c0 to %c4 step %c1 iter_args(%[[OUT:[a-z0-9_]+]] = %{{.*}}, %[[TOTAL:[a-z0-9_]+]] = %[[FIRST]])
// CHECK:             %[[E:[a-z0-9_]+]] = tensor.extract %[[X]]
// CHECK:             %[[S:[a-z0-9_]+]] = arith.addf %[[TOTAL]], %[[E]]
// CHECK:             tensor.insert %[[S]] into %[[OUT]]
func.func @line(%x: tensor<3x5xf32>, %out: tensor<3x5xf32>, %last: tensor<3xf32>) -> (tensor<3x5xf32>, tensor<3xf32>) {
  %0:2 = linalg.generic {indexing_maps = [#all, #all, #lines], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<3x5xf32>) outs(%out, %last : tensor<3x5xf32>, tensor<3xf32>) {
  ^bb0(%e: f32, %o: f32, %r: f32):
    %s = arith.addf %r, %e : f32
    linalg.yield %s, %s : f32, f32
  } -> (tensor<3x5xf32>, tensor<3xf32>)
  return %0#0, %0#1 : tensor<3x5xf32>, tensor<3xf32>
}

// -----

#all = affine_map<(d0, d1) -> (d0, d1)>
#lines = affine_map<(d0, d1) -> (d0)>

// A step that does more, or leaves something else, stays as it is.
// CHECK-LABEL: func.func @others
// CHECK-NOT:     scf.for
// CHECK-COUNT-2: linalg.generic
func.func @others(%x: tensor<3x5xf32>, %out: tensor<3x5xf32>, %last: tensor<3xf32>) -> (tensor<3x5xf32>, tensor<3x5xf32>) {
  %0:2 = linalg.generic {indexing_maps = [#all, #all, #lines], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<3x5xf32>) outs(%out, %last : tensor<3x5xf32>, tensor<3xf32>) {
  ^bb0(%e: f32, %o: f32, %r: f32):
    %s = arith.addf %r, %e : f32
    linalg.yield %r, %s : f32, f32
  } -> (tensor<3x5xf32>, tensor<3xf32>)
  %1:2 = linalg.generic {indexing_maps = [#all, #all, #lines], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<3x5xf32>) outs(%out, %last : tensor<3x5xf32>, tensor<3xf32>) {
  ^bb0(%e: f32, %o: f32, %r: f32):
    %p = arith.mulf %e, %e : f32
    %s = arith.addf %r, %p : f32
    linalg.yield %s, %s : f32, f32
  } -> (tensor<3x5xf32>, tensor<3xf32>)
  return %0#0, %1#0 : tensor<3x5xf32>, tensor<3x5xf32>
}

// -----

#all = affine_map<(d0, d1) -> (d0, d1)>
#lines = affine_map<(d0, d1) -> (d1)>

// Zeros need not be added; along another dimension than the last, rows are added.
// CHECK-LABEL: func.func @rows
// CHECK-COUNT-1: linalg.generic
// CHECK-NOT:     linalg.generic
// CHECK-LABEL: func.func @started_rows
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<4xf32>, tensor<4xf32>)
// CHECK:         scf.for
// CHECK:           linalg.generic
func.func @rows(%x: tensor<3x4xf32>, %out: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<4xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %0:2 = linalg.generic {indexing_maps = [#all, #all, #lines], iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<3x4xf32>) outs(%out, %zeros : tensor<3x4xf32>, tensor<4xf32>) {
  ^bb0(%e0: f32, %o: f32, %r: f32):
    %s = arith.addf %r, %e0 : f32
    linalg.yield %s, %s : f32, f32
  } -> (tensor<3x4xf32>, tensor<4xf32>)
  return %0#0, %0#1 : tensor<3x4xf32>, tensor<4xf32>
}
func.func @started_rows(%x: tensor<3x4xf32>, %out: tensor<3x4xf32>, %last: tensor<4xf32>) -> (tensor<3x4xf32>, tensor<4xf32>) {
  %0:2 = linalg.generic {indexing_maps = [#all, #all, #lines], iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<3x4xf32>) outs(%out, %last : tensor<3x4xf32>, tensor<4xf32>) {
  ^bb0(%e: f32, %o: f32, %r: f32):
    %s = arith.addf %r, %e : f32
    linalg.yield %s, %s : f32, f32
  } -> (tensor<3x4xf32>, tensor<4xf32>)
  return %0#0, %0#1 : tensor<3x4xf32>, tensor<4xf32>
}
