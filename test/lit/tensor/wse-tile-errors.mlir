// RUN: wse-opt %s --verify-diagnostics --pass-pipeline='builtin.module(func.func(wse-tile{sizes=0,0,4 loops=forall}))'

// Parallel tiles of a reduction would all write the same result.
func.func @reduction(%a: tensor<16x64xf32>, %b: tensor<64x32xf32>, %c: tensor<16x32xf32>) -> tensor<16x32xf32> {
  // expected-error @+1 {{iterator 2 of 'linalg.matmul' is a reduction and cannot be split by scf.forall}}
  %r = linalg.matmul ins(%a, %b : tensor<16x64xf32>, tensor<64x32xf32>) outs(%c : tensor<16x32xf32>) -> tensor<16x32xf32>
  return %r : tensor<16x32xf32>
}
