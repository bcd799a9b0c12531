// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-pack-weights{vector-bits=512}),canonicalize,cse)' --split-input-file | filecheck %s

// A parameter becomes panels of columns, padded with zeros; the iteration space of the product stays as it is.
// CHECK-DAG:   #[[READ:.*]] = affine_map<(d0, d1, d2) -> (d0 * [[W:[0-9]+]] + d2, d1)>
// CHECK-DAG:   #[[PACKED:.*]] = affine_map<(d0, d1, d2) -> (d1 floordiv [[W]], d2, d1 mod [[W]])>
// CHECK-LABEL: func.func @linear
// CHECK:         tensor.pad %arg1 low[0, 0] high[{{[0-9]+}}, 0]
// CHECK:         linalg.generic {indexing_maps = [#[[READ]],
// CHECK:         linalg.generic {indexing_maps = [#{{.*}}, #[[PACKED]], #{{.*}}], iterator_types = ["parallel", "parallel", "reduction"]} ins(%arg0, %{{.*}} : tensor<49x64xf32>, tensor<{{.*}}x64x[[W]]xf32>)
#a = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @linear(%x: tensor<49x64xf32>, %w: tensor<100x64xf32> {wse.kind = "parameter"}, %i: tensor<49x100xf32>) -> tensor<49x100xf32> {
  %y = linalg.generic {indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<49x64xf32>, tensor<100x64xf32>) outs(%i : tensor<49x100xf32>) {
  ^bb0(%p: f32, %q: f32, %r: f32):
    %0 = arith.mulf %p, %q : f32
    %1 = arith.addf %0, %r : f32
    linalg.yield %1 : f32
  } -> tensor<49x100xf32>
  return %y : tensor<49x100xf32>
}

// -----

// A convolution's weights: panels of output channels, then the window and the channels as the image has them.
// CHECK-DAG:   #[[PACKED:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d3 floordiv 32, d4, d5, d6, d3 mod 32)>
// CHECK-LABEL: func.func @convolution
// CHECK:         linalg.generic {{.*}} ins(%arg1 : tensor<32x16x3x3xf32>) outs(%{{.*}} : tensor<1x3x3x16x32xf32>)
// CHECK:         #[[PACKED]]
// CHECK-SAME:    tensor<1x3x3x16x32xf32>
#a = affine_map<(n, y, x, f, kh, kw, c) -> (n, y + kh, x + kw, c)>
#w = affine_map<(n, y, x, f, kh, kw, c) -> (f, c, kh, kw)>
#c = affine_map<(n, y, x, f, kh, kw, c) -> (n, y, x, f)>
func.func @convolution(%x: tensor<1x9x9x16xf32>, %w: tensor<32x16x3x3xf32> {wse.kind = "parameter"}, %i: tensor<1x7x7x32xf32>) -> tensor<1x7x7x32xf32> {
  %y = linalg.generic {indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x9x9x16xf32>, tensor<32x16x3x3xf32>) outs(%i : tensor<1x7x7x32xf32>) {
  ^bb0(%p: f32, %q: f32, %r: f32):
    %0 = arith.mulf %p, %q : f32
    %1 = arith.addf %0, %r : f32
    linalg.yield %1 : f32
  } -> tensor<1x7x7x32xf32>
  return %y : tensor<1x7x7x32xf32>
}

// -----

