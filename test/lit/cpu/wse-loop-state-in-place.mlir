// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-loop-state-in-place),canonicalize)' | filecheck %s
// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-loop-state-in-place),canonicalize,wse-bufferize)' | filecheck %s --check-prefix=BUFFER

#id = affine_map<(i) -> (i)>

// Both states are computed where they are: no buffer of their own, no copy.
// CHECK-LABEL: func.func @states(
// CHECK: scf.for {{.*}} iter_args(%[[H:.*]] = %{{.*}}, %[[C:.*]] = %{{.*}})
// CHECK: linalg.generic {{.*}} ins(%[[H]], %[[C]] : {{.*}}) outs(%[[H]], %[[C]] :
// BUFFER-LABEL: func.func @states(
// BUFFER: scf.for
// BUFFER-NOT: memref.alloc
// BUFFER: linalg.generic
// BUFFER-NOT: linalg.generic
// BUFFER-NOT: memref.copy
// BUFFER: return
func.func @states(%h0: tensor<4xf32>, %c0: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %nine = arith.constant 9 : index
  %r:2 = scf.for %i = %zero to %nine step %one iter_args(%h = %h0, %c = %c0) -> (tensor<4xf32>, tensor<4xf32>) {
    %e = tensor.empty() : tensor<4xf32>
    %n:2 = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel"]} ins(%h, %c : tensor<4xf32>, tensor<4xf32>) outs(%e, %e : tensor<4xf32>, tensor<4xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32, %p: f32):
      %s = arith.addf %a, %b : f32
      %m = arith.mulf %a, %b : f32
      linalg.yield %s, %m : f32, f32
    } -> (tensor<4xf32>, tensor<4xf32>)
    scf.yield %n#0, %n#1 : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

#id = affine_map<(i) -> (i)>

// Something reads the state afterwards: bufferization keeps it.
// CHECK-LABEL: func.func @read_later(
// BUFFER-LABEL: func.func @read_later(
// BUFFER: %[[A:.*]] = memref.alloc
// BUFFER: scf.for
// BUFFER: linalg.generic {{.*}} outs(%[[A]]
func.func @read_later(%h0: tensor<4xf32>, %c0: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %nine = arith.constant 9 : index
  %r:2 = scf.for %i = %zero to %nine step %one iter_args(%h = %h0, %c = %c0) -> (tensor<4xf32>, tensor<4xf32>) {
    %e = tensor.empty() : tensor<4xf32>
    %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%h : tensor<4xf32>) outs(%e : tensor<4xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = math.tanh %a : f32
      linalg.yield %s : f32
    } -> tensor<4xf32>
    %m = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%h, %n : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.addf %a, %b : f32
      linalg.yield %s : f32
    } -> tensor<4xf32>
    scf.yield %n, %m : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

#id = affine_map<(i) -> (i)>

// A destination that is read stays.
// CHECK-LABEL: func.func @read(
// CHECK-SAME: %{{.*}}: tensor<4xf32>, %[[X:.*]]: tensor<4xf32>)
// CHECK: linalg.generic {{.*}} outs(%[[X]] :
func.func @read(%h0: tensor<4xf32>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %nine = arith.constant 9 : index
  %r = scf.for %i = %zero to %nine step %one iter_args(%h = %h0) -> tensor<4xf32> {
    %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%h : tensor<4xf32>) outs(%x : tensor<4xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.addf %a, %o : f32
      linalg.yield %s : f32
    } -> tensor<4xf32>
    scf.yield %n : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}
