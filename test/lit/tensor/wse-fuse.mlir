// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-fuse),canonicalize,cse)' | filecheck %s
// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-fuse{contraction-ops=2}))' | filecheck %s --check-prefix=CONTRACT
// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-fuse{recompute-inputs=1},wse-dce),canonicalize,cse)' | filecheck %s --check-prefix=ONCE
// RUN: wse-opt %s --split-input-file --mlir-print-debuginfo --mlir-print-local-scope --wse-fuse | filecheck %s --check-prefix=LOC

#id = affine_map<(d0, d1) -> (d0, d1)>
#swap = affine_map<(d0, d1) -> (d1, d0)>
#row = affine_map<(d0, d1) -> (d0)>
#column = affine_map<(d0, d1) -> (d1)>

// A chain becomes one operation: the fill a scalar, the broadcast a map, the transposed read a transposed map; the
// location names both operations.
// CHECK: #[[SWAP:.*]] = affine_map<(d0, d1) -> (d1, d0)>
// CHECK: #[[COLUMN:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK: #[[ID:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func.func @chain
// CHECK: %[[TWO:.*]] = arith.constant 2.0
// CHECK: %[[E:.*]] = tensor.empty() : tensor<4x8xf32>
// CHECK-NEXT: linalg.generic {indexing_maps = [#[[SWAP]], #[[COLUMN]], #[[ID]]]
// CHECK-SAME: ins(%arg0, %arg1 : tensor<8x4xf32>, tensor<8xf32>) outs(%[[E]]
// CHECK-NEXT: ^bb0(%[[X:.*]]: f32, %[[B:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[EXP:.*]] = math.exp %[[X]]
// CHECK-NEXT: %[[M:.*]] = arith.mulf %[[EXP]], %[[TWO]]
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[M]], %[[B]]
// CHECK-NEXT: linalg.yield %[[S]]
// CHECK-NOT: linalg.generic
// CHECK: return
// LOC: loc(fused["{{.*}}", "exp"])
func.func @chain(%x: tensor<8x4xf32>, %b: tensor<8xf32>) -> tensor<4x8xf32> {
  %two = arith.constant 2.0 : f32
  %e0 = tensor.empty() : tensor<8x4xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %fill = linalg.fill ins(%two : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x4xf32>) outs(%e0 : tensor<8x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.exp %in : f32
    linalg.yield %v : f32
  } -> tensor<8x4xf32> loc("exp")
  %1 = linalg.generic {indexing_maps = [#column, #id], iterator_types = ["parallel", "parallel"]} ins(%b : tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<4x8xf32> loc("add")
  %2 = linalg.generic {indexing_maps = [#swap, #id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%0, %fill, %1 : tensor<8x4xf32>, tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %s: f32, %c: f32, %out: f32):
    %m = arith.mulf %a, %s : f32
    %v = arith.addf %m, %c : f32
    linalg.yield %v : f32
  } -> tensor<4x8xf32> loc("add")
  return %2 : tensor<4x8xf32>
}

// An elementwise operation into a reduction over its second loop, with dynamic sizes: only maps are needed.
// CHECK-LABEL: func.func @into_reduction
// CHECK: linalg.generic {{.*}}["parallel", "reduction"]} ins(%arg0 : tensor<?x?xf32>) outs(%arg1 : tensor<?xf32>)
// CHECK: math.exp
// CHECK: arith.addf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @into_reduction(%x: tensor<?x?xf32>, %init: tensor<?xf32>) -> tensor<?xf32> {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?x?xf32>) outs(%x : tensor<?x?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.exp %in : f32
    linalg.yield %v : f32
  } -> tensor<?x?xf32>
  %1 = linalg.generic {indexing_maps = [#swap, #row], iterator_types = ["parallel", "reduction"]} ins(%0 : tensor<?x?xf32>) outs(%init : tensor<?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.addf %in, %out : f32
    linalg.yield %v : f32
  } -> tensor<?xf32>
  return %1 : tensor<?xf32>
}

// Not the other way round: a reduction's value is complete only after its loops.
// CHECK-LABEL: func.func @reduction_stays
// CHECK: linalg.generic {{.*}}["parallel", "reduction"]
// CHECK: linalg.generic {{.*}}["parallel"]
func.func @reduction_stays(%x: tensor<4x8xf32>, %init: tensor<4xf32>) -> tensor<4xf32> {
  %0 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x8xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.addf %in, %out : f32
    linalg.yield %v : f32
  } -> tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%0 : tensor<4xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.negf %in : f32
    linalg.yield %v : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// linalg.index of a transposed producer counts the consumer's other loop.
// CHECK-LABEL: func.func @index
// CHECK: linalg.index 1 : index
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @index(%e: tensor<4x8xi64>, %o: tensor<8x4xi64>) -> tensor<8x4xi64> {
  %0 = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<4x8xi64>) {
  ^bb0(%out: i64):
    %i = linalg.index 0 : index
    %v = arith.index_cast %i : index to i64
    linalg.yield %v : i64
  } -> tensor<4x8xi64>
  %1 = linalg.generic {indexing_maps = [#swap, #id], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<4x8xi64>) outs(%o : tensor<8x4xi64>) {
  ^bb0(%in: i64, %out: i64):
    %v = arith.addi %in, %in : i64
    linalg.yield %v : i64
  } -> tensor<8x4xi64>
  return %1 : tensor<8x4xi64>
}

// -----

#left = affine_map<(d0, d1, d2) -> (d0, d2)>
#right = affine_map<(d0, d1, d2) -> (d2, d1)>
#out = affine_map<(d0, d1, d2) -> (d0, d1)>
#id = affine_map<(d0, d1) -> (d0, d1)>
#swap = affine_map<(d0, d1) -> (d1, d0)>

// A contraction evaluates its operands many times: a transpose is folded into its map, arithmetic only when the
// option allows it.
// CHECK: #[[TRANSPOSED:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-LABEL: func.func @contraction
// CHECK: %[[SCALED:.*]] = linalg.generic
// CHECK: arith.mulf
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[TRANSPOSED]], #{{.*}}], {{.*}}} ins(%[[SCALED]], %arg1 :
// CHECK-NOT: linalg.generic
// CHECK: return
// CONTRACT-LABEL: func.func @contraction
// CONTRACT: linalg.generic {{.*}}"reduction"]} ins(%arg0, %arg1 :
// CONTRACT-NOT: linalg.generic
// CONTRACT: return
func.func @contraction(%a: tensor<4x8xf32>, %bt: tensor<16x8xf32>, %c: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %k = arith.constant 0.125 : f32
  %e = tensor.empty() : tensor<8x16xf32>
  %f = tensor.empty() : tensor<4x8xf32>
  %b = linalg.generic {indexing_maps = [#swap, #id], iterator_types = ["parallel", "parallel"]} ins(%bt : tensor<16x8xf32>) outs(%e : tensor<8x16xf32>) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %in : f32
  } -> tensor<8x16xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<4x8xf32>) outs(%f : tensor<4x8xf32>) {
  ^bb0(%in: f32, %o: f32):
    %v = arith.mulf %in, %k : f32
    linalg.yield %v : f32
  } -> tensor<4x8xf32>
  %0 = linalg.generic {indexing_maps = [#left, #right, #out], iterator_types = ["parallel", "parallel", "reduction"]} ins(%s, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%c : tensor<4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %m = arith.mulf %x, %y : f32
    %v = arith.addf %z, %m : f32
    linalg.yield %v : f32
  } -> tensor<4x16xf32>
  return %0 : tensor<4x16xf32>
}

// -----

#v = affine_map<(d0) -> (d0)>
#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// Evaluating one addition for each of two users is cheaper than a tensor in memory.
// CHECK-LABEL: func.func @cheap_twice
// CHECK-COUNT-2: linalg.generic {{.*}} ins(%arg0 : tensor<4xf32>)
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @cheap_twice(%x: tensor<4xf32>, %i: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = linalg.generic {indexing_maps = [#v, #v], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %a = arith.addf %in, %in : f32
    linalg.yield %a : f32
  } -> tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#v, #v], iterator_types = ["parallel"]} ins(%0 : tensor<4xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %a = math.exp %in : f32
    linalg.yield %a : f32
  } -> tensor<4xf32>
  %2 = linalg.generic {indexing_maps = [#v, #v], iterator_types = ["parallel"]} ins(%0 : tensor<4xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %a = math.tanh %in : f32
    linalg.yield %a : f32
  } -> tensor<4xf32>
  return %1, %2 : tensor<4xf32>, tensor<4xf32>
}

// Of two tensors the sum is a tensor in memory where no more than one shall be read again: its first user yields it.
// CHECK-LABEL: func.func @sum_twice
// CHECK-COUNT-2: linalg.generic {{.*}} ins(%arg0, %arg1 : tensor<4xf32>, tensor<4xf32>)
// CHECK-NOT: linalg.generic
// CHECK: return
// ONCE-LABEL: func.func @sum_twice
// ONCE: %[[BOTH:.*]]:2 = linalg.generic {{.*}} ins(%arg0, %arg1 : tensor<4xf32>, tensor<4xf32>)
// ONCE: linalg.generic {{.*}} ins(%[[BOTH]]#1 : tensor<4xf32>)
// ONCE-NOT: linalg.generic
// ONCE: return
func.func @sum_twice(%x: tensor<4xf32>, %y: tensor<4xf32>, %i: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = linalg.generic {indexing_maps = [#v, #v, #v], iterator_types = ["parallel"]} ins(%x, %y : tensor<4xf32>, tensor<4xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#v, #v], iterator_types = ["parallel"]} ins(%0 : tensor<4xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %a = math.exp %in : f32
    linalg.yield %a : f32
  } -> tensor<4xf32>
  %2 = linalg.generic {indexing_maps = [#v, #v], iterator_types = ["parallel"]} ins(%0 : tensor<4xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %a = math.tanh %in : f32
    linalg.yield %a : f32
  } -> tensor<4xf32>
  return %1, %2 : tensor<4xf32>, tensor<4xf32>
}

// An exponential with a second user is not evaluated twice; the first user yields it as a second result.
// CHECK-LABEL: func.func @second_result
// CHECK: %[[BOTH:.*]]:2 = linalg.generic
// CHECK: %[[EXP:.*]] = math.exp
// CHECK: %[[SUM:.*]] = arith.addf
// CHECK: linalg.yield %[[SUM]], %[[EXP]]
// CHECK-NOT: linalg.generic
// CHECK: return %[[BOTH]]#0, %[[BOTH]]#1
func.func @second_result(%x: tensor<4xf32>, %i: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = linalg.generic {indexing_maps = [#v, #v], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %a = math.exp %in : f32
    linalg.yield %a : f32
  } -> tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#v, #v], iterator_types = ["parallel"]} ins(%0 : tensor<4xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %a = arith.addf %in, %in : f32
    linalg.yield %a : f32
  } -> tensor<4xf32>
  return %1, %0 : tensor<4xf32>, tensor<4xf32>
}

// A reduction cannot yield it, as its loops are not those of the exponential's result alone: both stay.
// CHECK-LABEL: func.func @expensive_shared
// CHECK-COUNT-2: linalg.generic
func.func @expensive_shared(%x: tensor<4x8xf32>, %i: tensor<4xf32>) -> (tensor<4xf32>, tensor<4x8xf32>) {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%x : tensor<4x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %a = math.exp %in : f32
    linalg.yield %a : f32
  } -> tensor<4x8xf32>
  %1 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%0 : tensor<4x8xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %a = arith.addf %in, %out : f32
    linalg.yield %a : f32
  } -> tensor<4xf32>
  return %1, %0 : tensor<4xf32>, tensor<4x8xf32>
}

// A reciprocal root of each row is not evaluated again for each of the row's elements.
// CHECK-LABEL: func.func @expensive_broadcast
// CHECK: math.rsqrt
// CHECK: linalg.generic
// CHECK: arith.mulf
func.func @expensive_broadcast(%x: tensor<4x8xf32>, %i: tensor<4xf32>) -> tensor<4x8xf32> {
  %0 = linalg.generic {indexing_maps = [#v, #v], iterator_types = ["parallel"]} ins(%i : tensor<4xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %a = math.rsqrt %in : f32
    linalg.yield %a : f32
  } -> tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %0 : tensor<4x8xf32>, tensor<4xf32>) outs(%x : tensor<4x8xf32>) {
  ^bb0(%in: f32, %r: f32, %out: f32):
    %a = arith.mulf %in, %r : f32
    linalg.yield %a : f32
  } -> tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#column = affine_map<(d0, d1) -> (d1)>

// Only the broadcast knows how long the reduced loop is; folding it would leave the loop without a trip count.
// CHECK-LABEL: func.func @trip_count
// CHECK: linalg.generic {{.*}}["parallel", "parallel"]
// CHECK: linalg.generic {{.*}}["parallel", "reduction"]
func.func @trip_count(%v: tensor<4xf32>, %i: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %0 = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]} ins(%v : tensor<4xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<4x8xf32>
  %1 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%0 : tensor<4x8xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %a = arith.addf %in, %out : f32
    linalg.yield %a : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// Equal inputs are merged, unread ones dropped, and an init that is not read becomes empty.
// CHECK-LABEL: func.func @operands
// CHECK: %[[E:.*]] = tensor.empty() : tensor<4x8xf32>
// CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<4x8xf32>) outs(%[[E]] : tensor<4x8xf32>)
func.func @operands(%x: tensor<4x8xf32>, %unread: tensor<4x8xf32>, %old: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %unread, %x : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) outs(%old : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %out: f32):
    %s = arith.mulf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// A producer in the body of a loop is fused there, and not with what is outside of it.
// CHECK-LABEL: func.func @in_loop
// CHECK: scf.for
// CHECK: linalg.generic
// CHECK: math.exp
// CHECK-NEXT: arith.negf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @in_loop(%x: tensor<4x8xf32>, %n: index) -> tensor<4x8xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %r = scf.for %i = %zero to %n step %one iter_args(%acc = %x) -> (tensor<4x8xf32>) {
    %e = tensor.empty() : tensor<4x8xf32>
    %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%acc : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %v = math.exp %in : f32
      linalg.yield %v : f32
    } -> tensor<4x8xf32>
    %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %v = arith.negf %in : f32
      linalg.yield %v : f32
    } -> tensor<4x8xf32>
    scf.yield %1 : tensor<4x8xf32>
  }
  return %r : tensor<4x8xf32>
}

