// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-lift-numbers),canonicalize)' --mlir-print-local-scope | filecheck %s

#id = affine_map<(i) -> (i)>

// What is computed of elements is computed on tensors, and read by the bodies and fills that use it.
// CHECK-LABEL: func.func @computed(
// CHECK-SAME: %[[T:.*]]: tensor<i64>, %[[X:.*]]: tensor<4xi64>)
// CHECK-NOT: tensor.extract
// CHECK: %[[N:.*]] = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%[[T]] : tensor<i64>)
// CHECK: arith.addi %{{.*}}, %c1
// CHECK: %[[R:.*]] = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>, affine_map<(d0) -> ()>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%[[X]], %[[T]], %[[N]] :
// CHECK-NEXT: ^bb0(%[[A:.*]]: i64, %[[B:.*]]: i64, %[[C:.*]]: i64, %{{.*}}: i64):
// CHECK-NEXT: %[[P:.*]] = arith.muli %[[A]], %[[B]]
// CHECK-NEXT: %[[Q:.*]] = arith.addi %[[P]], %[[C]]
// CHECK: %[[F:.*]] = linalg.generic {{.*}} ins(%[[N]] : tensor<i64>)
// CHECK: return %[[R]], %[[F]]
func.func @computed(%t: tensor<i64>, %x: tensor<4xi64>) -> (tensor<4xi64>, tensor<2x3xi64>) {
  %c1 = arith.constant 1 : i64
  %n = tensor.extract %t[] : tensor<i64>
  %m = arith.addi %n, %c1 : i64
  %e = tensor.empty() : tensor<4xi64>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xi64>) outs(%e : tensor<4xi64>) {
  ^bb0(%a: i64, %o: i64):
    %p = arith.muli %a, %n : i64
    %q = arith.addi %p, %m : i64
    linalg.yield %q : i64
  } -> tensor<4xi64>
  %g = tensor.empty() : tensor<2x3xi64>
  %f = linalg.fill ins(%m : i64) outs(%g : tensor<2x3xi64>) -> tensor<2x3xi64>
  return %r, %f : tensor<4xi64>, tensor<2x3xi64>
}

// -----

// An element at a place that another number tells; a number that a body hands on as it is.
// CHECK-LABEL: func.func @at_a_place(
// CHECK-SAME: %[[T:.*]]: tensor<index>, %[[X:.*]]: tensor<4x2xf32>)
// CHECK: %[[N:.*]] = linalg.generic {{.*}} ins(%[[T]] : tensor<index>)
// CHECK-NEXT: ^bb0(%[[I:.*]]: index, %{{.*}}: f32):
// CHECK-NEXT: tensor.extract %[[X]][%[[I]], %c1]
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%[[N]] : tensor<f32>)
// CHECK-NEXT: ^bb0(%[[V:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: linalg.yield %[[V]]
// CHECK: return %[[R]]
func.func @at_a_place(%t: tensor<index>, %x: tensor<4x2xf32>) -> tensor<3xf32> {
  %c1 = arith.constant 1 : index
  %i = tensor.extract %t[] : tensor<index>
  %n = tensor.extract %x[%i, %c1] : tensor<4x2xf32>
  %e = tensor.empty() : tensor<3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%e : tensor<3xf32>) {
  ^bb0(%o: f32):
    linalg.yield %n : f32
  } -> tensor<3xf32>
  return %r : tensor<3xf32>
}

// -----

// The number of a step is no element of a tensor.
// CHECK-LABEL: func.func @of_a_loop(
// CHECK: scf.for %[[I:[a-z0-9]+]] =
// CHECK: arith.index_cast %[[I]]
// CHECK: linalg.fill ins(%{{.*}} : i64)
func.func @of_a_loop(%x: tensor<4xi64>, %from: index, %to: index) -> tensor<4xi64> {
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %from to %to step %c1 iter_args(%s = %x) -> tensor<4xi64> {
    %n = arith.index_cast %i : index to i64
    %f = linalg.fill ins(%n : i64) outs(%s : tensor<4xi64>) -> tensor<4xi64>
    scf.yield %f : tensor<4xi64>
  }
  return %r : tensor<4xi64>
}
