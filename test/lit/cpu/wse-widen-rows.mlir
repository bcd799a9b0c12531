// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-widen-rows),canonicalize,cse)' --split-input-file | filecheck %s

// Rows of f16 that many columns are computed from are converted before the product, weights in it; open sizes stay open.
// CHECK-LABEL: func.func @many
// CHECK:         %[[D:.*]] = tensor.dim %arg0
// CHECK:         tensor.empty(%[[D]]) : tensor<?x64xf32>
// CHECK:         %[[X:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<?x64xf16>)
// CHECK:         linalg.generic {{.*}} ins(%[[X]], %arg1 : tensor<?x64xf32>, tensor<256x64xf16>)
// CHECK-NEXT:    ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f16, %{{.*}}: f32):
// CHECK-NEXT:      %[[W:.*]] = arith.extf %[[B]]
// CHECK-NEXT:      arith.mulf %[[A]], %[[W]]
#a = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @many(%x: tensor<?x64xf16>, %w: tensor<256x64xf16>, %i: tensor<?x256xf32>) -> tensor<?x256xf32> {
  %y = linalg.generic {indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x64xf16>, tensor<256x64xf16>) outs(%i : tensor<?x256xf32>) {
  ^bb0(%p: f16, %q: f16, %r: f32):
    %0 = arith.extf %p : f16 to f32
    %1 = arith.extf %q : f16 to f32
    %2 = arith.mulf %0, %1 : f32
    %3 = arith.addf %2, %r : f32
    linalg.yield %3 : f32
  } -> tensor<?x256xf32>
  return %y : tensor<?x256xf32>
}

// -----

// One panel of columns reads each element once; bf16 is no conversion.
// CHECK-LABEL: func.func @few
// CHECK:         linalg.generic {{.*}} ins(%arg0, %arg1 : tensor<8x64xf16>, tensor<32x64xf16>)
// CHECK:         linalg.generic {{.*}} ins(%arg2, %arg3 : tensor<8x64xbf16>, tensor<256x64xbf16>)
// CHECK-NOT:     linalg.generic
// CHECK:         return
#a = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @few(%x: tensor<8x64xf16>, %w: tensor<32x64xf16>, %u: tensor<8x64xbf16>, %v: tensor<256x64xbf16>, %i: tensor<8x32xf32>, %j: tensor<8x256xf32>) -> (tensor<8x32xf32>, tensor<8x256xf32>) {
  %y = linalg.generic {indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<8x64xf16>, tensor<32x64xf16>) outs(%i : tensor<8x32xf32>) {
  ^bb0(%p: f16, %q: f16, %r: f32):
    %0 = arith.extf %p : f16 to f32
    %1 = arith.extf %q : f16 to f32
    %2 = arith.mulf %0, %1 : f32
    %3 = arith.addf %2, %r : f32
    linalg.yield %3 : f32
  } -> tensor<8x32xf32>
  %z = linalg.generic {indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%u, %v : tensor<8x64xbf16>, tensor<256x64xbf16>) outs(%j : tensor<8x256xf32>) {
  ^bb0(%p: bf16, %q: bf16, %r: f32):
    %0 = arith.extf %p : bf16 to f32
    %1 = arith.extf %q : bf16 to f32
    %2 = arith.mulf %0, %1 : f32
    %3 = arith.addf %2, %r : f32
    linalg.yield %3 : f32
  } -> tensor<8x256xf32>
  return %y, %z : tensor<8x32xf32>, tensor<8x256xf32>
}