// -----

#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#keep = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
#id = affine_map<(d0, d1) -> (d0, d1)>

// A dimension of size one that a reshape adds is only a change of map: the exponential behind it is fused.
// CHECK: #[[ROWS:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: func.func @unit_reshape
// CHECK-NOT: tensor.expand_shape
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[ROWS]], #{{.*}}]
// CHECK: math.absf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @unit_reshape(%x: tensor<2x4x8xf32>, %y: tensor<2x4xf32>) -> tensor<2x4x8xf32> {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%y : tensor<2x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.absf %in : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %1 = tensor.expand_shape %0 [[0], [1, 2]] output_shape [2, 4, 1] : tensor<2x4xf32> into tensor<2x4x1xf32>
  %2 = linalg.generic {indexing_maps = [#id3, #keep, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %1 : tensor<2x4x8xf32>, tensor<2x4x1xf32>) outs(%x : tensor<2x4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %v = arith.subf %a, %b : f32
    linalg.yield %v : f32
  } -> tensor<2x4x8xf32>
  return %2 : tensor<2x4x8xf32>
}

// Two elementwise operations with reshapes around the second: it moves to the space of the first, the reshapes cancel.
// CHECK-LABEL: func.func @reshape_moves
// CHECK-NOT: shape %
// CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<8x16xf32>)
// CHECK: math.absf
// CHECK-NEXT: math.tanh
// CHECK-NOT: shape %
// CHECK: return
func.func @reshape_moves(%x: tensor<8x16xf32>, %e: tensor<2x4x16xf32>) -> tensor<8x16xf32> {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x16xf32>) outs(%x : tensor<8x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.absf %in : f32
    linalg.yield %v : f32
  } -> tensor<8x16xf32>
  %1 = tensor.expand_shape %0 [[0, 1], [2]] output_shape [2, 4, 16] : tensor<8x16xf32> into tensor<2x4x16xf32>
  %2 = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%1 : tensor<2x4x16xf32>) outs(%e : tensor<2x4x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.tanh %in : f32
    linalg.yield %v : f32
  } -> tensor<2x4x16xf32>
  %3 = tensor.collapse_shape %2 [[0, 1], [2]] : tensor<2x4x16xf32> into tensor<8x16xf32>
  return %3 : tensor<8x16xf32>
}

