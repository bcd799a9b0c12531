// RUN: wse-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(wse-partition{machine=tiny grid=4x2})'

// Sizes that are known only at run time have no tiles.
func.func @main(%a: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  // expected-error @+1 {{has the dynamic shape tensor<?xf32>}}
  %n = tensor.dim %a, %c0 : tensor<?xf32>
  %empty = tensor.empty(%n) : tensor<?xf32>
  return %empty : tensor<?xf32>
}

// -----

// Windows whose positions and taps are both split: what a PE reads is no block of the image.
func.func @main(%a: tensor<10xf32>) -> tensor<8xf32> {
  %zero = arith.constant dense<0.0> : tensor<8xf32>
  %window = tensor.empty() : tensor<3xf32>
  // expected-error @+1 {{wse.iterators = ['x', 'y']: no layout can describe which part of an operand a PE reads then}}
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0 + d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0)>],
      iterator_types = ["parallel", "reduction"]} ins(%a, %window : tensor<10xf32>, tensor<3xf32>) outs(%zero : tensor<8xf32>)
      attrs = {wse.iterators = ["x", "y"]} {
  ^bb0(%l: f32, %w: f32, %acc: f32):
    %s = arith.addf %l, %acc : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// A scalar operation that no PE has.
func.func @main(%a: tensor<10xf32>) -> tensor<10xf32> {
  %empty = tensor.empty() : tensor<10xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%a : tensor<10xf32>) outs(%empty : tensor<10xf32>) {
  ^bb0(%l: f32, %o: f32):
    // expected-error @+1 {{a processing element has no operation for 'math.atan'}}
    %s = math.atan %l : f32
    linalg.yield %s : f32
  } -> tensor<10xf32>
  return %0 : tensor<10xf32>
}

// -----

// An argument and a result of 65,536 f32 over 4 PEs is more than a PE holds: the message is an inequality.
// expected-error @+1 {{does not fit the SRAM: 0 (parameters) + 131072 (activations and temporaries) = 131072 B a PE >}}
func.func @main(%a: tensor<65536xf32>) -> tensor<65536xf32> {
  %empty = tensor.empty() : tensor<65536xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%a : tensor<65536xf32>) outs(%empty : tensor<65536xf32>) attrs = {wse.iterators = ["x"]} {
  ^bb0(%l: f32, %o: f32):
    %s = arith.negf %l : f32
    linalg.yield %s : f32
  } -> tensor<65536xf32>
  return %0 : tensor<65536xf32>
}

// -----

// An axis can split one iterator only.
func.func @main(%a: tensor<10x4xf32>) -> tensor<10x4xf32> {
  %empty = tensor.empty() : tensor<10x4xf32>
  // expected-error @+1 {{wse.iterators = ['x', 'x'] for 2 iterators}}
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<10x4xf32>) outs(%empty : tensor<10x4xf32>) attrs = {wse.iterators = ["x", "x"]} {
  ^bb0(%l: f32, %o: f32):
    %s = arith.negf %l : f32
    linalg.yield %s : f32
  } -> tensor<10x4xf32>
  return %0 : tensor<10x4xf32>
}

// -----

// A tensor of a number that is known only at run time.
func.func @main(%n: tensor<f32>) -> tensor<4xf32> {
  %number = tensor.extract %n[] : tensor<f32>
  %empty = tensor.empty() : tensor<4xf32>
  // expected-error @+1 {{an operation uses a scalar that is computed outside of it}}
  %0 = linalg.fill ins(%number : f32) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// Elements that no PE holds, in between.
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  %empty = tensor.empty() : tensor<4xf32>
  %narrow = tensor.empty() : tensor<4xi7>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%a : tensor<4xf32>) outs(%narrow : tensor<4xi7>) {
  ^bb0(%x: f32, %o: i7):
    %s = arith.fptosi %x : f32 to i7
    linalg.yield %s : i7
  } -> tensor<4xi7>
  // expected-error @+1 {{takes or makes a tensor<4xi7>, and no PE holds such elements}}
  %1 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%0 : tensor<4xi7>) outs(%empty : tensor<4xf32>) {
  ^bb0(%x: i7, %o: f32):
    %s = arith.sitofp %x : i7 to f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
