// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-compose-functions))' --mlir-print-local-scope | filecheck %s

// A tangent is a quotient of functions that PEs have.
// CHECK-LABEL: func.func @tangent
// CHECK: %[[SIN:.*]] = math.sin %arg0 : f32
// CHECK: %[[COS:.*]] = math.cos %arg0 : f32
// CHECK: %[[TAN:.*]] = arith.divf %[[SIN]], %[[COS]] : f32
// CHECK: return %[[TAN]]
func.func @tangent(%x: f32) -> f32 {
  %y = math.tan %x : f32
  return %y : f32
}

// -----

// Nothing is computed from bits, which PEs cannot see, and no function is left that they do not have.
// CHECK-LABEL: func.func @all
// CHECK-NOT: bitcast
// CHECK-NOT: math.{{a?(sin|cos|tan)h}}
// CHECK-NOT: math.{{a(sin|cos|tan)|erfc|cbrt|round |clampf}}
func.func @all(%x: f32, %y: f64) -> (f32, f64) {
  %0 = math.acos %x : f32
  %1 = math.asin %0 : f32
  %2 = math.atan2 %1, %x : f32
  %3 = math.acosh %2 : f32
  %4 = math.asinh %3 : f32
  %5 = math.atanh %4 : f32
  %6 = math.sinh %5 : f32
  %7 = math.cosh %6 : f32
  %8 = math.erfc %7 : f32
  %9 = math.cbrt %8 : f32
  %10 = math.round %9 : f32
  %11 = math.clampf %10 to [%x, %x] : f32
  %12 = math.atan %y : f64
  return %11, %12 : f32, f64
}

// -----

// f16 is computed in f32; what PEs have an operation for stays.
// CHECK-LABEL: func.func @narrow
// CHECK: %[[WIDE:.*]] = arith.extf %arg0 : f16 to f32
// CHECK: math.log1p %{{.*}} : f32
// CHECK: %[[NARROW:.*]] = arith.truncf %{{.*}} : f32 to f16
// CHECK: math.tanh %[[NARROW]] : f16
func.func @narrow(%x: f16) -> f16 {
  %0 = math.atanh %x : f16
  %1 = math.tanh %0 : f16
  return %1 : f16
}

// -----

// Tests for NaN and infinity are comparisons.
// CHECK-LABEL: func.func @tests
// CHECK: arith.cmpf uno, %arg0, %{{.*}} : f32
// CHECK: %[[SIZE:.*]] = math.absf %arg0 : f32
// CHECK: arith.cmpf oeq, %[[SIZE]], %{{.*}} : f32
func.func @tests(%x: f32) -> (i1, i1) {
  %0 = math.isnan %x : f32
  %1 = math.isinf %x : f32
  return %0, %1 : i1, i1
}

// -----

// A vector has no place on a PE.
// CHECK-LABEL: func.func @vector
// CHECK: math.tan %arg0 : vector<4xf32>
func.func @vector(%x: vector<4xf32>) -> vector<4xf32> {
  %y = math.tan %x : vector<4xf32>
  return %y : vector<4xf32>
}
