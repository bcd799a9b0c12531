// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-winograd-convolutions{tile=2},wse-dce),canonicalize,cse)' --split-input-file | filecheck %s
// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-winograd-convolutions{cpu=x86-64-v3},wse-dce),canonicalize,cse)' --split-input-file | filecheck %s --check-prefix=MODEL

// Four positions of a tile take sixteen products instead of thirty-six; what follows is computed for each position.
// CHECK-LABEL: func.func @tiles
// CHECK:         %[[V:.*]]:16 = linalg.generic {{.*}} ins(%arg0, {{.*}} : tensor<18x18x32xf32>, {{.*}} outs({{.*}} : tensor<8x8x32xf32>
// CHECK:         %[[U:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%arg1, {{.*}}) outs({{.*}} : tensor<4x4x32x64xf32>)
// CHECK:         %[[M:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins({{.*}} : tensor<16x64x32xf32>, tensor<16x32x64xf32>) outs({{.*}} : tensor<16x64x64xf32>)
// CHECK:         %[[Y:.*]]:4 = linalg.generic {{.*}} ins({{.*}} : tensor<16x8x8x64xf32>, {{.*}}, tensor<64xf32>) outs(
// CHECK-COUNT-4:   math.exp
// CHECK:         tensor.insert_slice %[[Y]]#0 into %{{.*}}[0, 0, 0] [8, 8, 64] [2, 2, 1]
// CHECK:         tensor.insert_slice %[[Y]]#3 into %{{.*}}[1, 1, 0] [8, 8, 64] [2, 2, 1]
// CHECK-NOT:     linalg.generic
// The model of a processor takes tiles of four by four positions.
// MODEL-LABEL: func.func @tiles
// MODEL:         :36 = linalg.generic
#i = affine_map<(y, x, f, c, i, j) -> (y + i, x + j, c)>
#w = affine_map<(y, x, f, c, i, j) -> (f, c, i, j)>
#r = affine_map<(y, x, f, c, i, j) -> (y, x, f)>
#s = affine_map<(y, x, f) -> ()>
#b = affine_map<(y, x, f) -> (f)>
#d = affine_map<(y, x, f) -> (y, x, f)>
func.func @tiles(%x: tensor<18x18x32xf32>, %w: tensor<64x32x3x3xf32> {wse.kind = "parameter"}, %b: tensor<64xf32>) -> tensor<16x16x64xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<16x16x64xf32>
  %z = linalg.generic {indexing_maps = [#s, #d], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zero : f32) outs(%e : tensor<16x16x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<16x16x64xf32>
  %y = linalg.generic {indexing_maps = [#i, #w, #r], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<18x18x32xf32>, tensor<64x32x3x3xf32>) outs(%z : tensor<16x16x64xf32>) {
  ^bb0(%a: f32, %k: f32, %o: f32):
    %p = arith.mulf %a, %k : f32
    %t = arith.addf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<16x16x64xf32>
  %g = linalg.generic {indexing_maps = [#d, #b, #d], iterator_types = ["parallel", "parallel", "parallel"]} ins(%y, %b : tensor<16x16x64xf32>, tensor<64xf32>) outs(%e : tensor<16x16x64xf32>) {
  ^bb0(%a: f32, %k: f32, %o: f32):
    %t = arith.addf %a, %k : f32
    %u = math.exp %t : f32
    linalg.yield %u : f32
  } -> tensor<16x16x64xf32>
  return %g : tensor<16x16x64xf32>
}

// -----

// Seven positions are four tiles: zeros fill the image, and what the last tiles have too much is cut off.
// CHECK-LABEL: func.func @odd
// CHECK:         tensor.pad %arg0 low[0, 0, 0] high[1, 1, 0]
// CHECK:         %[[Y:.*]] = tensor.extract_slice %{{.*}}[0, 0, 0] [7, 7, 16] [1, 1, 1] : tensor<8x8x16xf32> to tensor<7x7x16xf32>
// CHECK:         return %[[Y]]
// MODEL-LABEL: func.func @odd
#i = affine_map<(y, x, f, c, i, j) -> (y + i, x + j, c)>
#w = affine_map<(y, x, f, c, i, j) -> (f, c, i, j)>
#r = affine_map<(y, x, f, c, i, j) -> (y, x, f)>
func.func @odd(%x: tensor<9x9x16xf32>, %w: tensor<16x16x3x3xf32> {wse.kind = "parameter"}) -> tensor<7x7x16xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<7x7x16xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<7x7x16xf32>) -> tensor<7x7x16xf32>
  %y = linalg.generic {indexing_maps = [#i, #w, #r], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<9x9x16xf32>, tensor<16x16x3x3xf32>) outs(%z : tensor<7x7x16xf32>) {
  ^bb0(%a: f32, %k: f32, %o: f32):
    %p = arith.mulf %a, %k : f32
    %t = arith.addf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<7x7x16xf32>
  return %y : tensor<7x7x16xf32>
}

// -----

// A step of two leaves no element to two tiles that both would need: nothing changes, whatever the tile.
// CHECK-LABEL: func.func @strided
// CHECK-NOT:     :16 = linalg.generic
// CHECK:         return
// MODEL-LABEL: func.func @strided
#i = affine_map<(y, x, f, c, i, j) -> (y * 2 + i, x * 2 + j, c)>
#w = affine_map<(y, x, f, c, i, j) -> (f, c, i, j)>
#r = affine_map<(y, x, f, c, i, j) -> (y, x, f)>
func.func @strided(%x: tensor<17x17x32xf32>, %w: tensor<32x32x3x3xf32> {wse.kind = "parameter"}, %z: tensor<8x8x32xf32>) -> tensor<8x8x32xf32> {
  %y = linalg.generic {indexing_maps = [#i, #w, #r], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<17x17x32xf32>, tensor<32x32x3x3xf32>) outs(%z : tensor<8x8x32xf32>) {
  ^bb0(%a: f32, %k: f32, %o: f32):
    %p = arith.mulf %a, %k : f32
    %t = arith.addf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<8x8x32xf32>
  return %y : tensor<8x8x32xf32>
}

// -----

// Filters that are no parameter would be transformed at every call.
// CHECK-LABEL: func.func @activations
// CHECK-NOT:     :16 = linalg.generic
// CHECK:         return
// MODEL-LABEL: func.func @activations
#i = affine_map<(y, x, f, c, i, j) -> (y + i, x + j, c)>
#w = affine_map<(y, x, f, c, i, j) -> (f, c, i, j)>
#r = affine_map<(y, x, f, c, i, j) -> (y, x, f)>
func.func @activations(%x: tensor<18x18x32xf32>, %w: tensor<64x32x3x3xf32>, %z: tensor<16x16x64xf32>) -> tensor<16x16x64xf32> {
  %y = linalg.generic {indexing_maps = [#i, #w, #r], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<18x18x32xf32>, tensor<64x32x3x3xf32>) outs(%z : tensor<16x16x64xf32>) {
  ^bb0(%a: f32, %k: f32, %o: f32):
    %p = arith.mulf %a, %k : f32
    %t = arith.addf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<16x16x64xf32>
  return %y : tensor<16x16x64xf32>
}

// -----

// f64 stays as exact as it was.
// CHECK-LABEL: func.func @double
// CHECK-NOT:     :16 = linalg.generic
// CHECK:         return
// MODEL-LABEL: func.func @double
#i = affine_map<(y, x, f, c, i, j) -> (y + i, x + j, c)>
#w = affine_map<(y, x, f, c, i, j) -> (f, c, i, j)>
#r = affine_map<(y, x, f, c, i, j) -> (y, x, f)>
func.func @double(%x: tensor<18x18x32xf64>, %w: tensor<64x32x3x3xf64> {wse.kind = "parameter"}, %z: tensor<16x16x64xf64>) -> tensor<16x16x64xf64> {
  %y = linalg.generic {indexing_maps = [#i, #w, #r], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<18x18x32xf64>, tensor<64x32x3x3xf64>) outs(%z : tensor<16x16x64xf64>) {
  ^bb0(%a: f64, %k: f64, %o: f64):
    %p = arith.mulf %a, %k : f64
    %t = arith.addf %o, %p : f64
    linalg.yield %t : f64
  } -> tensor<16x16x64xf64>
  return %y : tensor<16x16x64xf64>
}

// -----

// With few channels the transforms cost more than they save.
// CHECK-LABEL: func.func @narrow
// MODEL-LABEL: func.func @narrow
// MODEL-NOT:     :36 = linalg.generic
// MODEL:         return
#i = affine_map<(y, x, f, c, i, j) -> (y + i, x + j, c)>
#w = affine_map<(y, x, f, c, i, j) -> (f, c, i, j)>
#r = affine_map<(y, x, f, c, i, j) -> (y, x, f)>
func.func @narrow(%x: tensor<18x18x3xf32>, %w: tensor<64x3x3x3xf32> {wse.kind = "parameter"}, %z: tensor<16x16x64xf32>) -> tensor<16x16x64xf32> {
  %y = linalg.generic {indexing_maps = [#i, #w, #r], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<18x18x3xf32>, tensor<64x3x3x3xf32>) outs(%z : tensor<16x16x64xf32>) {
  ^bb0(%a: f32, %k: f32, %o: f32):
    %p = arith.mulf %a, %k : f32
    %t = arith.addf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<16x16x64xf32>
  return %y : tensor<16x16x64xf32>
}

// -----

// Filters of five by five taps, tiles of two by two: thirty-six products instead of a hundred.
// CHECK-LABEL: func.func @five
// CHECK:         :36 = linalg.generic {{.*}} ins(%arg0, {{.*}} : tensor<20x20x32xf32>, {{.*}} outs({{.*}} : tensor<8x8x32xf32>
// CHECK:         linalg.generic {{.*}} outs({{.*}} : tensor<6x6x32x64xf32>)
// CHECK:         :4 = linalg.generic {{.*}} ins({{.*}} : tensor<36x8x8x64xf32>
// MODEL-LABEL: func.func @five
// MODEL:         :36 = linalg.generic
#i = affine_map<(y, x, f, c, i, j) -> (y + i, x + j, c)>
#w = affine_map<(y, x, f, c, i, j) -> (f, c, i, j)>
#r = affine_map<(y, x, f, c, i, j) -> (y, x, f)>
func.func @five(%x: tensor<20x20x32xf32>, %w: tensor<64x32x5x5xf32> {wse.kind = "parameter"}) -> tensor<16x16x64xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<16x16x64xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<16x16x64xf32>) -> tensor<16x16x64xf32>
  %y = linalg.generic {indexing_maps = [#i, #w, #r], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<20x20x32xf32>, tensor<64x32x5x5xf32>) outs(%z : tensor<16x16x64xf32>) {
  ^bb0(%a: f32, %k: f32, %o: f32):
    %p = arith.mulf %a, %k : f32
    %t = arith.addf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<16x16x64xf32>
  return %y : tensor<16x16x64xf32>
}

// -----

// A filter of three by five taps is left alone.
// CHECK-LABEL: func.func @oblong
// CHECK-NOT:     :36 = linalg.generic
// CHECK:         return
// MODEL-LABEL: func.func @oblong
#i = affine_map<(y, x, f, c, i, j) -> (y + i, x + j, c)>
#w = affine_map<(y, x, f, c, i, j) -> (f, c, i, j)>
#r = affine_map<(y, x, f, c, i, j) -> (y, x, f)>
func.func @oblong(%x: tensor<18x20x32xf32>, %w: tensor<64x32x3x5xf32> {wse.kind = "parameter"}, %z: tensor<16x16x64xf32>) -> tensor<16x16x64xf32> {
  %y = linalg.generic {indexing_maps = [#i, #w, #r], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<18x20x32xf32>, tensor<64x32x3x5xf32>) outs(%z : tensor<16x16x64xf32>) {
  ^bb0(%a: f32, %k: f32, %o: f32):
    %p = arith.mulf %a, %k : f32
    %t = arith.addf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<16x16x64xf32>
  return %y : tensor<16x16x64xf32>
}
