// RUN: wse-opt %s --split-input-file --wse-absorb-reshapes --canonicalize --cse | filecheck %s
// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-absorb-reshapes{plain-maps=true}),canonicalize,cse)' | filecheck %s --check-prefix=PLAIN

// The transposed keys of attention are read where they lie: dimension 1 of the columns of a projection, by heads.
// CHECK-DAG: #[[KEYS:.*]] = affine_map<(d0, d1, d2, d3) -> (d2, d0, d3)>
// CHECK-LABEL: func.func @keys_of_a_projection
// PLAIN-LABEL: func.func @keys_of_a_projection
// PLAIN-NOT: linalg.yield %{{.*}} : f32
// PLAIN: tensor.extract_slice
// PLAIN: arith.mulf
// CHECK-SAME: (%[[Q:.*]]: tensor<4x5x8xf32>, %[[P:.*]]: tensor<6x96xf32>)
// CHECK: %[[E:.*]] = tensor.expand_shape %[[P]] {{\[\[}}0], [1, 2, 3]] output_shape [6, 3, 4, 8]
// CHECK: %[[S:.*]] = tensor.extract_slice %[[E]][0, 1, 0, 0] [6, 1, 4, 8] [1, 1, 1, 1] : tensor<6x3x4x8xf32> to tensor<6x4x8xf32>
// CHECK: linalg.generic {indexing_maps = [{{.*}}, #[[KEYS]], {{.*}}]{{.*}} ins(%[[Q]], %[[S]] :
#copy = affine_map<(d0, d1, d2) -> (d1, d0, d2)>
#out = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#turn = affine_map<(d0, d1, d2) -> (d2, d0, d1)>
func.func @keys_of_a_projection(%q: tensor<4x5x8xf32>, %p: tensor<6x96xf32>) -> tensor<4x5x6xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.expand_shape %p [[0], [1, 2]] output_shape [6, 3, 32] : tensor<6x96xf32> into tensor<6x3x32xf32>
  %t0 = tensor.empty() : tensor<3x6x32xf32>
  %t = linalg.generic {indexing_maps = [#copy, #out], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%e : tensor<6x3x32xf32>) outs(%t0 : tensor<3x6x32xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<3x6x32xf32>
  %s = tensor.extract_slice %t[1, 0, 0] [1, 6, 32] [1, 1, 1] : tensor<3x6x32xf32> to tensor<6x32xf32>
  %h = tensor.expand_shape %s [[0], [1, 2]] output_shape [6, 4, 8] : tensor<6x32xf32> into tensor<6x4x8xf32>
  %k0 = tensor.empty() : tensor<4x8x6xf32>
  %k = linalg.generic {indexing_maps = [#turn, #out], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%h : tensor<6x4x8xf32>) outs(%k0 : tensor<4x8x6xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<4x8x6xf32>
  %z0 = tensor.empty() : tensor<4x5x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%z0 : tensor<4x5x6xf32>) -> tensor<4x5x6xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
    ins(%q, %k : tensor<4x5x8xf32>, tensor<4x8x6xf32>) outs(%z : tensor<4x5x6xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  } -> tensor<4x5x6xf32>
  return %r : tensor<4x5x6xf32>
}

// -----

// Heads that share keys read them by a map: the repeating copy is gone, and so is the computation that it repeated.
// With plain maps the batch is split into groups and the heads of a group.
// CHECK-DAG: #[[SHARED:.*]] = affine_map<(d0, d1, d2, d3) -> (d0 floordiv 3, d2, d3)>
// CHECK-LABEL: func.func @shared_heads
// PLAIN-NOT: floordiv
// PLAIN-DAG: #[[GROUP:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d3, d4)>
// PLAIN-LABEL: func.func @shared_heads
// PLAIN: %[[EACH:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<2x7x8xf32>)
// PLAIN: arith.mulf
// PLAIN: %[[Q:.*]] = tensor.expand_shape %arg0 {{\[\[}}0, 1], [2], [3]]
// PLAIN: linalg.generic {indexing_maps = [{{.*}}, #[[GROUP]], {{.*}}]{{.*}} ins(%[[Q]], %[[EACH]] :
// PLAIN: tensor.collapse_shape
// PLAIN-NEXT: return
// CHECK: %[[ONCE:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<2x7x8xf32>)
// CHECK: linalg.generic {indexing_maps = [{{.*}}, #[[SHARED]], {{.*}}]{{.*}} ins(%{{.*}}, %[[ONCE]] :
// CHECK-NOT: linalg.generic
func.func @shared_heads(%q: tensor<6x5x8xf32>, %x: tensor<2x7x8xf32>, %z: tensor<6x5x7xf32>) -> tensor<6x5x7xf32> {
  %t0 = tensor.empty() : tensor<2x3x7x8xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%x : tensor<2x7x8xf32>) outs(%t0 : tensor<2x3x7x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.mulf %a, %a : f32
    linalg.yield %m : f32
  } -> tensor<2x3x7x8xf32>
  %k = tensor.collapse_shape %t [[0, 1], [2], [3]] : tensor<2x3x7x8xf32> into tensor<6x7x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
    ins(%q, %k : tensor<6x5x8xf32>, tensor<6x7x8xf32>) outs(%z : tensor<6x5x7xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  } -> tensor<6x5x7xf32>
  return %r : tensor<6x5x7xf32>
}

// -----

// A constant factor of an operand of a product stays: the product of larger operands could overflow.
// CHECK-LABEL: func.func @scale
// CHECK: %[[T:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<5x8xf32>)
// CHECK: %[[P:.*]] = linalg.generic {{.*}} ins(%[[T]], %{{.*}} :
// CHECK: return %[[P]]
#id = affine_map<(d0, d1) -> (d0, d1)>
#lhs = affine_map<(d0, d1, d2) -> (d0, d2)>
#rhs = affine_map<(d0, d1, d2) -> (d2, d1)>
#res = affine_map<(d0, d1, d2) -> (d0, d1)>
func.func @scale(%q: tensor<5x8xf32>, %k: tensor<8x6xf32>) -> tensor<5x6xf32> {
  %zero = arith.constant 0.0 : f32
  %c = arith.constant 0.125 : f32
  %t0 = tensor.empty() : tensor<5x8xf32>
  %t = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%q : tensor<5x8xf32>) outs(%t0 : tensor<5x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.mulf %a, %c : f32
    linalg.yield %m : f32
  } -> tensor<5x8xf32>
  %z0 = tensor.empty() : tensor<5x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%z0 : tensor<5x6xf32>) -> tensor<5x6xf32>
  %r = linalg.generic {indexing_maps = [#lhs, #rhs, #res], iterator_types = ["parallel", "parallel", "reduction"]} ins(%t, %k : tensor<5x8xf32>, tensor<8x6xf32>) outs(%z : tensor<5x6xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %s, %m : f32
    linalg.yield %n : f32
  } -> tensor<5x6xf32>
  return %r : tensor<5x6xf32>
}