// With a reduction over the second one's result, moving would cut that off instead; so would a transposed write.
// CHECK-LABEL: func.func @reshape_stays
// CHECK-COUNT-2: tensor.expand_shape
func.func @reshape_stays(%x: tensor<8x16xf32>, %e: tensor<2x4x16xf32>, %r: tensor<2x4xf32>, %t: tensor<2x16x4xf32>) -> (tensor<2x4xf32>, tensor<2x16x4xf32>) {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x16xf32>) outs(%x : tensor<8x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.exp %in : f32
    linalg.yield %v : f32
  } -> tensor<8x16xf32>
  %1 = tensor.expand_shape %0 [[0, 1], [2]] output_shape [2, 4, 16] : tensor<8x16xf32> into tensor<2x4x16xf32>
  %2 = linalg.generic {indexing_maps = [#id3, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%1 : tensor<2x4x16xf32>) outs(%r : tensor<2x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.addf %in, %out : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x16xf32>) outs(%x : tensor<8x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.tanh %in : f32
    linalg.yield %v : f32
  } -> tensor<8x16xf32>
  %4 = tensor.expand_shape %3 [[0, 1], [2]] output_shape [2, 4, 16] : tensor<8x16xf32> into tensor<2x4x16xf32>
  %5 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2, d1)>, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%4 : tensor<2x4x16xf32>) outs(%t : tensor<2x16x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<2x16x4xf32>
  return %2, %5 : tensor<2x4xf32>, tensor<2x16x4xf32>
}

