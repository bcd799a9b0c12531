// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-expand-half{always=true}))' --split-input-file | filecheck %s

// Both directions, on vectors: integers and one multiplication or addition, no conversion is left.
// CHECK-LABEL: func.func @both
// CHECK-NOT:     arith.{{extf|truncf}}
// CHECK:         arith.bitcast %arg0 : vector<8xf16> to vector<8xi16>
// CHECK:         arith.mulf {{.*}} : vector<8xf32>
// CHECK:         arith.trunci {{.*}} : vector<8xi32> to vector<8xi16>
// CHECK-NOT:     arith.{{extf|truncf}}
// CHECK:         return
func.func @both(%x: vector<8xf16>, %y: vector<8xf32>) -> (vector<8xf32>, vector<8xf16>) {
  %w = arith.extf %x : vector<8xf16> to vector<8xf32>
  %n = arith.truncf %y : vector<8xf32> to vector<8xf16>
  return %w, %n : vector<8xf32>, vector<8xf16>
}

// -----

// Conversions between other types are left alone.
// CHECK-LABEL: func.func @others
// CHECK:         arith.extf %arg0 : bf16 to f32
// CHECK:         arith.truncf %arg1 : f64 to f32
func.func @others(%x: bf16, %y: f64) -> (f32, f32) {
  %a = arith.extf %x : bf16 to f32
  %b = arith.truncf %y : f64 to f32
  return %a, %b : f32, f32
}

// -----

// Between f64 and narrow floats there is no instruction on any processor: f32 is in between.
// CHECK-LABEL: func.func @doubles
// CHECK:         arith.truncf %arg0 : f64 to f32
// CHECK:         arith.truncf %{{.*}} : f32 to bf16
// CHECK:         arith.extf %{{.*}} : vector<4xbf16> to vector<4xf32>
// CHECK:         arith.extf %{{.*}} : vector<4xf32> to vector<4xf64>
func.func @doubles(%x: f64, %y: vector<4xbf16>) -> (bf16, vector<4xf64>) {
  %a = arith.truncf %x : f64 to bf16
  %b = arith.extf %y : vector<4xbf16> to vector<4xf64>
  return %a, %b : bf16, vector<4xf64>
}
