// RUN: wse-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(wse-emit-programs)'

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 1 : i64>

// A movement that no algorithm is known for.
func.func @main(%a: tensor<6xf32>) -> tensor<6xf32> attributes {wse.machine = "tiny", wse.rect = #rect} {
  %a1 = "wse.scatter"(%a) {layout = #wse.layout<["x"], #rect>} : (tensor<6xf32>) -> tensor<6xf32>
  // expected-error @+1 {{this redistribution needs communication}}
  %0 = "wse.redistribute"(%a1) {source_layout = #wse.layout<["x"], #rect>, layout = #wse.layout<[""], #rect>} : (tensor<6xf32>) -> tensor<6xf32>
  %1 = "wse.gather"(%0) {layout = #wse.layout<[""], #rect>} : (tensor<6xf32>) -> tensor<6xf32>
  return %1 : tensor<6xf32>
}

// -----

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 1 : i64>

// A reduction by an algorithm that there is not.
func.func @main(%a: tensor<6xf32>) -> tensor<6xf32> attributes {wse.machine = "tiny", wse.rect = #rect} {
  %a1 = "wse.scatter"(%a) {layout = #wse.layout<[""], #rect>} : (tensor<6xf32>) -> tensor<6xf32>
  // expected-error @+1 {{'three_phase' is no algorithm for reduce}}
  %0 = "wse.reduce"(%a1) {axis = "x", kind = "add", root = 0 : i64, algorithm = "three_phase", layout = #wse.layout<[""], #rect>} : (tensor<6xf32>) -> tensor<6xf32>
  %1 = "wse.gather"(%0) {layout = #wse.layout<[""], #rect>} : (tensor<6xf32>) -> tensor<6xf32>
  return %1 : tensor<6xf32>
}

// -----

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 1 : i64>
#id = affine_map<(d0) -> (d0)>

// What is no product cannot be computed by a product's algorithm.
func.func @main(%a: tensor<6xf32>) -> tensor<6xf32> attributes {wse.machine = "tiny", wse.rect = #rect} {
  %a1 = "wse.scatter"(%a) {layout = #wse.layout<["x"], #rect>} : (tensor<6xf32>) -> tensor<6xf32>
  %empty = tensor.empty() : tensor<6xf32>
  // expected-error @+1 {{carries wse.algorithm = 'cannon', but is no product of two tensors}}
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%a1 : tensor<6xf32>) outs(%empty : tensor<6xf32>)
      attrs = {wse.algorithm = "cannon", wse.layouts = [#wse.layout<["x"], #rect>]} {
  ^bb0(%l: f32, %o: f32):
    %n = arith.negf %l : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %1 = "wse.gather"(%0) {layout = #wse.layout<["x"], #rect>} : (tensor<6xf32>) -> tensor<6xf32>
  return %1 : tensor<6xf32>
}

// -----

// Nothing says how the function is distributed.
// expected-error @+1 {{@main is not distributed}}
func.func @main(%a: tensor<6xf32>) -> tensor<6xf32> {
  return %a : tensor<6xf32>
}
