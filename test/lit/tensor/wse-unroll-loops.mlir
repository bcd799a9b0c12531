// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-unroll-loops{trips=4}),canonicalize)' | filecheck %s

#id = affine_map<(i) -> (i)>

// Each iteration reads its own slice and what the one before it computed.
// CHECK-LABEL: func.func @steps(
// CHECK-SAME: %[[X:.*]]: tensor<2x4xf32>, %[[H:.*]]: tensor<4xf32>)
// CHECK-NOT: scf.for
// CHECK: %[[A:.*]] = tensor.extract_slice %[[X]][0, 0]
// CHECK: %[[B:.*]] = linalg.generic {{.*}} ins(%[[A]], %[[H]] :
// CHECK: %[[C:.*]] = tensor.extract_slice %[[X]][1, 0]
// CHECK: %[[D:.*]] = linalg.generic {{.*}} ins(%[[C]], %[[B]] :
// CHECK: return %[[D]]
func.func @steps(%x: tensor<2x4xf32>, %h: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %r = scf.for %i = %c0 to %c2 step %c1 iter_args(%s = %h) -> tensor<4xf32> {
    %xi = tensor.extract_slice %x[%i, 0] [1, 4] [1, 1] : tensor<2x4xf32> to tensor<4xf32>
    %n = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%xi, %s : tensor<4xf32>, tensor<4xf32>) outs(%s : tensor<4xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %m = arith.addf %a, %b : f32
      linalg.yield %m : f32
    } -> tensor<4xf32>
    scf.yield %n : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// -----

#id = affine_map<(i) -> (i)>

// Loops in loops are written out as well.
// CHECK-LABEL: func.func @nested(
// CHECK-NOT: scf.for
// CHECK-COUNT-4: linalg.generic
// CHECK-NOT: linalg.generic
func.func @nested(%h: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %r = scf.for %i = %c0 to %c2 step %c1 iter_args(%s = %h) -> tensor<4xf32> {
    %q = scf.for %j = %c0 to %c2 step %c1 iter_args(%t = %s) -> tensor<4xf32> {
      %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%t : tensor<4xf32>) outs(%t : tensor<4xf32>) {
      ^bb0(%a: f32, %o: f32):
        %m = math.tanh %a : f32
        linalg.yield %m : f32
      } -> tensor<4xf32>
      scf.yield %n : tensor<4xf32>
    }
    scf.yield %q : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// -----

#id = affine_map<(i) -> (i)>

// A number of iterations that is not known, or is too large: the loop stays.
// CHECK-LABEL: func.func @stays(
// CHECK-COUNT-2: scf.for
func.func @stays(%h: tensor<4xf32>, %e: index) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %r = scf.for %i = %c0 to %e step %c1 iter_args(%s = %h) -> tensor<4xf32> {
    %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s : tensor<4xf32>) outs(%s : tensor<4xf32>) {
    ^bb0(%a: f32, %o: f32):
      %m = math.tanh %a : f32
      linalg.yield %m : f32
    } -> tensor<4xf32>
    scf.yield %n : tensor<4xf32>
  }
  %q = scf.for %i = %c0 to %c5 step %c1 iter_args(%s = %r) -> tensor<4xf32> {
    %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s : tensor<4xf32>) outs(%s : tensor<4xf32>) {
    ^bb0(%a: f32, %o: f32):
      %m = math.tanh %a : f32
      linalg.yield %m : f32
    } -> tensor<4xf32>
    scf.yield %n : tensor<4xf32>
  }
  return %q : tensor<4xf32>
}

// -----

// A loop over scalars, without computations on tensors, stays.
// CHECK-LABEL: func.func @scalars(
// CHECK: scf.for
func.func @scalars(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %r = scf.for %i = %c0 to %c2 step %c1 iter_args(%s = %y) -> tensor<4xf32> {
    %v = tensor.extract %x[%i] : tensor<4xf32>
    %n = tensor.insert %v into %s[%i] : tensor<4xf32>
    scf.yield %n : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}
