// RUN: wse-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(func.func(wse-generalize,wse-fuse,wse-fold-constants,wse-dce),wse-bufferize)'

// A module without functions, functions without a body or without operations: nothing to do.
module {}

// -----

func.func private @external(tensor<4xf32>) -> tensor<4xf32>
func.func @empty() { return }

// -----

// Tensors without elements and without dimensions.
func.func @no_elements(%a: tensor<0x3xf32>, %b: tensor<f32>) -> (tensor<0x3xf32>, tensor<f32>) {
  %e = tensor.empty() : tensor<0x3xf32>
  %0 = linalg.exp ins(%a : tensor<0x3xf32>) outs(%e : tensor<0x3xf32>) -> tensor<0x3xf32>
  return %0, %b : tensor<0x3xf32>, tensor<f32>
}

// -----

// A tensor of unknown rank has no buffer.
func.func @unranked(%a: tensor<*xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{unranked tensors are not supported}}
  %0 = tensor.cast %a : tensor<*xf32> to tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// What an argument is has to be said in a string.
// expected-error @below {{attribute 'wse.kind' of an argument or a result is no string: 3 : i64}}
module {
  func.func @kind(%a: tensor<4xf32> {wse.kind = 3}) -> tensor<4xf32> {
    return %a : tensor<4xf32>
  }
}