// Weights that were widened before the product are packed as narrow as they are; two readers share one copy.
// CHECK-LABEL: func.func @narrow
// CHECK:         tensor.empty() : tensor<1x64x32xbf16>
// CHECK:         linalg.generic {{.*}} ins(%arg2 : tensor<32x64xbf16>)
// CHECK-COUNT-2: linalg.generic {{.*}}tensor<1x64x32xbf16>) outs
// CHECK-NOT:     linalg.generic
#a = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#c = affine_map<(m, n, k) -> (m, n)>
#m = affine_map<(d0, d1) -> (d0, d1)>
func.func @narrow(%x: tensor<8x64xf32>, %z: tensor<8x64xf32>, %w: tensor<32x64xbf16> {wse.kind = "parameter"}, %i: tensor<8x32xf32>) -> (tensor<8x32xf32>, tensor<8x32xf32>) {
  %e = tensor.empty() : tensor<32x64xf32>
  %wide = linalg.generic {indexing_maps = [#m, #m], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<32x64xbf16>) outs(%e : tensor<32x64xf32>) {
  ^bb0(%p: bf16, %q: f32):
    %0 = arith.extf %p : bf16 to f32
    linalg.yield %0 : f32
  } -> tensor<32x64xf32>
  %y = linalg.generic {indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %wide : tensor<8x64xf32>, tensor<32x64xf32>) outs(%i : tensor<8x32xf32>) {
  ^bb0(%p: f32, %q: f32, %r: f32):
    %0 = arith.mulf %p, %q : f32
    %1 = arith.addf %0, %r : f32
    linalg.yield %1 : f32
  } -> tensor<8x32xf32>
  %v = linalg.generic {indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%z, %wide : tensor<8x64xf32>, tensor<32x64xf32>) outs(%i : tensor<8x32xf32>) {
  ^bb0(%p: f32, %q: f32, %r: f32):
    %0 = arith.mulf %p, %q : f32
    %1 = arith.addf %0, %r : f32
    linalg.yield %1 : f32
  } -> tensor<8x32xf32>
  return %y, %v : tensor<8x32xf32>, tensor<8x32xf32>
}

// -----

// Not packed at every call: what lies side by side already, and what too few rows read.
// CHECK-LABEL: func.func @activations
// CHECK-COUNT-2: linalg.generic
// CHECK-NOT:     linalg.generic
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#w = affine_map<(m, n, k) -> (n, k)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @activations(%x: tensor<49x64xf32>, %u: tensor<64x32xf32>, %i: tensor<49x32xf32>, %r: tensor<2x64xf32>, %v: tensor<32x64xf32>, %j: tensor<2x32xf32>) -> (tensor<49x32xf32>, tensor<2x32xf32>) {
  %y = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %u : tensor<49x64xf32>, tensor<64x32xf32>) outs(%i : tensor<49x32xf32>) {
  ^bb0(%p: f32, %q: f32, %s: f32):
    %0 = arith.mulf %p, %q : f32
    %1 = arith.addf %0, %s : f32
    linalg.yield %1 : f32
  } -> tensor<49x32xf32>
  %z = linalg.generic {indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%r, %v : tensor<2x64xf32>, tensor<32x64xf32>) outs(%j : tensor<2x32xf32>) {
  ^bb0(%p: f32, %q: f32, %s: f32):
    %0 = arith.mulf %p, %q : f32
    %1 = arith.addf %0, %s : f32
    linalg.yield %1 : f32
  } -> tensor<2x32xf32>
  return %y, %z : tensor<49x32xf32>, tensor<2x32xf32>
}

// -----

// Keys of attention, whose batch is open: packed once for all query rows of a head.
// CHECK-LABEL: func.func @keys
// CHECK:         %[[B:.*]] = tensor.dim %arg1, %c0
// CHECK:         tensor.empty(%[[B]]) : tensor<?x{{[0-9]+}}x24x{{[0-9]+}}xf32>
// CHECK:         tensor<?x40x24xf32>, tensor<?x{{[0-9]+}}x24x{{[0-9]+}}xf32>) outs
#a = affine_map<(b, m, n, k) -> (b, m, k)>
#w = affine_map<(b, m, n, k) -> (b, n, k)>
#c = affine_map<(b, m, n, k) -> (b, m, n)>
func.func @keys(%q: tensor<?x40x24xf32>, %k: tensor<?x48x24xf32>, %i: tensor<?x40x48xf32>) -> tensor<?x40x48xf32> {
  %y = linalg.generic {indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<?x40x24xf32>, tensor<?x48x24xf32>) outs(%i : tensor<?x40x48xf32>) {
  ^bb0(%p: f32, %r: f32, %s: f32):
    %0 = arith.mulf %p, %r : f32
    %1 = arith.addf %0, %s : f32
    linalg.yield %1 : f32
  } -> tensor<?x40x48xf32>
  return %y : tensor<?x40x48xf32>
}

// -----

