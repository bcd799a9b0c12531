// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-tile{sizes=8,8 fuse-producers=true}),canonicalize,cse)' | filecheck %s

// A chain of producers moves into the consumer's loops, its reductions whole; nothing of its own size is left.
// CHECK-LABEL: @chain
// CHECK-NOT: tensor<32x32xf32> {{.*}}linalg
// CHECK: scf.for
// CHECK: scf.for
// CHECK: linalg.matmul {{.*}} -> tensor<8x8xf32>
// CHECK: linalg.exp {{.*}} -> tensor<8x8xf32>
// CHECK: linalg.abs {{.*}} -> tensor<8x8xf32>
// CHECK-NOT: linalg
func.func @chain(%a: tensor<32x64xf32>, %b: tensor<64x32xf32>, %c: tensor<32x32xf32>) -> tensor<32x32xf32> {
  %e = tensor.empty() : tensor<32x32xf32>
  %0 = linalg.matmul ins(%a, %b : tensor<32x64xf32>, tensor<64x32xf32>) outs(%c : tensor<32x32xf32>) -> tensor<32x32xf32>
  %1 = linalg.exp ins(%0 : tensor<32x32xf32>) outs(%e : tensor<32x32xf32>) -> tensor<32x32xf32>
  %2 = linalg.abs ins(%1 : tensor<32x32xf32>) outs(%e : tensor<32x32xf32>) -> tensor<32x32xf32>
  return %2 : tensor<32x32xf32>
}

// -----

// Not fused: rows of the left operand serve every tile of columns, so the producer behind the matmul stays out.
// CHECK-LABEL: @again
// CHECK: linalg.log {{.*}} -> tensor<8x8xf32>
// CHECK: scf.for
// CHECK: scf.for
// CHECK-NOT: linalg.log
// CHECK: linalg.matmul
// CHECK: linalg.exp
func.func @again(%a: tensor<32x64xf32>, %b: tensor<64x32xf32>, %c: tensor<32x32xf32>) -> tensor<32x32xf32> {
  %d = tensor.empty() : tensor<32x64xf32>
  %e = tensor.empty() : tensor<32x32xf32>
  %0 = linalg.log ins(%a : tensor<32x64xf32>) outs(%d : tensor<32x64xf32>) -> tensor<32x64xf32>
  %1 = linalg.matmul ins(%0, %b : tensor<32x64xf32>, tensor<64x32xf32>) outs(%c : tensor<32x32xf32>) -> tensor<32x32xf32>
  %2 = linalg.exp ins(%1 : tensor<32x32xf32>) outs(%e : tensor<32x32xf32>) -> tensor<32x32xf32>
  return %2 : tensor<32x32xf32>
}

// -----

// Not fused: the windows of neighbouring tiles overlap, so their common part would be computed twice.
// CHECK-LABEL: @overlap
// CHECK: linalg.exp
// CHECK: scf.for
// CHECK-NOT: linalg.exp
// CHECK: linalg.generic
func.func @overlap(%a: tensor<34xf32>, %k: tensor<3xf32>, %o: tensor<32xf32>) -> tensor<32xf32> {
  %d = tensor.empty() : tensor<34xf32>
  %0 = linalg.exp ins(%a : tensor<34xf32>) outs(%d : tensor<34xf32>) -> tensor<34xf32>
  %1 = linalg.generic {
    indexing_maps = [affine_map<(d0, d1) -> (d0 + d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0)>],
    iterator_types = ["parallel", "reduction"]} ins(%0, %k : tensor<34xf32>, tensor<3xf32>) outs(%o : tensor<32xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %x, %y : f32
    %q = arith.addf %p, %z : f32
    linalg.yield %q : f32
  } -> tensor<32xf32>
  return %1 : tensor<32xf32>
}

// -----

// Not fused: the matmul takes rows of its operand for one side and columns for the other, in the same tile.
// CHECK-LABEL: @two_windows
// CHECK: linalg.exp
// CHECK: scf.for
// CHECK: scf.for
// CHECK-NOT: linalg.exp
// CHECK: linalg.matmul
func.func @two_windows(%a: tensor<32x32xf32>, %c: tensor<32x32xf32>) -> tensor<32x32xf32> {
  %e = tensor.empty() : tensor<32x32xf32>
  %0 = linalg.exp ins(%a : tensor<32x32xf32>) outs(%e : tensor<32x32xf32>) -> tensor<32x32xf32>
  %1 = linalg.matmul ins(%0, %0 : tensor<32x32xf32>, tensor<32x32xf32>) outs(%c : tensor<32x32xf32>) -> tensor<32x32xf32>
  return %1 : tensor<32x32xf32>
}