// -----

// What is only permuted is written permuted: (head, row, element) goes to (row, head, element).
// CHECK-DAG: #[[SWAPPED:.*]] = affine_map<(d0, d1, d2, d3) -> (d1, d0, d2)>
// CHECK-LABEL: func.func @heads_side_by_side
// CHECK: %[[R:.*]] = linalg.generic {indexing_maps = [{{.*}}, {{.*}}, #[[SWAPPED]]]{{.*}} outs(%{{.*}} : tensor<5x4x8xf32>)
// CHECK-NOT: linalg.generic
// CHECK: tensor.collapse_shape %[[R]]
func.func @heads_side_by_side(%p: tensor<4x5x6xf32>, %v: tensor<4x6x8xf32>) -> tensor<5x32xf32> {
  %zero = arith.constant 0.0 : f32
  %z0 = tensor.empty() : tensor<4x5x8xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> ()>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%zero : f32) outs(%z0 : tensor<4x5x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<4x5x8xf32>
  %o = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
    ins(%p, %v : tensor<4x5x6xf32>, tensor<4x6x8xf32>) outs(%z : tensor<4x5x8xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  } -> tensor<4x5x8xf32>
  %t0 = tensor.empty() : tensor<5x4x8xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1, d0, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%o : tensor<4x5x8xf32>) outs(%t0 : tensor<5x4x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<5x4x8xf32>
  %r = tensor.collapse_shape %t [[0], [1, 2]] : tensor<5x4x8xf32> into tensor<5x32xf32>
  return %r : tensor<5x32xf32>
}

// -----

// A batch of open size: (batch, heads) become two loops; the result is flattened afterwards.
// CHECK-LABEL: func.func @open_batch
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins({{.*}} : tensor<?x5x4x8xf32>, tensor<?x4x8x6xf32>)
func.func @open_batch(%q: tensor<?x5x4x8xf32>, %k: tensor<?x4x8x6xf32>, %n: index) -> tensor<?x5x6xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %b = tensor.dim %q, %c0 : tensor<?x5x4x8xf32>
  %bh = arith.muli %b, %c4 : index
  %t0 = tensor.empty(%b) : tensor<?x4x5x8xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d2, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%q : tensor<?x5x4x8xf32>) outs(%t0 : tensor<?x4x5x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<?x4x5x8xf32>
  %qc = tensor.collapse_shape %t [[0, 1], [2], [3]] : tensor<?x4x5x8xf32> into tensor<?x5x8xf32>
  %kc = tensor.collapse_shape %k [[0, 1], [2], [3]] : tensor<?x4x8x6xf32> into tensor<?x8x6xf32>
  %z0 = tensor.empty(%bh) : tensor<?x5x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%z0 : tensor<?x5x6xf32>) -> tensor<?x5x6xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
    ins(%qc, %kc : tensor<?x5x8xf32>, tensor<?x8x6xf32>) outs(%z : tensor<?x5x6xf32>) {
  ^bb0(%a: f32, %e: f32, %c: f32):
    %m = arith.mulf %a, %e : f32
    %s = arith.addf %c, %m : f32
    linalg.yield %s : f32
  } -> tensor<?x5x6xf32>
  return %r : tensor<?x5x6xf32>
}

