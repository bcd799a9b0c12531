// RUN: wse-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(wse-check-stage{stage=logical})'

#rows = #wse.layout<["y", ""], #wse.rect<0, 0, 4, 4>>

// Loops and results that are split alike pass.
func.func @right(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<8x8xf32>) outs(%b : tensor<8x8xf32>) attrs = {wse.iterators = ["y", ""], wse.layouts = [#rows]} {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  } -> tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}

// -----

#columns = #wse.layout<["", "x"], #wse.rect<0, 0, 4, 4>>

// A result cannot be split otherwise than the loop that writes it.
func.func @disagreement(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>) -> tensor<8x8xf32> {
  // expected-error @+1 {{'linalg.generic' splits loop 0 over 'y', but wse.layouts[0] splits the dimension it walks, 0, over ''; expected one axis}}
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<8x8xf32>) outs(%b : tensor<8x8xf32>) attrs = {wse.iterators = ["y", ""], wse.layouts = [#columns]} {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  } -> tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}

// -----

// Every operation says how it is split.
func.func @nothing(%a: tensor<8xf32>, %b: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{'linalg.exp' lacks wse.iterators and wse.layouts}}
  %0 = linalg.exp ins(%a : tensor<8xf32>) outs(%b : tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
