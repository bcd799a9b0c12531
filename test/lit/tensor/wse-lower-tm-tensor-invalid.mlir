// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-lower-tm-tensor))' --verify-diagnostics

// Fused attention has no lowering: it is refused at its own line, not left for a later pass to choke on.
func.func @attention(%q: tensor<1x4x8xf32>, %k: tensor<1x4x8xf32>, %v: tensor<1x4x8xf32>, %o: tensor<1x4x8xf32>) -> tensor<1x4x8xf32> {
  // expected-error @+1 {{'tm_tensor.attention' has no lowering to linalg and scf}}
  %0 = tm_tensor.attention ins(%q, %k, %v : tensor<1x4x8xf32>, tensor<1x4x8xf32>, tensor<1x4x8xf32>) outs(%o : tensor<1x4x8xf32>) -> tensor<1x4x8xf32>
  return %0 : tensor<1x4x8xf32>
}