// For dot products of bf16, two neighbours of the reduction lie together in a column; an odd one gets a zero. Where the
// reduction is not the left-hand side's last dimension, they do not.
// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-pack-weights{cpu=znver4}),canonicalize,cse)' --split-input-file | filecheck %s --check-prefix=DOT
// DOT:           #[[PAIRS:.*]] = affine_map<(d0, d1, d2) -> (d1 floordiv 32, d2 floordiv 2, d1 mod 32, d2 mod 2)>
// DOT-LABEL:   func.func @pairs
// DOT:           tensor.pad %arg1 low[0, 0] high[0, 1]
// DOT:           linalg.generic {indexing_maps = [#{{.*}}, #[[PAIRS]], #{{.*}}]{{.*}} ins(%arg0, %{{.*}} : tensor<49x63xbf16>, tensor<1x32x32x2xbf16>)
// DOT:           linalg.generic {{.*}} ins(%arg2, %{{.*}} : tensor<63x49xbf16>, tensor<1x63x32xbf16>)
#a = affine_map<(m, n, k) -> (m, k)>
#t = affine_map<(m, n, k) -> (k, m)>
#w = affine_map<(m, n, k) -> (n, k)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @pairs(%x: tensor<49x63xbf16>, %w: tensor<32x63xbf16> {wse.kind = "parameter"}, %u: tensor<63x49xbf16>, %i: tensor<49x32xf32>) -> (tensor<49x32xf32>, tensor<49x32xf32>) {
  %y = linalg.generic {indexing_maps = [#a, #w, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<49x63xbf16>, tensor<32x63xbf16>) outs(%i : tensor<49x32xf32>) {
  ^bb0(%p: bf16, %q: bf16, %r: f32):
    %0 = arith.extf %p : bf16 to f32
    %1 = arith.extf %q : bf16 to f32
    %2 = arith.mulf %0, %1 : f32
    %3 = arith.addf %2, %r : f32
    linalg.yield %3 : f32
  } -> tensor<49x32xf32>
  %z = linalg.generic {indexing_maps = [#t, #w, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%u, %w : tensor<63x49xbf16>, tensor<32x63xbf16>) outs(%i : tensor<49x32xf32>) {
  ^bb0(%p: bf16, %q: bf16, %r: f32):
    %0 = arith.extf %p : bf16 to f32
    %1 = arith.extf %q : bf16 to f32
    %2 = arith.mulf %0, %1 : f32
    %3 = arith.addf %2, %r : f32
    linalg.yield %3 : f32
  } -> tensor<49x32xf32>
  return %y, %z : tensor<49x32xf32>, tensor<49x32xf32>
}

// -----

// Heads of queries that share keys: these are packed once for each head of their own.
// CHECK-LABEL: func.func @shared
// CHECK: %[[P:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<2x64x16xf32>) outs(%{{.*}} : tensor<2x[[N:[0-9]+]]x16x[[W:[0-9]+]]xf32>)
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[P]] : tensor<8x32x16xf32>, tensor<2x[[N]]x16x[[W]]xf32>)
func.func @shared(%q: tensor<8x32x16xf32>, %k: tensor<2x64x16xf32>, %z: tensor<8x32x64xf32>) -> tensor<8x32x64xf32> {
  %s = linalg.generic {indexing_maps = [affine_map<(h, i, j, d) -> (h, i, d)>, affine_map<(h, i, j, d) -> (h floordiv 4, j, d)>, affine_map<(h, i, j, d) -> (h, i, j)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%q, %k : tensor<8x32x16xf32>, tensor<2x64x16xf32>) outs(%z : tensor<8x32x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  } -> tensor<8x32x64xf32>
  return %s : tensor<8x32x64xf32>
}

// -----

// Sums along the lanes of rows that lie side by side as they are, beside so few others; not packed at every call. What is
// larger than the second cache and read by many rows is, although its columns lie side by side.
// CHECK-LABEL: func.func @given
// CHECK: tensor.pad %arg3
// CHECK: %[[P:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<2048x{{.*}}xf32>)
// CHECK: linalg.generic {{.*}} ins(%arg0, %arg1 :
// CHECK: linalg.generic {{.*}} ins(%arg2, %[[P]] :
#a = affine_map<(m, n, k) -> (m, k)>
#turned = affine_map<(m, n, k) -> (n, k)>
#plain = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @given(%x: tensor<24x512xf32>, %w: tensor<512x512xf32>, %u: tensor<256x2048xf32>, %v: tensor<2048x4096xf32>, %i: tensor<24x512xf32>, %j: tensor<256x4096xf32>) -> (tensor<24x512xf32>, tensor<256x4096xf32>) {
  %y = linalg.generic {indexing_maps = [#a, #turned, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<24x512xf32>, tensor<512x512xf32>) outs(%i : tensor<24x512xf32>) {
  ^bb0(%p: f32, %q: f32, %r: f32):
    %2 = arith.mulf %p, %q : f32
    %3 = arith.addf %2, %r : f32
    linalg.yield %3 : f32
  } -> tensor<24x512xf32>
  %z = linalg.generic {indexing_maps = [#a, #plain, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%u, %v : tensor<256x2048xf32>, tensor<2048x4096xf32>) outs(%j : tensor<256x4096xf32>) {
  ^bb0(%p: f32, %q: f32, %r: f32):
    %2 = arith.mulf %p, %q : f32
    %3 = arith.addf %2, %r : f32
    linalg.yield %3 : f32
  } -> tensor<256x4096xf32>
  return %y, %z : tensor<24x512xf32>, tensor<256x4096xf32>
}
