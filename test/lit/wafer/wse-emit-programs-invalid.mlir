// RUN: wse-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(wse-emit-programs)'

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 1 : i64>

// A result that is left on another PE than the host takes it from.
func.func @main(%a: tensor<8xf32>) -> tensor<8xf32> attributes {wse.machine = "tiny", wse.rect = #rect} {
  %a1 = "wse.scatter"(%a) {layout = #wse.layout<"[-] on x:4; y:1 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  // expected-error @+1 {{leaves its result on PE 2 of each line, where only a broadcast from there finds it}}
  %0 = "wse.reduce"(%a1) {axis = "x", kind = "add", root = 2, algorithm = "", layout = #wse.layout<"[-] on x:4; y:1 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  %1 = "wse.gather"(%0) {layout = #wse.layout<"[-] on x:4; y:1 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 1 : i64>

// Blocks of different sizes cannot change places.
func.func @main(%a: tensor<7xf32>) -> tensor<7xf32> attributes {wse.machine = "tiny", wse.rect = #rect} {
  %a1 = "wse.scatter"(%a) {layout = #wse.layout<"[x:4/2] on x:4; y:1 at (0, 0)">} : (tensor<7xf32>) -> tensor<7xf32>
  // expected-error @+1 {{a shift of 7 elements over 4 PEs, whose blocks differ}}
  %0 = "wse.shift"(%a1) {axis = "x", distance = 1, wrap = 1, layout = #wse.layout<"[x:4/2] on x:4; y:1 at (0, 0)">} : (tensor<7xf32>) -> tensor<7xf32>
  %1 = "wse.gather"(%0) {layout = #wse.layout<"[x:4/2] on x:4; y:1 at (0, 0)">} : (tensor<7xf32>) -> tensor<7xf32>
  return %1 : tensor<7xf32>
}

// -----

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 1 : i64>

// A reduction by an algorithm that there is not.
func.func @main(%a: tensor<6xf32>) -> tensor<6xf32> attributes {wse.machine = "tiny", wse.rect = #rect} {
  %a1 = "wse.scatter"(%a) {layout = #wse.layout<"[-] on x:4; y:1 at (0, 0)">} : (tensor<6xf32>) -> tensor<6xf32>
  // expected-error @+1 {{'three_phase' is no algorithm for reduce}}
  %0 = "wse.reduce"(%a1) {axis = "x", kind = "add", root = 0 : i64, algorithm = "three_phase", layout = #wse.layout<"[-] on x:4; y:1 at (0, 0)">} : (tensor<6xf32>) -> tensor<6xf32>
  %1 = "wse.gather"(%0) {layout = #wse.layout<"[-] on x:4; y:1 at (0, 0)">} : (tensor<6xf32>) -> tensor<6xf32>
  return %1 : tensor<6xf32>
}

// -----

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 1 : i64>
#id = affine_map<(d0) -> (d0)>

// What is no product cannot be computed by a product's algorithm.
func.func @main(%a: tensor<6xf32>) -> tensor<6xf32> attributes {wse.machine = "tiny", wse.rect = #rect} {
  %a1 = "wse.scatter"(%a) {layout = #wse.layout<"[x:4/2] on x:4; y:1 at (0, 0)">} : (tensor<6xf32>) -> tensor<6xf32>
  %empty = tensor.empty() : tensor<6xf32>
  // expected-error @+1 {{carries wse.algorithm = 'cannon', but is no product of two tensors}}
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%a1 : tensor<6xf32>) outs(%empty : tensor<6xf32>)
      attrs = {wse.algorithm = "cannon", wse.layouts = [#wse.layout<"[x:4/2] on x:4; y:1 at (0, 0)">]} {
  ^bb0(%l: f32, %o: f32):
    %n = arith.negf %l : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %1 = "wse.gather"(%0) {layout = #wse.layout<"[x:4/2] on x:4; y:1 at (0, 0)">} : (tensor<6xf32>) -> tensor<6xf32>
  return %1 : tensor<6xf32>
}

// -----

// Nothing says how the function is distributed.
// expected-error @+1 {{@main is not distributed}}
func.func @main(%a: tensor<6xf32>) -> tensor<6xf32> {
  return %a : tensor<6xf32>
}
