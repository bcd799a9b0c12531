// RUN: wse-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(wse-outline-regions{regions=2})'

// Regions run nothing on the CPU.
func.func @main(%x: tensor<8xf32>, %i: tensor<i64>) -> tensor<2xf32> {
  %n = tensor.extract %i[] : tensor<i64>
  %at = arith.index_cast %n : i64 to index
  // expected-error @+1 {{'tensor.extract_slice' at an offset known only at run time}}
  %z = tensor.extract_slice %x[%at] [2] [1] : tensor<8xf32> to tensor<2xf32>
  return %z : tensor<2xf32>
}

// -----

// expected-error @+1 {{@main computes nothing that regions could share}}
func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
  return %x : tensor<8xf32>
}
