// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-vectorize{vector-bits=512}),canonicalize,cse)' --split-input-file | filecheck %s
// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-vectorize{vector-bits=128}),canonicalize,cse)' --split-input-file | filecheck %s --check-prefix=NARROW

// Dimensions that all operands walk alike are one: 7 x 7 points fill vectors as 49 do. The channel's scale is loaded before
// the loop that stores. The outermost loop is marked for threads.
// CHECK-LABEL: func.func @collapsed
// CHECK:         memref.collapse_shape %arg0 {{\[\[}}0], [1, 2]] : memref<64x7x7xf32> into memref<64x49xf32>
// CHECK:         scf.for %[[C:[a-z0-9_]+]] = %c0 to %c64
// CHECK:           memref.load %arg1[%[[C]]]
// CHECK:           scf.for {{.*}} = %c0 to %c48 step %c16
// CHECK:             vector.store
// CHECK:           vector.constant_mask [1]
// CHECK:           vector.maskedstore
// CHECK:         } {wse.cost = 9408 : i64, wse.parallel = 0 : i64}
// NARROW-LABEL: func.func @collapsed
// NARROW-NOT:     mask
// NARROW:         return
#x = affine_map<(c, h, w) -> (c, h, w)>
#s = affine_map<(c, h, w) -> (c)>
func.func @collapsed(%x: memref<64x7x7xf32>, %s: memref<64xf32>, %y: memref<64x7x7xf32>) {
  linalg.generic {indexing_maps = [#x, #s, #x], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %s : memref<64x7x7xf32>, memref<64xf32>) outs(%y : memref<64x7x7xf32>) {
  ^bb0(%a: f32, %b: f32, %old: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  }
  return
}

// -----

// Strided rows are no single row, and an iterator whose index is asked for stays.
// CHECK-LABEL: func.func @not_collapsed
// CHECK-NOT:     collapse_shape
// CHECK:         return
#i = affine_map<(h, w) -> (h, w)>
func.func @not_collapsed(%x: memref<8x7xf32, strided<[9, 1]>>, %y: memref<8x7xf32>, %z: memref<8x7xindex>) {
  linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<8x7xf32, strided<[9, 1]>>) outs(%y : memref<8x7xf32>) {
  ^bb0(%a: f32, %old: f32):
    %p = arith.addf %a, %a : f32
    linalg.yield %p : f32
  }
  linalg.generic {indexing_maps = [#i], iterator_types = ["parallel", "parallel"]} outs(%z : memref<8x7xindex>) {
  ^bb0(%old: index):
    %p = linalg.index 1 : index
    linalg.yield %p : index
  }
  return
}

// -----

// A transposition loads along the rows, stores along the columns, and turns squares of 16 x 16 in registers.
// CHECK-LABEL: func.func @transposed
// CHECK-COUNT-16: vector.load %arg0
// CHECK-COUNT-64: vector.shuffle
// CHECK-NOT:      shuffle
// CHECK-COUNT-16: vector.store {{.*}}, %arg1
// NARROW-LABEL: func.func @transposed
// NARROW-COUNT-4: vector.load %arg0
// NARROW-COUNT-8: vector.shuffle
// NARROW-COUNT-4: vector.store {{.*}}, %arg1
#t = affine_map<(d0, d1) -> (d1, d0)>
#i = affine_map<(d0, d1) -> (d0, d1)>
func.func @transposed(%x: memref<128x64xf32>, %y: memref<64x128xf32>) {
  linalg.generic {indexing_maps = [#t, #i], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<128x64xf32>) outs(%y : memref<64x128xf32>) {
  ^bb0(%a: f32, %old: f32):
    linalg.yield %a : f32
  }
  return
}

// -----

// A sum over a row has four vectors of partial sums: one addition takes as long as four.
// CHECK-LABEL: func.func @row_sums
// CHECK:         scf.for {{.*}} step %c64 iter_args
// CHECK-COUNT-4:   arith.addf {{.*}} : vector<16xf32>
// CHECK:           scf.yield
// CHECK-COUNT-3: arith.addf {{.*}} : vector<16xf32>
// CHECK:         vector.reduction <add>
#x = affine_map<(d0, d1) -> (d0, d1)>
#y = affine_map<(d0, d1) -> (d0)>
func.func @row_sums(%x: memref<8x256xf32>, %y: memref<8xf32>) {
  linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<8x256xf32>) outs(%y : memref<8xf32>) {
  ^bb0(%a: f32, %sum: f32):
    %p = arith.addf %sum, %a : f32
    linalg.yield %p : f32
  }
  return
}

// -----

// The dead lanes of a masked part do not join a product: they keep what the accumulator had.
// CHECK-LABEL: func.func @masked_reduction
// CHECK:         %[[MASK:[a-z0-9_]+]] = vector.constant_mask [3]
// CHECK:         %[[X:[a-z0-9_]+]] = vector.maskedload %arg0[%c16], %[[MASK]]
// CHECK:         %[[P:[a-z0-9_]+]] = arith.mulf {{.*}}%[[X]]
// CHECK:         arith.select %[[MASK]], %[[P]]
#x = affine_map<(d0) -> (d0)>
#y = affine_map<(d0) -> ()>
func.func @masked_reduction(%x: memref<19xf32>, %y: memref<f32>) {
  linalg.generic {indexing_maps = [#x, #y], iterator_types = ["reduction"]}
      ins(%x : memref<19xf32>) outs(%y : memref<f32>) {
  ^bb0(%a: f32, %product: f32):
    %p = arith.mulf %product, %a : f32
    linalg.yield %p : f32
  }
  return
}

// -----

// A depthwise convolution: channels in the lanes, the window unrolled, and what neighbouring columns share loaded once:
// 3 rows of 9 columns for 7 results.
// CHECK-LABEL: func.func @depthwise
// CHECK-COUNT-9: vector.load %arg1
// CHECK-NOT:     vector.load %arg1
// CHECK:         return
#x = affine_map<(h, w, c, i, j) -> (h + i, w + j, c)>
#f = affine_map<(h, w, c, i, j) -> (i, j, c)>
#y = affine_map<(h, w, c, i, j) -> (h, w, c)>
func.func @depthwise(%x: memref<9x9x16xf32>, %f: memref<3x3x16xf32>, %y: memref<7x7x16xf32>) {
  linalg.generic {indexing_maps = [#x, #f, #y],
                  iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %f : memref<9x9x16xf32>, memref<3x3x16xf32>) outs(%y : memref<7x7x16xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %p = arith.mulf %a, %b : f32
    %q = arith.addf %sum, %p : f32
    linalg.yield %q : f32
  }
  return
}

// -----

// A division by the zeros of dead lanes would trap: the remainder runs on shorter vectors.
// CHECK-LABEL: func.func @integer_division
// CHECK-NOT:     mask
// CHECK:         arith.divsi {{.*}} : vector<16xi32>
// CHECK:         arith.divsi {{.*}} : vector<2xi32>
// CHECK:         return
#i = affine_map<(d0) -> (d0)>
func.func @integer_division(%x: memref<18xi32>, %y: memref<18xi32>, %z: memref<18xi32>) {
  linalg.generic {indexing_maps = [#i, #i, #i], iterator_types = ["parallel"]}
      ins(%x, %y : memref<18xi32>, memref<18xi32>) outs(%z : memref<18xi32>) {
  ^bb0(%a: i32, %b: i32, %old: i32):
    %p = arith.divsi %a, %b : i32
    linalg.yield %p : i32
  }
  return
}