// A reshape that splits a real dimension is no change of map.
// CHECK-LABEL: func.func @real_reshape
// CHECK: tensor.expand_shape
func.func @real_reshape(%x: tensor<8xf32>, %e: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %0 = tensor.expand_shape %x [[0, 1]] output_shape [2, 4] : tensor<8xf32> into tensor<2x4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a: f32, %out: f32):
    %v = math.exp %a : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}

// A bias added to a contraction's result stays one operation, although cheap: tiling fuses it into the contraction.
// CHECK-LABEL: func.func @epilogue
// CHECK: linalg.generic {{.*}}"reduction"]
// CHECK: linalg.generic
// CHECK-NOT: math
// CHECK: arith.addf
// CHECK-COUNT-2: linalg.generic
func.func @epilogue(%x: tensor<4x8xf32>, %i: tensor<4xf32>, %b: tensor<4xf32>) -> (tensor<4xf32>, tensor<4x8xf32>) {
  %m = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x8xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.addf %in, %out : f32
    linalg.yield %v : f32
  } -> tensor<4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%m, %b : tensor<4xf32>, tensor<4xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %v = arith.addf %in, %bias : f32
    linalg.yield %v : f32
  } -> tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x, %0 : tensor<4x8xf32>, tensor<4xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%in: f32, %s: f32, %out: f32):
    %d = arith.subf %in, %s : f32
    %v = arith.maximumf %d, %out : f32
    linalg.yield %v : f32
  } -> tensor<4xf32>
  %2 = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0)>, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %0 : tensor<4x8xf32>, tensor<4xf32>) outs(%x : tensor<4x8xf32>) {
  ^bb0(%in: f32, %s: f32, %out: f32):
    %v = math.powf %in, %s : f32
    linalg.yield %v : f32
  } -> tensor<4x8xf32>
  return %1, %2 : tensor<4xf32>, tensor<4x8xf32>
}

