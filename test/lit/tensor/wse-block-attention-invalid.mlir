// RUN: wse-opt %s --split-input-file --verify-diagnostics --wse-block-attention

#qd = affine_map<(q, k, d) -> (q, d)>
#kd = affine_map<(q, k, d) -> (k, d)>
#qk = affine_map<(q, k, d) -> (q, k)>
#all = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
#weights = affine_map<(q, d, k) -> (q, k)>
#values = affine_map<(q, d, k) -> (k, d)>
#mixed = affine_map<(q, d, k) -> (q, d)>

func.func @no_number(%q: tensor<6x4xf32>, %k: tensor<8x4xf32>, %v: tensor<8x5xf32>) -> (tensor<6x5xf32>, tensor<6xf32>) {
  %zs = arith.constant dense<0.0> : tensor<6x8xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<6x4xf32>, tensor<8x4xf32>) outs(%zs : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x8xf32>
  %low = arith.constant dense<0xFF800000> : tensor<6xf32>
  // expected-error @below {{wse.keys = "some" is no number of keys}}
  %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"], wse.keys = "some"}
      ins(%s : tensor<6x8xf32>) outs(%low : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.maximumf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %es = tensor.empty() : tensor<6x8xf32>
  %e = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<6x8xf32>, tensor<6xf32>) outs(%es : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<6x8xf32>
  %zl = arith.constant dense<0.0> : tensor<6xf32>
  %l = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<6x8xf32>) outs(%zl : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.addf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %zo = arith.constant dense<0.0> : tensor<6x5xf32>
  %o = linalg.generic {indexing_maps = [#weights, #values, #mixed], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%e, %v : tensor<6x8xf32>, tensor<8x5xf32>) outs(%zo : tensor<6x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %c, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x5xf32>
  return %o, %l : tensor<6x5xf32>, tensor<6xf32>
}
