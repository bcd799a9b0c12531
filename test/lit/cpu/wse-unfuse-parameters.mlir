// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-unfuse-parameters,wse-dce),canonicalize,cse)' --split-input-file | filecheck %s

// Scale and shift of a normalisation are computed of four vectors, once; the loop is left with a multiply-add.
// CHECK-LABEL: func.func @normalise
// CHECK:         %[[SCALE:.*]] = linalg.generic {{.*}} ins(%arg1, %arg2 : tensor<8xf32>, tensor<8xf32>) outs(%{{.*}} : tensor<8xf32>)
// CHECK:         %[[SHIFT:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<8xf32>)
// CHECK:         linalg.generic {{.*}} ins(%arg0, %[[SCALE]], %[[SHIFT]] : tensor<5x8xf32>, tensor<8xf32>, tensor<8xf32>)
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      arith.mulf
// CHECK-NEXT:      arith.addf
// CHECK-NEXT:      linalg.yield
#x = affine_map<(r, c) -> (r, c)>
#v = affine_map<(r, c) -> (c)>
func.func @normalise(%x: tensor<5x8xf32>, %g: tensor<8xf32> {wse.kind = "parameter"}, %d: tensor<8xf32> {wse.kind = "parameter"}, %m: tensor<8xf32> {wse.kind = "parameter"}, %b: tensor<8xf32> {wse.kind = "parameter"}) -> tensor<5x8xf32> {
  %e = tensor.empty() : tensor<5x8xf32>
  %y = linalg.generic {indexing_maps = [#x, #v, #v, #v, #v, #x], iterator_types = ["parallel", "parallel"]}
      ins(%x, %g, %d, %m, %b : tensor<5x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<5x8xf32>) {
  ^bb0(%in: f32, %gamma: f32, %deviation: f32, %mean: f32, %beta: f32, %out: f32):
    %scale = arith.mulf %gamma, %deviation : f32
    %0 = arith.mulf %mean, %scale : f32
    %shift = arith.subf %beta, %0 : f32
    %1 = arith.mulf %in, %scale : f32
    %2 = arith.addf %1, %shift : f32
    linalg.yield %2 : f32
  } -> tensor<5x8xf32>
  return %y : tensor<5x8xf32>
}

// -----

// An outer product of parameters is larger than they are, and what depends on an input changes: both stay in the loop.
// CHECK-LABEL: func.func @stay
// CHECK-COUNT-1: linalg.generic
// CHECK-NOT:     linalg.generic
#x = affine_map<(r, c) -> (r, c)>
#u = affine_map<(r, c) -> (r)>
#v = affine_map<(r, c) -> (c)>
func.func @stay(%x: tensor<50x80xf32>, %g: tensor<50xf32> {wse.kind = "parameter"}, %d: tensor<80xf32> {wse.kind = "parameter"}, %i: tensor<80xf32>) -> tensor<50x80xf32> {
  %e = tensor.empty() : tensor<50x80xf32>
  %y = linalg.generic {indexing_maps = [#x, #u, #v, #v, #x], iterator_types = ["parallel", "parallel"]}
      ins(%x, %g, %d, %i : tensor<50x80xf32>, tensor<50xf32>, tensor<80xf32>, tensor<80xf32>) outs(%e : tensor<50x80xf32>) {
  ^bb0(%in: f32, %p: f32, %q: f32, %r: f32, %out: f32):
    %0 = arith.mulf %p, %q : f32
    %1 = arith.mulf %q, %r : f32
    %2 = arith.mulf %in, %0 : f32
    %3 = arith.addf %2, %1 : f32
    linalg.yield %3 : f32
  } -> tensor<50x80xf32>
  return %y : tensor<50x80xf32>
}