// -----

// Each state has two users, the next state and an output. A state is evaluated again for the output, but not all states
// before it: the whole chain would be evaluated for each output.
// CHECK-LABEL: func.func @states
// CHECK-COUNT-7: arith.mulf
// CHECK-NOT:     arith.mulf
// CHECK:         return
#id = affine_map<(d0) -> (d0)>
func.func @states(%a: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
  %es1 = tensor.empty() : tensor<8xf32>
  %s1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a, %b : tensor<8xf32>, tensor<8xf32>) outs(%es1 : tensor<8xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %p = arith.addf %x0, %x1 : f32
    %q = arith.mulf %p, %x1 : f32
    %r = arith.subf %q, %x0 : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %eh1 = tensor.empty() : tensor<8xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s1 : tensor<8xf32>) outs(%eh1 : tensor<8xf32>) {
  ^bb0(%x0: f32, %o: f32):
    %r = math.exp %x0 : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %es2 = tensor.empty() : tensor<8xf32>
  %s2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%s1, %b : tensor<8xf32>, tensor<8xf32>) outs(%es2 : tensor<8xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %p = arith.addf %x0, %x1 : f32
    %q = arith.mulf %p, %x1 : f32
    %r = arith.subf %q, %x0 : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %eh2 = tensor.empty() : tensor<8xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s2 : tensor<8xf32>) outs(%eh2 : tensor<8xf32>) {
  ^bb0(%x0: f32, %o: f32):
    %r = math.exp %x0 : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %es3 = tensor.empty() : tensor<8xf32>
  %s3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%s2, %b : tensor<8xf32>, tensor<8xf32>) outs(%es3 : tensor<8xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %p = arith.addf %x0, %x1 : f32
    %q = arith.mulf %p, %x1 : f32
    %r = arith.subf %q, %x0 : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %eh3 = tensor.empty() : tensor<8xf32>
  %h3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s3 : tensor<8xf32>) outs(%eh3 : tensor<8xf32>) {
  ^bb0(%x0: f32, %o: f32):
    %r = math.exp %x0 : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %es4 = tensor.empty() : tensor<8xf32>
  %s4 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%s3, %b : tensor<8xf32>, tensor<8xf32>) outs(%es4 : tensor<8xf32>) {
  ^bb0(%x0: f32, %x1: f32, %o: f32):
    %p = arith.addf %x0, %x1 : f32
    %q = arith.mulf %p, %x1 : f32
    %r = arith.subf %q, %x0 : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %eh4 = tensor.empty() : tensor<8xf32>
  %h4 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%s4 : tensor<8xf32>) outs(%eh4 : tensor<8xf32>) {
  ^bb0(%x0: f32, %o: f32):
    %r = math.exp %x0 : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  return %h1, %h2, %h3, %h4 : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
}
