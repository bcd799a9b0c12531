// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-expand-math{cpu=x86-64-v3}))' --split-input-file | filecheck %s
// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-expand-math{cpu=znver5}))' --split-input-file | filecheck %s --check-prefix=AVX512
// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-expand-math{cpu=x86-64}))' --split-input-file | filecheck %s --check-prefix=SSE2

// exp of a vector: no function is called, and NaN and infinity pass through the clamps: x comes second in each, and is
// what `select` gives when the comparison fails. The low bits of a sum are the exponent of a power of two, whose square
// scales the result; where an instruction scales, that is all there is.
// CHECK-LABEL: func.func @exp
// CHECK-NOT:     math.exp
// CHECK:         %[[MOST:[a-z0-9_]+]] = arith.cmpf olt, %[[C:[a-z0-9_]+]], %arg0
// CHECK:         %[[X:[a-z0-9_]+]] = arith.select %[[MOST]], %[[C]], %arg0
// CHECK:         %[[LEAST:[a-z0-9_]+]] = arith.cmpf ogt, %[[D:[a-z0-9_]+]], %[[X]]
// CHECK:         arith.select %[[LEAST]], %[[D]], %[[X]]
// CHECK:         %[[SHIFTED:[a-z0-9_]+]] = math.fma
// CHECK:         %[[BITS:[a-z0-9_]+]] = arith.bitcast %[[SHIFTED]] : vector<16xf32> to vector<16xi32>
// CHECK:         %[[RAISED:[a-z0-9_]+]] = arith.shli %[[BITS]], {{.*}} : vector<16xi32>
// CHECK:         %[[SCALE:[a-z0-9_]+]] = arith.bitcast %[[RAISED]] : vector<16xi32> to vector<16xf32>
// CHECK:         %[[ONCE:[a-z0-9_]+]] = arith.mulf %{{.*}}, %[[SCALE]]
// CHECK:         arith.mulf %[[ONCE]], %[[SCALE]]
// CHECK-NEXT:    return
// AVX512-LABEL: func.func @exp
// AVX512-NOT:     arith.shli
// AVX512:         llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"
// AVX512-NEXT:    return
// SSE2-LABEL: func.func @exp
// SSE2-NOT:       math.fma
// SSE2:           return
func.func @exp(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x : vector<16xf32>
  return %y : vector<16xf32>
}

// -----

// tanh and erf are quotients of polynomials of the square, kept within 1.
// CHECK-LABEL: func.func @tanh_and_erf
// CHECK-NOT:     math.{{tanh|erf|exp}}
// CHECK:         %[[TANH:[a-z0-9_]+]] = arith.divf
// CHECK:         arith.cmpf olt, %{{.*}}, %[[TANH]]
// CHECK:         %[[ERF:[a-z0-9_]+]] = arith.divf
// CHECK:         arith.cmpf olt, %{{.*}}, %[[ERF]]
// CHECK:         return
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

// f64 has polynomials of its own.
// CHECK-LABEL: func.func @doubles
// CHECK-NOT:     math.{{exp|log}}
// CHECK:         arith.shli {{.*}} : i64
// CHECK:         return
func.func @doubles(%x: f64) -> (f64, f64) {
  %l = math.log1p %x : f64
  %e = math.expm1 %x : f64
  return %l, %e : f64, f64
}

// -----

// A clamp is a minimum of a maximum, and these are comparisons: NaN is put back, since `a > b ? a : b` loses that of a.
// CHECK-LABEL: func.func @clamp
// CHECK-NOT:     arith.m
// CHECK:         %[[GREATER:[a-z0-9_]+]] = arith.cmpf ogt
// CHECK:         %[[MAXIMUM:[a-z0-9_]+]] = arith.select %[[GREATER]]
// CHECK:         %[[NAN:[a-z0-9_]+]] = arith.cmpf uno
// CHECK:         arith.select %[[NAN]], {{.*}}, %[[MAXIMUM]]
// CHECK:         arith.cmpf olt
// CHECK-NOT:     arith.m
// CHECK:         return
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

// What the loop carries comes second: only one instruction of each iteration waits for the one before.
// CHECK-LABEL: func.func @running_maximum
// CHECK:         scf.for {{.*}} iter_args(%[[OLD:[a-z0-9_]+]] =
// CHECK:           %[[NEW:[a-z0-9_]+]] = vector.load
// CHECK:           arith.cmpf ogt, %[[NEW]], %[[OLD]]
// CHECK:           arith.cmpf uno, %[[NEW]], %[[NEW]]
func.func @running_maximum(%x: memref<64xf32>, %n: index, %start: vector<8xf32>) -> vector<8xf32> {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %r = scf.for %i = %c0 to %n step %c8 iter_args(%old = %start) -> vector<8xf32> {
    %v = vector.load %x[%i] : memref<64xf32>, vector<8xf32>
    %m = arith.maximumf %old, %v : vector<8xf32>
    scf.yield %m : vector<8xf32>
  }
  return %r : vector<8xf32>
}

// -----

// Bits have no order of floats to keep: maxima of integers stay.
// CHECK-LABEL: func.func @integers
// CHECK:         arith.maxsi
func.func @integers(%x: i32, %y: i32) -> i32 {
  %m = arith.maxsi %x, %y : i32
  return %m : i32
}

