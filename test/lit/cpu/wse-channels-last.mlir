// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-channels-last),canonicalize,cse)' --split-input-file | filecheck %s

// The image is an argument and is read as it lies; the result has its channels last up to the end, where it is transposed.
// CHECK-DAG:   #[[IMAGE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d4, d1 + d5, d2 + d6)>
// CHECK-DAG:   #[[FILTER:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d3, d4, d5, d6)>
// CHECK-DAG:   #[[RESULT:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2, d3)>
// CHECK-DAG:   #[[IMAGE2:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1 * 2 + d4, d2 * 2 + d5, d6)>
// CHECK-DAG:   #[[FILTER2:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d3, d6, d4, d5)>
// CHECK-LABEL: func.func @convolutions
// CHECK-SAME:    (%[[X:.*]]: tensor<?x3x18x17xf32>, %[[F:.*]]: tensor<8x3x3x3xf32>, %[[G:.*]]: tensor<5x8x3x3xf32>)
// CHECK:         %[[A:.*]] = linalg.generic {indexing_maps = [#[[IMAGE]], #[[FILTER]], #[[RESULT]]]
// CHECK-SAME:      ins(%[[X]], %[[F]] : tensor<?x3x18x17xf32>, tensor<8x3x3x3xf32>) outs(%{{.*}} : tensor<?x16x15x8xf32>)
// CHECK:         %[[B:.*]] = linalg.generic {{.*}} ins(%[[A]] : tensor<?x16x15x8xf32>) outs(%{{.*}} : tensor<?x16x15x8xf32>)
// CHECK:           arith.maximumf
// CHECK:         %[[C:.*]] = linalg.generic {indexing_maps = [#[[IMAGE2]], #[[FILTER2]], #[[RESULT]]]
// CHECK-SAME:      ins(%[[B]], %[[G]] : tensor<?x16x15x8xf32>, tensor<5x8x3x3xf32>) outs(%{{.*}} : tensor<?x7x7x5xf32>)
// CHECK:         %[[D:.*]] = linalg.generic {{.*}} ins(%[[C]] : tensor<?x7x7x5xf32>) outs(%{{.*}} : tensor<?x5x7x7xf32>)
// CHECK:         return %[[D]]
#image = affine_map<(n, f, y, x, c, i, j) -> (n, c, y + i, x + j)>
#image2 = affine_map<(n, f, y, x, c, i, j) -> (n, c, 2 * y + i, 2 * x + j)>
#filter = affine_map<(n, f, y, x, c, i, j) -> (f, c, i, j)>
#result = affine_map<(n, f, y, x, c, i, j) -> (n, f, y, x)>
#same = affine_map<(n, f, y, x) -> (n, f, y, x)>
func.func @convolutions(%x: tensor<?x3x18x17xf32>, %f: tensor<8x3x3x3xf32>, %g: tensor<5x8x3x3xf32>) -> tensor<?x5x7x7xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x3x18x17xf32>
  %e = tensor.empty(%n) : tensor<?x8x16x15xf32>
  %zg = linalg.generic {indexing_maps = [affine_map<(n, f, y, x) -> ()>, #same], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%zero : f32) outs(%e : tensor<?x8x16x15xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<?x8x16x15xf32>
  %a = linalg.generic {indexing_maps = [#image, #filter, #result],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %f : tensor<?x3x18x17xf32>, tensor<8x3x3x3xf32>) outs(%zg : tensor<?x8x16x15xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<?x8x16x15xf32>
  %b = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%a : tensor<?x8x16x15xf32>) outs(%e : tensor<?x8x16x15xf32>) {
  ^bb0(%p: f32, %o: f32):
    %r = arith.maximumf %p, %zero : f32
    linalg.yield %r : f32
  } -> tensor<?x8x16x15xf32>
  %e2 = tensor.empty(%n) : tensor<?x5x7x7xf32>
  %z2 = linalg.generic {indexing_maps = [affine_map<(n, f, y, x) -> ()>, #same], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%zero : f32) outs(%e2 : tensor<?x5x7x7xf32>) {
  ^bb0(%p: f32, %o: f32):
    linalg.yield %p : f32
  } -> tensor<?x5x7x7xf32>
  %c = linalg.generic {indexing_maps = [#image2, #filter, #result],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%b, %g : tensor<?x8x16x15xf32>, tensor<5x8x3x3xf32>) outs(%z2 : tensor<?x5x7x7xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<?x5x7x7xf32>
  return %c : tensor<?x5x7x7xf32>
}

// -----

// A depthwise convolution reads image and filter with channels last; a pad goes along, and an index asks for the moved loop.
// CHECK-DAG:   #[[IMAGE:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0 + d3, d1 + d4, d2)>
// CHECK-DAG:   #[[FILTER:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d3, d4, d2)>
// CHECK-LABEL: func.func @depthwise
// CHECK-SAME:    (%[[X:.*]]: tensor<9x6x6xf32>, %[[F:.*]]: tensor<9x3x3xf32>
// CHECK:         %[[W:.*]] = linalg.generic {{.*}} ins(%[[F]] : tensor<9x3x3xf32>) outs(%{{.*}} : tensor<3x3x9xf32>)
// CHECK:         %[[A:.*]] = linalg.generic {{.*}} ins(%[[X]] : tensor<9x6x6xf32>) outs(%{{.*}} : tensor<6x6x9xf32>)
// CHECK:           linalg.index 2
// CHECK:         %[[P:.*]] = tensor.pad %[[A]] low[1, 0, 0] high[1, 2, 0]
// CHECK:         } : tensor<6x6x9xf32> to tensor<8x8x9xf32>
// CHECK:         linalg.generic {indexing_maps = [#[[IMAGE]], #[[FILTER]], {{.*}} ins(%[[P]], %[[W]] : tensor<8x8x9xf32>, tensor<3x3x9xf32>)
#p = affine_map<(c, y, x) -> (c, y, x)>
func.func @depthwise(%x: tensor<9x6x6xf32>, %f: tensor<9x3x3xf32>, %init: tensor<9x6x6xf32>) -> tensor<9x6x6xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<9x6x6xf32>
  %a = linalg.generic {indexing_maps = [#p, #p], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : tensor<9x6x6xf32>) outs(%e : tensor<9x6x6xf32>) {
  ^bb0(%p: f32, %o: f32):
    %c = linalg.index 0 : index
    %i = arith.index_cast %c : index to i32
    %s = arith.sitofp %i : i32 to f32
    %r = arith.mulf %p, %s : f32
    linalg.yield %r : f32
  } -> tensor<9x6x6xf32>
  %pad = tensor.pad %a low[0, 1, 0] high[0, 1, 2] {
  ^bb0(%i: index, %j: index, %k: index):
    tensor.yield %zero : f32
  } : tensor<9x6x6xf32> to tensor<9x8x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(c, y, x, i, j) -> (c, y + i, x + j)>, affine_map<(c, y, x, i, j) -> (c, i, j)>,
      affine_map<(c, y, x, i, j) -> (c, y, x)>], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%pad, %f : tensor<9x8x8xf32>, tensor<9x3x3xf32>) outs(%init : tensor<9x6x6xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<9x6x6xf32>
  return %r : tensor<9x6x6xf32>
}

// -----

// Pooling wants its image with channels last too, be it an argument. Flattening one position needs no transposition, since sizes of one take no place. Elements that a
// body picks by itself are picked from the new order.
// CHECK-LABEL: func.func @flatten
// CHECK:         %[[IMAGE:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<1x8x7x7xf32>) outs(%{{.*}} : tensor<1x7x7x8xf32>)
// CHECK:         %[[POOL:.*]] = linalg.generic {{.*}} ins(%[[IMAGE]], {{.*}} outs(%{{.*}} : tensor<1x3x3x8xf32>)
// CHECK:         %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[POOL]] : tensor<1x3x3x8xf32>) outs(%{{.*}} : tensor<1x8x1x1xf32>)
// CHECK:         tensor.collapse_shape %[[SUM]] {{\[\[}}0], [1, 2, 3]] : tensor<1x8x1x1xf32> into tensor<1x8xf32>
// CHECK:         tensor.extract %[[POOL]][%c0, %c2, %c0, %c1] : tensor<1x3x3x8xf32>
#d = affine_map<(n, c, y, x) -> (n, c, y, x)>
func.func @flatten(%x: tensor<1x8x7x7xf32>, %i: tensor<1x8x3x3xf32>, %j: tensor<1x8x1x1xf32>) -> (tensor<1x8xf32>, f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x8x3x3xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(n, c, y, x) -> ()>, #d], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%zero : f32) outs(%e : tensor<1x8x3x3xf32>) {
  ^bb0(%p: f32, %o: f32):
    linalg.yield %p : f32
  } -> tensor<1x8x3x3xf32>
  %w = tensor.empty() : tensor<3x3xf32>
  %pool = linalg.generic {indexing_maps = [affine_map<(n, c, y, x, i, j) -> (n, c, 2 * y + i, 2 * x + j)>, affine_map<(n, c, y, x, i, j) -> (i, j)>,
      affine_map<(n, c, y, x, i, j) -> (n, c, y, x)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x8x7x7xf32>, tensor<3x3xf32>) outs(%z : tensor<1x8x3x3xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.maximumf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x8x3x3xf32>
  %e1 = tensor.empty() : tensor<1x8x1x1xf32>
  %z1 = linalg.generic {indexing_maps = [affine_map<(n, c, y, x) -> ()>, #d], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%zero : f32) outs(%e1 : tensor<1x8x1x1xf32>) {
  ^bb0(%p: f32, %o: f32):
    linalg.yield %p : f32
  } -> tensor<1x8x1x1xf32>
  %sum = linalg.generic {indexing_maps = [#d, affine_map<(n, c, y, x) -> (n, c, 0, 0)>],
      iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%pool : tensor<1x8x3x3xf32>) outs(%z1 : tensor<1x8x1x1xf32>) {
  ^bb0(%p: f32, %o: f32):
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x8x1x1xf32>
  %flat = tensor.collapse_shape %sum [[0], [1, 2, 3]] : tensor<1x8x1x1xf32> into tensor<1x8xf32>
  %one = tensor.extract %pool[%c0, %c1, %c2, %c0] : tensor<1x8x3x3xf32>
  return %flat, %one : tensor<1x8xf32>, f32
}

// -----

// A function without convolution or pooling is left alone, whatever its operations would like.
// CHECK-LABEL: func.func @no_convolution
// CHECK:         linalg.generic {{.*}} ins(%arg0 : tensor<2x8x5xf32>) outs(%{{.*}} : tensor<2x5x8xf32>)
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %arg1 : tensor<2x5x8xf32>, tensor<4x8xf32>) outs(%arg2 : tensor<2x4x5xf32>)
func.func @no_convolution(%x: tensor<2x8x5xf32>, %w: tensor<4x8xf32>, %i: tensor<2x4x5xf32>) -> tensor<2x4x5xf32> {
  %e = tensor.empty() : tensor<2x5x8xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(b, l, k) -> (b, k, l)>, affine_map<(b, l, k) -> (b, l, k)>],
      iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<2x8x5xf32>) outs(%e : tensor<2x5x8xf32>) {
  ^bb0(%p: f32, %o: f32):
    %r = math.exp %p : f32
    linalg.yield %r : f32
  } -> tensor<2x5x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(b, n, l, k) -> (b, l, k)>, affine_map<(b, n, l, k) -> (n, k)>,
      affine_map<(b, n, l, k) -> (b, n, l)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%t, %w : tensor<2x5x8xf32>, tensor<4x8xf32>) outs(%i : tensor<2x4x5xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x4x5xf32>
  return %r : tensor<2x4x5xf32>
}

// -----

// A window of one that leaves positions out, alone in its function: channels fill vectors, strided positions would not.
// CHECK-DAG:   #[[IMAGE:.*]] = affine_map<(d0, d1, d2, d3) -> (d3, d0 * 2, d1 * 2)>
// CHECK-DAG:   #[[RESULT:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
// CHECK-LABEL: func.func @strided_point
// CHECK:         linalg.generic {indexing_maps = [#[[IMAGE]], #{{.*}}, #[[RESULT]]]
// CHECK-SAME:      outs(%{{.*}} : tensor<40x40x8xf32>)
func.func @strided_point(%x: tensor<4x80x80xf32> {wse.kind = "input"}, %w: tensor<8x4xf32> {wse.kind = "parameter"}) -> tensor<8x40x40xf32> {
  %e = tensor.empty() : tensor<8x40x40xf32>
  %zero = arith.constant 0.0 : f32
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x40x40xf32>) -> tensor<8x40x40xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(f, y, x, c) -> (c, y * 2, x * 2)>, affine_map<(f, y, x, c) -> (f, c)>, affine_map<(f, y, x, c) -> (f, y, x)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x80x80xf32>, tensor<8x4xf32>) outs(%z : tensor<8x40x40xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<8x40x40xf32>
  return %r : tensor<8x40x40xf32>
}

// -----

// Long rows and few products beside the elements that would be transposed: nothing changes.
// CHECK-LABEL: func.func @few_products
// CHECK:         %[[R:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<8x40x40xf32>)
// CHECK:         return %[[R]] : tensor<8x40x40xf32>
func.func @few_products(%x: tensor<4x40x40xf32> {wse.kind = "input"}, %w: tensor<8x4xf32> {wse.kind = "parameter"}) -> tensor<8x40x40xf32> {
  %e = tensor.empty() : tensor<8x40x40xf32>
  %zero = arith.constant 0.0 : f32
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x40x40xf32>) -> tensor<8x40x40xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(f, y, x, c) -> (c, y, x)>, affine_map<(f, y, x, c) -> (f, c)>, affine_map<(f, y, x, c) -> (f, y, x)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x40x40xf32>, tensor<8x4xf32>) outs(%z : tensor<8x40x40xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<8x40x40xf32>
  return %r : tensor<8x40x40xf32>
}

// -----

// Overlapping windows over many channels read the image with these innermost: it is transposed once.
// CHECK-DAG:   #[[IMAGE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0 + d3, d1 + d4, d5)>
// CHECK-LABEL: func.func @deep_image
// CHECK:         %[[T:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<12x12x16xf32>)
// CHECK:         linalg.generic {indexing_maps = [#[[IMAGE]], #{{.*}}, #{{.*}}]{{.*}} ins(%[[T]], %{{.*}} : tensor<12x12x16xf32>
func.func @deep_image(%x: tensor<16x12x12xf32> {wse.kind = "input"}, %w: tensor<8x16x2x2xf32> {wse.kind = "parameter"}) -> tensor<8x11x11xf32> {
  %e = tensor.empty() : tensor<8x11x11xf32>
  %zero = arith.constant 0.0 : f32
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x11x11xf32>) -> tensor<8x11x11xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(f, y, x, c, i, j) -> (c, y + i, x + j)>, affine_map<(f, y, x, c, i, j) -> (f, c, i, j)>, affine_map<(f, y, x, c, i, j) -> (f, y, x)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<16x12x12xf32>, tensor<8x16x2x2xf32>) outs(%z : tensor<8x11x11xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<8x11x11xf32>
  return %r : tensor<8x11x11xf32>
}
