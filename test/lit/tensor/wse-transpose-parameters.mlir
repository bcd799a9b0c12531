// RUN: wse-opt %s --split-input-file --wse-transpose-parameters | filecheck %s

// The summed dimension of a weight comes first then, also of what is computed of parameters.
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
// CHECK-DAG: #[[NK:.*]] = affine_map<(d0, d1) -> (d1, d0)>
// CHECK-DAG: #[[KN:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>
// CHECK-LABEL: func.func @linear
// CHECK-SAME: %[[X:.*]]: tensor<4x8xf32>, %[[W:.*]]: tensor<6x8xf32>
// CHECK: %[[T:.*]] = linalg.generic {indexing_maps = [#[[NK]], #{{.*}}], iterator_types = ["parallel", "parallel"]} ins(%[[W]] : tensor<6x8xf32>) outs(%{{.*}} : tensor<8x6xf32>)
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[KN]], #{{.*}}], {{.*}} ins(%[[X]], %[[T]] : tensor<4x8xf32>, tensor<8x6xf32>)
func.func @linear(%x: tensor<4x8xf32>, %w: tensor<6x8xf32> {wse.kind = "parameter"}) -> tensor<4x6xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x6xf32>
  %z = linalg.fill ins(%c : f32) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %0 = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x8xf32>, tensor<6x8xf32>) outs(%z : tensor<4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %r = arith.addf %s, %m : f32
    linalg.yield %r : f32
  } -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// -----

// Nothing is gained: an input; a weight that lies as its result does; a result whose last dimension is another; a weight
// that is read twice.
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#t = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
#z = affine_map<(m, n, k) -> (n, m)>
// CHECK-LABEL: func.func @kept
// CHECK-COUNT-5: linalg.generic {{.*}}"reduction"
// CHECK-NOT: linalg.generic
func.func @kept(%x: tensor<4x8xf32>, %input: tensor<6x8xf32>, %t: tensor<8x6xf32> {wse.kind = "parameter"},
                %w: tensor<6x8xf32> {wse.kind = "parameter"}, %twice: tensor<6x8xf32> {wse.kind = "parameter"})
    -> (tensor<4x6xf32>, tensor<4x6xf32>, tensor<6x4xf32>, tensor<4x6xf32>, tensor<4x6xf32>) {
  %i = tensor.empty() : tensor<4x6xf32>
  %j = tensor.empty() : tensor<6x4xf32>
  %0 = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %input : tensor<4x8xf32>, tensor<6x8xf32>) outs(%i : tensor<4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<4x6xf32>
  %1 = linalg.generic {indexing_maps = [#x, #t, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %t : tensor<4x8xf32>, tensor<8x6xf32>) outs(%i : tensor<4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<4x6xf32>
  %2 = linalg.generic {indexing_maps = [#x, #w, #z], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x8xf32>, tensor<6x8xf32>) outs(%j : tensor<6x4xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<6x4xf32>
  %3 = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %twice : tensor<4x8xf32>, tensor<6x8xf32>) outs(%i : tensor<4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<4x6xf32>
  %4 = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %twice : tensor<4x8xf32>, tensor<6x8xf32>) outs(%i : tensor<4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<4x6xf32>
  return %0, %1, %2, %3, %4 : tensor<4x6xf32>, tensor<4x6xf32>, tensor<6x4xf32>, tensor<4x6xf32>, tensor<4x6xf32>
}

// -----

// CHECK-LABEL: func.func private @declared
func.func private @declared(tensor<4x8xf32>) -> tensor<4x8xf32>