// -----

// The columns of a product stay whole, however its weights were put together: vectors run along them.
// CHECK-LABEL: func.func @columns_stay
// CHECK: %[[T:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel"]
// CHECK: %[[W:.*]] = tensor.collapse_shape %[[T]]
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[W]] : tensor<5x8xf32>, tensor<8x12xf32>)
func.func @columns_stay(%x: tensor<5x8xf32>, %w: tensor<8x3x4xf32>, %z: tensor<5x12xf32>) -> tensor<5x12xf32> {
  %t0 = tensor.empty() : tensor<8x4x3xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%w : tensor<8x3x4xf32>) outs(%t0 : tensor<8x4x3xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<8x4x3xf32>
  %c = tensor.collapse_shape %t [[0], [1, 2]] : tensor<8x4x3xf32> into tensor<8x12xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %c : tensor<5x8xf32>, tensor<8x12xf32>) outs(%z : tensor<5x12xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %s, %m : f32
    linalg.yield %n : f32
  } -> tensor<5x12xf32>
  return %r : tensor<5x12xf32>
}

// -----

// One element of a copy, collapsed to a scalar, is read from what was copied.
// CHECK-LABEL: func.func @one_element
// CHECK-SAME: %[[X:.*]]: tensor<2x3xf32>
// CHECK-NOT: linalg.generic {{.*}} outs({{.*}} : tensor<3x2xf32>)
// CHECK: tensor.extract_slice %[[X]]
func.func @one_element(%x: tensor<2x3xf32>, %y: tensor<5xf32>) -> tensor<5xf32> {
  %t0 = tensor.empty() : tensor<3x2xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<2x3xf32>) outs(%t0 : tensor<3x2xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<3x2xf32>
  %s = tensor.extract_slice %t[2, 1] [1, 1] [1, 1] : tensor<3x2xf32> to tensor<1x1xf32>
  %c = tensor.collapse_shape %s [] : tensor<1x1xf32> into tensor<f32>
  %e = tensor.empty() : tensor<5xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%y, %c : tensor<5xf32>, tensor<f32>) outs(%e : tensor<5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<5xf32>
  return %r : tensor<5xf32>
}

// -----

