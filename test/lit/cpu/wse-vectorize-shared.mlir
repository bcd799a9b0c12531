// RUN: wse-opt %s --wse-vectorize='cpu=x86-64-v3 threads=2' | filecheck %s
// RUN: wse-opt %s --wse-vectorize='cpu=x86-64-v3' | filecheck %s --check-prefix=ALONE

// The last panel of 5 columns is a loop of one iteration where threads share the nest, for they divide marked loops
// only; with one thread it is none.
// CHECK-LABEL: func.func @columns
// CHECK: scf.for
// CHECK: wse.parallel = 0
// CHECK: scf.for
// CHECK: vector.maskedstore
// CHECK: wse.parallel = 0
// CHECK: return
// ALONE-LABEL: func.func @columns
// ALONE: wse.parallel = 0
// ALONE-NOT: wse.parallel
// ALONE: return
func.func @columns(%x: memref<64xf32>, %w: memref<64x133xf32>, %y: memref<133xf32>) {
  linalg.generic {
    indexing_maps = [affine_map<(n, k) -> (k)>, affine_map<(n, k) -> (k, n)>, affine_map<(n, k) -> (n)>],
    iterator_types = ["parallel", "reduction"]
  } ins(%x, %w : memref<64xf32>, memref<64x133xf32>) outs(%y : memref<133xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  }
  return
}
