// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-round-conversions))' | filecheck %s
// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-round-conversions),arith-emulate-unsupported-floats{source-types=bf16,f16 target-type=f32},canonicalize)' | filecheck %s --check-prefix=ROUNDED

// Signed and unsigned integers, scalars and vectors: what arithmetic reads of them was rounded.
// CHECK-LABEL: func.func @halves
// CHECK:         %[[W:.*]] = arith.sitofp %arg0 : i64 to f32
// CHECK:         arith.truncf %[[W]] : f32 to f16
// CHECK:         %[[V:.*]] = arith.uitofp %arg1 : vector<4xi8> to vector<4xf32>
// CHECK:         arith.truncf %[[V]] : vector<4xf32> to vector<4xbf16>
// ROUNDED-LABEL: func.func @halves
// ROUNDED:         arith.sitofp {{.*}} : i64 to f16
// ROUNDED:         arith.extf {{.*}} : f16 to f32
// ROUNDED:         arith.divf
func.func @halves(%x: i64, %y: vector<4xi8>, %z: f16) -> (f16, vector<4xbf16>) {
  %a = arith.sitofp %x : i64 to f16
  %b = arith.divf %a, %z : f16
  %c = arith.uitofp %y : vector<4xi8> to vector<4xbf16>
  return %b, %c : f16, vector<4xbf16>
}

// Wider types have instructions.
// CHECK-LABEL: func.func @wider
// CHECK-NEXT:    arith.sitofp %arg0 : i64 to f32
// CHECK-NEXT:    arith.uitofp %arg0 : i64 to f64
// CHECK-NEXT:    return
func.func @wider(%x: i64) -> (f32, f64) {
  %a = arith.sitofp %x : i64 to f32
  %b = arith.uitofp %x : i64 to f64
  return %a, %b : f32, f64
}