// Rows of a softmax are divided after the product. Numerators are at most one, here a sixth of it and less.
// CHECK-LABEL: func.func @softmax
// CHECK-SAME: (%[[X:.*]]: tensor<5x6xf32>, %[[V:.*]]: tensor<6x8xf32>)
// CHECK: %[[E:.*]] = linalg.generic {{.*}} ins(%[[X]], %{{.*}} : tensor<5x6xf32>, tensor<5xf32>)
// CHECK:   %[[POWER:.*]] = math.exp
// CHECK:   arith.mulf %[[POWER]], %cst{{.*}}
// CHECK: %[[S:.*]] = linalg.generic {{.*}} ins(%[[E]] : tensor<5x6xf32>)
// CHECK: %[[P:.*]] = linalg.generic {{.*}} ins(%[[E]], %[[V]] :
// CHECK: linalg.generic {{.*}} ins(%[[P]], %[[S]] : tensor<5x8xf32>, tensor<5xf32>)
// CHECK:   arith.divf
// Of other quotients it is not known that the product of the numerators stays finite.
// CHECK-LABEL: func.func @quotient
// CHECK: arith.divf
// CHECK: arith.addf
#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#lhs = affine_map<(d0, d1, d2) -> (d0, d2)>
#rhs = affine_map<(d0, d1, d2) -> (d2, d1)>
#res = affine_map<(d0, d1, d2) -> (d0, d1)>
func.func @softmax(%x: tensor<5x6xf32>, %v: tensor<6x8xf32>) -> tensor<5x8xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %rows = tensor.empty() : tensor<5xf32>
  %full = tensor.empty() : tensor<5x6xf32>
  %m0 = linalg.fill ins(%low : f32) outs(%rows : tensor<5xf32>) -> tensor<5xf32>
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<5x6xf32>) outs(%m0 : tensor<5xf32>) {
  ^bb0(%a: f32, %b: f32):
    %n = arith.maximumf %a, %b : f32
    linalg.yield %n : f32
  } -> tensor<5xf32>
  %e = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %m : tensor<5x6xf32>, tensor<5xf32>) outs(%full : tensor<5x6xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %n = math.exp %d : f32
    linalg.yield %n : f32
  } -> tensor<5x6xf32>
  %s0 = linalg.fill ins(%zero : f32) outs(%rows : tensor<5xf32>) -> tensor<5xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%e : tensor<5x6xf32>) outs(%s0 : tensor<5xf32>) {
  ^bb0(%a: f32, %b: f32):
    %n = arith.addf %a, %b : f32
    linalg.yield %n : f32
  } -> tensor<5xf32>
  %y = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%e, %s : tensor<5x6xf32>, tensor<5xf32>) outs(%full : tensor<5x6xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %n = arith.divf %a, %b : f32
    linalg.yield %n : f32
  } -> tensor<5x6xf32>
  %z0 = tensor.empty() : tensor<5x8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%z0 : tensor<5x8xf32>) -> tensor<5x8xf32>
  %r = linalg.generic {indexing_maps = [#lhs, #rhs, #res], iterator_types = ["parallel", "parallel", "reduction"]} ins(%y, %v : tensor<5x6xf32>, tensor<6x8xf32>) outs(%z : tensor<5x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %n = arith.mulf %a, %b : f32
    %t = arith.addf %o, %n : f32
    linalg.yield %t : f32
  } -> tensor<5x8xf32>
  return %r : tensor<5x8xf32>
}
func.func @quotient(%x: tensor<5x6xf32>, %s: tensor<5xf32>, %v: tensor<6x8xf32>) -> tensor<5x8xf32> {
  %zero = arith.constant 0.0 : f32
  %full = tensor.empty() : tensor<5x6xf32>
  %y = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %s : tensor<5x6xf32>, tensor<5xf32>) outs(%full : tensor<5x6xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %n = arith.divf %a, %b : f32
    linalg.yield %n : f32
  } -> tensor<5x6xf32>
  %z0 = tensor.empty() : tensor<5x8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%z0 : tensor<5x8xf32>) -> tensor<5x8xf32>
  %r = linalg.generic {indexing_maps = [#lhs, #rhs, #res], iterator_types = ["parallel", "parallel", "reduction"]} ins(%y, %v : tensor<5x6xf32>, tensor<6x8xf32>) outs(%z : tensor<5x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %n = arith.mulf %a, %b : f32
    %t = arith.addf %o, %n : f32
    linalg.yield %t : f32
  } -> tensor<5x8xf32>
  return %r : tensor<5x8xf32>
}

// -----

// Two windows of a copy that skips columns: what is read by an iterator alone has as many positions as that has values.
// CHECK-DAG:   #[[EVERY:.*]] = affine_map<(d0, d1) -> (d0, d1 * 2)>
// CHECK-DAG:   #[[BELOW:.*]] = affine_map<(d0, d1) -> (d0 + 1, d1 * 2)>
// CHECK-LABEL: func.func @windows_of_a_strided_copy
// CHECK:         %[[TOP:.*]] = tensor.extract_slice %arg0[0, 0] [3, 3] [1, 1] : tensor<4x3xf64> to tensor<3x3xf64>
// CHECK:         linalg.generic {indexing_maps = [#[[EVERY]], #[[BELOW]], {{.*}} ins(%[[TOP]], %arg0 : tensor<3x3xf64>, tensor<4x3xf64>)
#every = affine_map<(d0, d1) -> (d0, d1 * 2)>
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @windows_of_a_strided_copy(%x: tensor<4x3xf64>) -> tensor<3x2xf64> {
  %e = tensor.empty() : tensor<4x2xf64>
  %copy = linalg.generic {indexing_maps = [#every, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x3xf64>) outs(%e : tensor<4x2xf64>) {
  ^bb0(%a: f64, %o: f64):
    linalg.yield %a : f64
  } -> tensor<4x2xf64>
  %top = tensor.extract_slice %copy[0, 0] [3, 2] [1, 1] : tensor<4x2xf64> to tensor<3x2xf64>
  %below = tensor.extract_slice %copy[1, 0] [3, 2] [1, 1] : tensor<4x2xf64> to tensor<3x2xf64>
  %f = tensor.empty() : tensor<3x2xf64>
  %sum = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%top, %below : tensor<3x2xf64>, tensor<3x2xf64>) outs(%f : tensor<3x2xf64>) {
  ^bb0(%a: f64, %b: f64, %o: f64):
    %s = arith.addf %a, %b : f64
    linalg.yield %s : f64
  } -> tensor<3x2xf64>
  return %sum : tensor<3x2xf64>
}
