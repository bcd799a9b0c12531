// RUN: wse-opt %s --split-input-file --verify-diagnostics --wse-partition

// There is nothing to distribute without a body.
// expected-error @+1 {{@main has no body}}
func.func private @main(tensor<4xf32>) -> tensor<4xf32>

// -----

// Control flow between blocks has no place in a static program.
// expected-error @+1 {{@main has several blocks}}
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  cf.br ^end(%a : tensor<4xf32>)
^end(%x: tensor<4xf32>):
  return %x : tensor<4xf32>
}

// -----

// The host hands over tensors whose elements a PE can hold.
// expected-error @+1 {{@main has an argument or a result of type i1}}
func.func @main(%a: tensor<4xf32>, %c: i1) -> tensor<4xf32> {
  return %a : tensor<4xf32>
}

// -----

// expected-error @+1 {{@main has an argument or a result of type tensor<4xi7>}}
func.func @main(%a: tensor<4xi7>) -> tensor<4xi7> {
  return %a : tensor<4xi7>
}

// -----

// expected-error @+1 {{@main has an argument or a result of type tensor<*xf32>}}
func.func @main(%a: tensor<*xf32>) -> tensor<*xf32> {
  return %a : tensor<*xf32>
}

// -----

// expected-error @+1 {{attribute 'wse.kind' of @main is no string}}
func.func @main(%a: tensor<4xf32> {wse.kind = 3}) -> tensor<4xf32> {
  return %a : tensor<4xf32>
}
