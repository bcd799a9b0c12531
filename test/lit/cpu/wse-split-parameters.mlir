// RUN: wse-opt %s --pass-pipeline='builtin.module(wse-split-parameters,canonicalize,cse)' --split-input-file | filecheck %s

// What is computed of a parameter moves into @prepare, with the constant it needs; @main takes the result instead.
// CHECK-LABEL: func.func private @prepare(
// CHECK-SAME:      %[[W:.*]]: tensor<16x8xf32> {wse.kind = "parameter"}) -> (tensor<8x16xf32> {wse.kind = "prepared"
// CHECK:         arith.constant 2.0
// CHECK:         %[[T:.*]] = linalg.generic {{.*}} ins(%[[W]] : tensor<16x8xf32>)
// CHECK:         return %[[T]]
// CHECK-LABEL: func.func @main(
// CHECK-SAME:      %[[X:.*]]: tensor<8x16xf32> {wse.kind = "input"}, %{{.*}}: tensor<16x8xf32> {wse.kind = "parameter"}, %[[P:.*]]: tensor<8x16xf32> {wse.kind = "prepared", wse.name = "0"})
// CHECK-SAME:      attributes {wse.prepare = @prepare, wse.prepared = [tensor<8x16xf32>]}
// CHECK:         linalg.generic {{.*}} ins(%[[X]], %[[P]] :
// CHECK-NOT:     linalg.generic
#m = affine_map<(d0, d1) -> (d0, d1)>
#t = affine_map<(d0, d1) -> (d1, d0)>
func.func @main(%x: tensor<8x16xf32> {wse.kind = "input"}, %w: tensor<16x8xf32> {wse.kind = "parameter"}) -> tensor<8x16xf32> {
  %two = arith.constant 2.0 : f32
  %e = tensor.empty() : tensor<8x16xf32>
  %t = linalg.generic {indexing_maps = [#t, #m], iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<16x8xf32>) outs(%e : tensor<8x16xf32>) {
  ^bb0(%p: f32, %q: f32):
    %s = arith.mulf %p, %two : f32
    linalg.yield %s : f32
  } -> tensor<8x16xf32>
  %y = linalg.generic {indexing_maps = [#m, #m, #m], iterator_types = ["parallel", "parallel"]}
      ins(%x, %t : tensor<8x16xf32>, tensor<8x16xf32>) outs(%e : tensor<8x16xf32>) {
  ^bb0(%p: f32, %q: f32, %r: f32):
    %s = arith.addf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<8x16xf32>
  return %y : tensor<8x16xf32>
}

// -----

// A bias spread over rows is larger than the bias, and a view of a parameter costs nothing: both stay.
// CHECK-LABEL: func.func @main
// CHECK-SAME:      -> (tensor<9x16xf32>, tensor<4x4xf32>) {
// CHECK:         linalg.generic
// CHECK:         tensor.expand_shape
// CHECK-NOT:   @prepare
#b = affine_map<(d0, d1) -> (d1)>
#m = affine_map<(d0, d1) -> (d0, d1)>
func.func @main(%b: tensor<16xf32> {wse.kind = "parameter"}) -> (tensor<9x16xf32>, tensor<4x4xf32>) {
  %e = tensor.empty() : tensor<9x16xf32>
  %t = linalg.generic {indexing_maps = [#b, #m], iterator_types = ["parallel", "parallel"]}
      ins(%b : tensor<16xf32>) outs(%e : tensor<9x16xf32>) {
  ^bb0(%p: f32, %q: f32):
    linalg.yield %p : f32
  } -> tensor<9x16xf32>
  %v = tensor.expand_shape %b [[0, 1]] output_shape [4, 4] : tensor<16xf32> into tensor<4x4xf32>
  return %t, %v : tensor<9x16xf32>, tensor<4x4xf32>
}

// -----

// A state may change between calls, and an input does: nothing that depends on them is prepared.
// CHECK-LABEL: func.func @main
// CHECK-NOT:   @prepare
#i = affine_map<(d0) -> (d0)>
func.func @main(%s: tensor<4xf32> {wse.kind = "state", wse.name = "s"}, %x: tensor<4xf32> {wse.kind = "input"}) -> (tensor<4xf32>, tensor<4xf32>) {
  %e = tensor.empty() : tensor<4xf32>
  %a = linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel"]} ins(%s : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %0 = math.exp %p : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %b = linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %0 = math.exp %p : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  return %a, %b : tensor<4xf32>, tensor<4xf32>
}

// -----

// Only the small end of a chain is kept: the large tensor in between is made in @prepare and forgotten.
// CHECK-LABEL: func.func private @prepare
// CHECK-SAME:      -> (tensor<4xf32> {wse.kind = "prepared"
// CHECK-COUNT-2: linalg.generic
// CHECK-LABEL: func.func @main
// CHECK-NOT:     linalg.generic
// CHECK:         return
#o = affine_map<(d0, d1) -> (d0)>
#c = affine_map<(d0, d1) -> (d1)>
#m = affine_map<(d0, d1) -> (d0, d1)>
func.func @main(%w: tensor<4xf32> {wse.kind = "parameter"}) -> tensor<4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x4xf32>
  %outer = linalg.generic {indexing_maps = [#o, #c, #m], iterator_types = ["parallel", "parallel"]}
      ins(%w, %w : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%p: f32, %q: f32, %r: f32):
    %0 = arith.mulf %p, %q : f32
    linalg.yield %0 : f32
  } -> tensor<4x4xf32>
  %f = tensor.empty() : tensor<4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%f : tensor<4xf32>) -> tensor<4xf32>
  %sum = linalg.generic {indexing_maps = [#m, #o], iterator_types = ["parallel", "reduction"]}
      ins(%outer : tensor<4x4xf32>) outs(%z : tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %0 = arith.addf %p, %q : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  return %sum : tensor<4xf32>
}

// -----

// Tensors of indices stay: no array that is kept between calls has such elements. What is read of them may move.
// CHECK-LABEL: func.func private @prepare
// CHECK-SAME:      -> (tensor<6xi64> {wse.kind = "prepared"
// CHECK-LABEL: func.func @main
// CHECK:         tensor.generate
// CHECK:         return %{{.*}}, %{{.*}} : tensor<6xindex>, tensor<6xi64>
func.func @main() -> (tensor<6xindex>, tensor<6xi64>) {
  %indices = tensor.generate {
  ^bb0(%i: index):
    tensor.yield %i : index
  } : tensor<6xindex>
  %numbers = tensor.generate {
  ^bb0(%i: index):
    %0 = arith.index_cast %i : index to i64
    tensor.yield %0 : i64
  } : tensor<6xi64>
  return %indices, %numbers : tensor<6xindex>, tensor<6xi64>
}

// -----

// A view is not stored. Where what moves needs it as well as what stays, both functions have it.
// CHECK-LABEL: func.func private @prepare(
// CHECK-SAME:      %[[B:.*]]: tensor<1xf32> {{.*}}) -> (tensor<f32> {wse.kind = "prepared"
// CHECK:         tensor.collapse_shape %[[B]]
// CHECK:         math.exp
// CHECK-LABEL: func.func @main(
// CHECK:         tensor.collapse_shape %arg1
// CHECK-NOT:     math.exp
#e = affine_map<() -> ()>
#s = affine_map<(i) -> ()>
#d = affine_map<(i) -> (i)>
func.func @main(%x: tensor<64xf32> {wse.kind = "input"}, %b: tensor<1xf32> {wse.kind = "parameter"}) -> tensor<64xf32> {
  %v = tensor.collapse_shape %b [] : tensor<1xf32> into tensor<f32>
  %f = tensor.empty() : tensor<f32>
  %y = linalg.generic {indexing_maps = [#e, #e], iterator_types = []} ins(%v : tensor<f32>) outs(%f : tensor<f32>) {
  ^bb0(%p: f32, %q: f32):
    %0 = math.exp %p : f32
    linalg.yield %0 : f32
  } -> tensor<f32>
  %g = tensor.empty() : tensor<64xf32>
  %r = linalg.generic {indexing_maps = [#d, #s, #s, #d], iterator_types = ["parallel"]}
      ins(%x, %v, %y : tensor<64xf32>, tensor<f32>, tensor<f32>) outs(%g : tensor<64xf32>) {
  ^bb0(%p: f32, %q: f32, %z: f32, %o: f32):
    %0 = arith.mulf %p, %q : f32
    %1 = arith.addf %0, %z : f32
    linalg.yield %1 : f32
  } -> tensor<64xf32>
  return %r : tensor<64xf32>
}
