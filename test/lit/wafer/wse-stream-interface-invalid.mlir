// RUN: wse-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(wse-stream-interface{rows=0})'

// expected-error @+1 {{@main takes 0 streams, and rows says where 1 are}}
func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
  return %x : tensor<8xf32>
}

// -----

// expected-error @+1 {{expects rows to be a dimension or -1, got 0 for a tensor of rank 0}}
func.func @main(%x: tensor<f32> {wse.kind = "stream"}) -> tensor<f32> {
  return %x : tensor<f32>
}
