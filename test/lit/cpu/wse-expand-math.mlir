// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-expand-math))' --split-input-file | filecheck %s

// exp of a vector: no function is called, and NaN and infinity pass through the clamps.
// CHECK-LABEL: func.func @exp
// CHECK-NOT:     math.exp
// CHECK:         arith.minimumf
// CHECK:         arith.maximumf
// CHECK:         arith.shli {{.*}} : vector<16xi32>
// CHECK:         arith.bitcast {{.*}} : vector<16xi32> to vector<16xf32>
// CHECK:         return
func.func @exp(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x : vector<16xf32>
  return %y : vector<16xf32>
}

// -----

// tanh and erf choose between a polynomial near zero and a form of exp, with the sign put back.
// CHECK-LABEL: func.func @tanh_and_erf
// CHECK-NOT:     math.{{tanh|erf|exp}}
// CHECK:         arith.select
// CHECK:         math.copysign
// CHECK:         math.copysign
// CHECK:         arith.select
func.func @tanh_and_erf(%x: f32) -> (f32, f32) {
  %t = math.tanh %x : f32
  %e = math.erf %x : f32
  return %t, %e : f32, f32
}

// -----

// log1p keeps small numbers: the quotient undoes what the sum rounded away.
// CHECK-LABEL: func.func @log1p_and_expm1
// CHECK-NOT:     math.{{log|exp}}
// CHECK:         %[[U:[a-z0-9_]+]] = arith.addf %arg0, %{{.*}} : vector<8xf32>
// CHECK:         %[[D:[a-z0-9_]+]] = arith.subf %[[U]], %{{.*}} : vector<8xf32>
// CHECK:         arith.divf %arg0, %[[D]] : vector<8xf32>
// CHECK:         math.copysign
func.func @log1p_and_expm1(%x: vector<8xf32>) -> (vector<8xf32>, vector<8xf32>) {
  %l = math.log1p %x : vector<8xf32>
  %e = math.expm1 %x : vector<8xf32>
  return %l, %e : vector<8xf32>, vector<8xf32>
}

// -----

// In f64 there are no polynomials, but log1p and expm1 are still not those of LLVM; exp and log stay.
// CHECK-LABEL: func.func @doubles
// CHECK-NOT:     math.{{log1p|expm1}}
// CHECK:         math.log %{{.*}} : f64
// CHECK:         math.exp %arg0 : f64
// CHECK:         math.log %{{.*}} : f64
// CHECK:         return
func.func @doubles(%x: f64) -> (f64, f64) {
  %l = math.log1p %x : f64
  %e = math.expm1 %x : f64
  return %l, %e : f64, f64
}

// -----

// A clamp is a minimum of a maximum.
// CHECK-LABEL: func.func @clamp
// CHECK:         %[[LEAST:[a-z0-9_]+]] = arith.maximumf %arg0, %arg1 : f32
// CHECK:         %[[MOST:[a-z0-9_]+]] = arith.minimumf %[[LEAST]], %arg2 : f32
// CHECK:         return %[[MOST]]
func.func @clamp(%x: f32, %least: f32, %most: f32) -> f32 {
  %y = math.clampf %x to [%least, %most] : f32
  return %y : f32
}

// -----

// A number beyond 127 is one of 8 bits without a sign.
// CHECK-LABEL: func.func @to_narrow_integers
// CHECK:         %[[WIDE:[a-z0-9_]+]] = arith.fptosi %arg0 : vector<8xf32> to vector<8xi32>
// CHECK:         arith.trunci %[[WIDE]] : vector<8xi32> to vector<8xi8>
// CHECK:         arith.fptosi %arg0 : vector<8xf32> to vector<8xi64>
func.func @to_narrow_integers(%x: vector<8xf32>) -> (vector<8xi8>, vector<8xi64>) {
  %a = arith.fptosi %x : vector<8xf32> to vector<8xi8>
  %b = arith.fptosi %x : vector<8xf32> to vector<8xi64>
  return %a, %b : vector<8xi8>, vector<8xi64>
}

// -----

// A cube is two products; a negative power is a quotient.
// CHECK-LABEL: func.func @powers
// CHECK:         %[[SQUARE:[a-z0-9_]+]] = arith.mulf %arg0, %arg0
// CHECK:         %[[CUBE:[a-z0-9_]+]] = arith.mulf %arg0, %[[SQUARE]]
// CHECK:         %[[INVERSE:[a-z0-9_]+]] = arith.divf %{{.*}}, %arg0
// CHECK:         return %[[CUBE]], %[[INVERSE]]
func.func @powers(%x: f64) -> (f64, f64) {
  %three = arith.constant 3 : i64
  %minus = arith.constant -1 : i64
  %a = math.fpowi %x, %three : f64, i64
  %b = math.fpowi %x, %minus : f64, i64
  return %a, %b : f64, f64
}

// -----

// An exponent that is known only at run time, and is 64 bits wide, is left to powf.
// CHECK-LABEL: func.func @run_time_power
// CHECK:         %[[F:[a-z0-9_]+]] = arith.sitofp %arg1 : i64 to f32
// CHECK:         math.powf %arg0, %[[F]] : f32
func.func @run_time_power(%x: f32, %n: i64) -> f32 {
  %y = math.fpowi %x, %n : f32, i64
  return %y : f32
}

// -----

// Double precision would lose half of its digits: left to the C library. Other functions are left alone too.
// CHECK-LABEL: func.func @left_alone
// CHECK:         math.exp %arg0 : f64
// CHECK:         math.sin %arg1 : f32
func.func @left_alone(%x: f64, %y: f32) -> (f64, f32) {
  %a = math.exp %x : f64
  %b = math.sin %y : f32
  return %a, %b : f64, f32
}
