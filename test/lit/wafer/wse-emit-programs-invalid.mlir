// RUN: wse-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(wse-emit-programs)'

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 1 : i64>

// A collective that is still abstract.
func.func @main(%a: tensor<6xf32>) -> tensor<6xf32> attributes {wse.machine = "tiny", wse.rect = #rect} {
  %a1 = "wse.scatter"(%a) {layout = #wse.layout<[""], #rect>} : (tensor<6xf32>) -> tensor<6xf32>
  // expected-error @+1 {{'wse.all_reduce' cannot be emitted}}
  %0 = "wse.all_reduce"(%a1) {axis = "x", kind = "add", algorithm = "", layout = #wse.layout<[""], #rect>} : (tensor<6xf32>) -> tensor<6xf32>
  %1 = "wse.gather"(%0) {layout = #wse.layout<[""], #rect>} : (tensor<6xf32>) -> tensor<6xf32>
  return %1 : tensor<6xf32>
}

// -----

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 1 : i64>

// A reduction by an algorithm that there is not.
func.func @main(%a: tensor<6xf32>) -> tensor<6xf32> attributes {wse.machine = "tiny", wse.rect = #rect} {
  %a1 = "wse.scatter"(%a) {layout = #wse.layout<[""], #rect>} : (tensor<6xf32>) -> tensor<6xf32>
  // expected-error @+1 {{no reduction is called 'two_phase'}}
  %0 = "wse.reduce"(%a1) {axis = "x", kind = "add", root = 0 : i64, algorithm = "two_phase", layout = #wse.layout<[""], #rect>} : (tensor<6xf32>) -> tensor<6xf32>
  %1 = "wse.gather"(%0) {layout = #wse.layout<[""], #rect>} : (tensor<6xf32>) -> tensor<6xf32>
  return %1 : tensor<6xf32>
}

// -----

// Nothing says how the function is distributed.
// expected-error @+1 {{@main is not distributed}}
func.func @main(%a: tensor<6xf32>) -> tensor<6xf32> {
  return %a : tensor<6xf32>
}