// -----

// x^2 is a product and x^-0.5 the inverse of a root, of any float; x^0.3 is computed by way of a logarithm in f64.
// CHECK-LABEL: func.func @constant_powers
// CHECK-NOT:     math.powf
// CHECK:         %[[SQUARE:[a-z0-9_]+]] = arith.mulf %arg0, %arg0 : f64
// CHECK:         %[[ROOT:[a-z0-9_]+]] = math.sqrt %arg1 : f32
// CHECK:         %[[INVERSE:[a-z0-9_]+]] = arith.divf %{{.*}}, %[[ROOT]]
// CHECK:         arith.extf {{.*}} : f32 to f64
// CHECK-NOT:     math.powf
// CHECK:         return %[[SQUARE]], %[[INVERSE]]
func.func @constant_powers(%x: f64, %y: f32) -> (f64, f32, f32) {
  %two = arith.constant 2.0 : f64
  %minus_half = arith.constant -0.5 : f32
  %other = arith.constant 0.3 : f32
  %a = math.powf %x, %two : f64
  %b = math.powf %y, %minus_half : f32
  %c = math.powf %y, %other : f32
  return %a, %b, %c : f64, f32, f32
}

// -----

// An exponent that is known only at run time, and is 64 bits wide, is one of powf's.
// CHECK-LABEL: func.func @run_time_power
// CHECK:         arith.sitofp %arg1 : i64 to f32
// CHECK-NOT:     math.powf
// CHECK:         return
func.func @run_time_power(%x: f32, %n: i64) -> f32 {
  %y = math.fpowi %x, %n : f32, i64
  return %y : f32
}

// -----

// A sine reduces its argument in f32, and in f64 only when a lane needs more digits of pi.
// CHECK-LABEL: func.func @sine
// CHECK-NOT:     math.sin
// CHECK:         %[[LARGE:[a-z0-9_]+]] = arith.cmpf ugt
// CHECK:         %[[ANY:[a-z0-9_]+]] = vector.reduction <or>, %[[LARGE]]
// CHECK:         scf.if %[[ANY]]
// CHECK:           arith.extf {{.*}} : vector<16xf32> to vector<16xf64>
// CHECK:         } else {
// CHECK:         arith.xori {{.*}} : vector<16xi32>
func.func @sine(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.sin %x : vector<16xf32>
  return %y : vector<16xf32>
}

// -----

// The sine of a large f64 takes more digits of pi than code should hold one after the other: they are a table.
// CHECK-LABEL: func.func @sine_of_double
// CHECK:         scf.if
// CHECK:           scf.for
// CHECK:             vector.extract %{{.*}}[%{{.*}}] : f64 from vector<48xf64>
// CHECK:             vector.broadcast %{{.*}} : f64 to vector<8xf64>
// CHECK:         return
func.func @sine_of_double(%x: vector<8xf64>) -> vector<8xf64> {
  %y = math.sin %x : vector<8xf64>
  return %y : vector<8xf64>
}

// -----

// A remainder is long division, in f64 for f32, until all lanes are less than their divisor.
// CHECK-LABEL: func.func @remainder
// CHECK-NOT:     arith.remf
// CHECK:         arith.extf {{.*}} : vector<8xf32> to vector<8xf64>
// CHECK:         scf.while
// CHECK:           vector.reduction <or>
// CHECK:           arith.divf {{.*}} : vector<8xf64>
// CHECK:         arith.truncf
// CHECK:         return
func.func @remainder(%x: vector<8xf32>, %y: vector<8xf32>) -> vector<8xf32> {
  %r = arith.remf %x, %y : vector<8xf32>
  return %r : vector<8xf32>
}

// -----

// What processors round by themselves is left to them; halves that go away from zero no x86 rounds.
// CHECK-LABEL: func.func @rounding
// CHECK:         math.floor %arg0
// CHECK:         math.roundeven %arg0
// CHECK-NOT:     math.round %
// CHECK:         return
// SSE2-LABEL: func.func @rounding
// SSE2-NOT:       math.{{floor|round}}
// SSE2:           return
func.func @rounding(%x: vector<4xf32>) -> (vector<4xf32>, vector<4xf32>, vector<4xf32>) {
  %a = math.floor %x : vector<4xf32>
  %b = math.roundeven %x : vector<4xf32>
  %c = math.round %x : vector<4xf32>
  return %a, %b, %c : vector<4xf32>, vector<4xf32>, vector<4xf32>
}

// -----

// Without the instruction, a fused multiply-add takes twice the digits.
// CHECK-LABEL: func.func @fused
// CHECK:         math.fma
// SSE2-LABEL: func.func @fused
// SSE2-NOT:       math.fma
// SSE2:           arith.mulf {{.*}} : f64
func.func @fused(%x: f32, %y: f32, %z: f32) -> f32 {
  %r = math.fma %x, %y, %z : f32
  return %r : f32
}

// -----

// f16 is widened before this pass; roots are instructions.
// CHECK-LABEL: func.func @left_alone
// CHECK:         math.exp %arg0 : f16
// CHECK:         math.sqrt %arg1 : f32
func.func @left_alone(%x: f16, %y: f32) -> (f16, f32) {
  %a = math.exp %x : f16
  %b = math.sqrt %y : f32
  return %a, %b : f16, f32
}
