// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-guard-arc-tangents))' --split-input-file | filecheck %s
// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-guard-arc-tangents),canonicalize)' --split-input-file | filecheck %s --check-prefix=FOLDED

// CHECK-LABEL: func.func @numbers
// CHECK-SAME:    (%[[Y:.*]]: f32, %[[X:.*]]: f32)
// CHECK-DAG:     %[[ZX:.*]] = arith.cmpf oeq, %[[X]],
// CHECK-DAG:     %[[ZY:.*]] = arith.cmpf oeq, %[[Y]],
// CHECK-DAG:     %[[ONE:.*]] = math.copysign %{{.*}}, %[[X]]
// CHECK-DAG:     %[[BOTH:.*]] = arith.andi %[[ZX]], %[[ZY]]
// CHECK:         %[[GUARDED:.*]] = arith.select %[[BOTH]], %[[ONE]], %[[X]]
// CHECK:         math.atan2 %[[Y]], %[[GUARDED]]
func.func @numbers(%y: f32, %x: f32) -> f32 {
  %r = math.atan2 %y, %x : f32
  return %r : f32
}

// -----

// Two zeros have an angle.
// FOLDED-LABEL: func.func @zeros
// FOLDED-DAG:     arith.constant 0.000000e+00 : f64
// FOLDED-DAG:     arith.constant 3.14159{{.*}} : f64
func.func @zeros() -> (f64, f64) {
  %z = arith.constant 0.0 : f64
  %n = arith.constant -0.0 : f64
  %r = math.atan2 %z, %z : f64
  %s = math.atan2 %z, %n : f64
  return %r, %s : f64, f64
}

// -----

// Other functions stay, and so do angles of vectors.
// CHECK-LABEL: func.func @others
// CHECK-NOT:     arith.select
func.func @others(%x: f32, %v: vector<4xf32>) -> (f32, vector<4xf32>) {
  %r = math.atan %x : f32
  %s = math.atan2 %v, %v : vector<4xf32>
  return %r, %s : f32, vector<4xf32>
}

// -----

// In an operation's body as well.
// CHECK-LABEL: func.func @elements
// CHECK:         linalg.generic
// CHECK:           arith.select
// CHECK:           math.atan2
#id = affine_map<(d0) -> (d0)>
func.func @elements(%a: tensor<9xf32>, %b: tensor<9xf32>) -> tensor<9xf32> {
  %e = tensor.empty() : tensor<9xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%a, %b : tensor<9xf32>, tensor<9xf32>) outs(%e : tensor<9xf32>) {
  ^bb0(%y: f32, %x: f32, %o: f32):
    %t = math.atan2 %y, %x : f32
    linalg.yield %t : f32
  } -> tensor<9xf32>
  return %r : tensor<9xf32>
}
