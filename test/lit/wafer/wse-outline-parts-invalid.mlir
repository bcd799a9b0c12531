// RUN: wse-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(wse-outline-parts)'

// Complex numbers stay on the CPU, but here they would have to pass by the wafer's part.
func.func @main(%x: tensor<4xf32>, %i: tensor<i64>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %ce = tensor.empty() : tensor<4xcomplex<f32>>
  // expected-error @+1 {{a value of type tensor<4xcomplex<f32>> would have to travel between the wafer and the CPU, and no array has such elements}}
  %c = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%ce : tensor<4xcomplex<f32>>) {
  ^bb0(%a: f32, %o: complex<f32>):
    %s = complex.create %a, %a : complex<f32>
    linalg.yield %s : complex<f32>
  } -> tensor<4xcomplex<f32>>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%c : tensor<4xcomplex<f32>>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: complex<f32>, %o: f32):
    %s = complex.re %a : complex<f32>
    linalg.yield %s : f32
  } -> tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%r : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = math.exp %a : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%c, %y : tensor<4xcomplex<f32>>, tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: complex<f32>, %b: f32, %o: f32):
    %s = complex.im %a : complex<f32>
    %t = arith.addf %s, %b : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  return %z : tensor<4xf32>
}

// -----

// expected-error @+1 {{@main has several blocks}}
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  cf.br ^end(%a : tensor<4xf32>)
^end(%x: tensor<4xf32>):
  return %x : tensor<4xf32>
}
