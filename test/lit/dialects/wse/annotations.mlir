// RUN: wse-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(wse-check-stage{stage=logical})'

#rows = #wse.layout<"[y:4/2, -] on x:4; y:4 at (0, 0)">

// Loops and results that are split alike pass.
func.func @right(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<8x8xf32>) outs(%b : tensor<8x8xf32>) attrs = {wse.iterators = #wse.layout<"[y:4/2, -] on x:4; y:4 at (0, 0)">, wse.layouts = [#rows]} {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  } -> tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}

// -----

#columns = #wse.layout<"[-, x:4/2] on x:4; y:4 at (0, 0)">

// A result cannot be split otherwise than the loop that writes it.
func.func @disagreement(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>) -> tensor<8x8xf32> {
  // expected-error @+1 {{'linalg.generic' has loop 0 cut as y:4/2, but wse.layouts[0] the dimension it walks, 0, as -; expected one}}
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<8x8xf32>) outs(%b : tensor<8x8xf32>) attrs = {wse.iterators = #wse.layout<"[y:4/2, -] on x:4; y:4 at (0, 0)">, wse.layouts = [#columns]} {
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
