// RUN: wse-reduce %s --load %S/Inputs/planted_bugs.py --pass-pipeline='builtin.module(cse,planted-bug,canonicalize)' | filecheck %s
// RUN: wse-reduce %s --load %S/Inputs/planted_bugs.py --pass-pipeline='builtin.module(planted-bug{how=abort})' --message 'something is wrong' | filecheck %s

// A pass that ends the process: what it cannot stand is all that is left, used as far as earlier passes demand it.
// CHECK: module {
// CHECK-NEXT: func.func @main(%arg0: f32){{( -> f32)?}} {
// CHECK-NEXT: %0 = math.exp %arg0 : f32
// CHECK-NEXT: %1 = arith.maximumf %0, %arg0 : f32
// CHECK-NEXT: return{{( %1 : f32)?}}
// CHECK-NEXT: }
// CHECK-NEXT: }

// A reproducer says by itself which pipeline fails, and with which plugins.
// RUN: rm -f %t.reproducer.mlir
// RUN: not wse-opt %s --load %S/Inputs/planted_bugs.py --pass-pipeline='builtin.module(cse,planted-bug{how=fail})' --mlir-pass-pipeline-crash-reproducer=%t.reproducer.mlir
// RUN: wse-reduce %t.reproducer.mlir -o %t.small.mlir
// RUN: filecheck %s --input-file=%t.small.mlir
// RUN: not wse-opt %t.small.mlir --load %S/Inputs/planted_bugs.py --planted-bug=how=fail 2>&1 | filecheck %s --check-prefix=SAME
// SAME: error: cannot handle operands of type 'f32'

#map = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d1)>
func.func @other(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = math.exp %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
func.func @main(%a: tensor<8x16xf32>, %b: tensor<16xf32>) -> tensor<8x16xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<8x16xf32>) -> tensor<8x16xf32>
  %0 = linalg.generic {indexing_maps = [#map, #row, #map], iterator_types = ["parallel", "parallel"]}
      ins(%a, %b : tensor<8x16xf32>, tensor<16xf32>) outs(%f : tensor<8x16xf32>) {
  ^bb0(%x: f32, %y: f32, %old: f32):
    %1 = arith.addf %x, %y : f32
    %2 = math.exp %1 : f32
    %3 = arith.maximumf %2, %zero : f32
    %4 = arith.addf %3, %old : f32
    linalg.yield %4 : f32
  } -> tensor<8x16xf32>
  return %0 : tensor<8x16xf32>
}
