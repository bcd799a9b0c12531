// RUN: wse-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(wse-bufferize)'

// Elementwise arithmetic on whole tensors has to be linalg first.
func.func @elementwise(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'arith.addf' on tensors cannot be put on buffers}}
  %0 = arith.addf %a, %a : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// A carried tensor whose size changes has no buffer that fits every iteration.
func.func @growing(%a: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  // expected-error @+1 {{a loop carries 'tensor<?xf32>' and its size may change}}
  %0 = scf.for %i = %c0 to %c3 step %c1 iter_args(%x = %a) -> tensor<?xf32> {
    %y = tensor.concat dim(0) %x, %x : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
    scf.yield %y : tensor<?xf32>
  }
  return %0 : tensor<?xf32>
}

// -----

// The caller cannot make a buffer whose size only the callee knows.
func.func private @callee(%a: tensor<?xf32>) -> tensor<?xf32> {
  return %a : tensor<?xf32>
}
func.func @caller(%a: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{the size of the call's result 'tensor<?xf32>' is not known to the caller}}
  %0 = call @callee(%a) : (tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}
