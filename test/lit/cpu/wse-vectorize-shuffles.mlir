// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-vectorize{cpu=x86-64-v4}),canonicalize,cse)' --split-input-file | filecheck %s

// Every second element: two vectors that overlap in one element, so that nothing behind the last one is read.
// CHECK-LABEL: func.func @every_second
// CHECK:         %[[A:.*]] = vector.load %arg0{{.*}} vector<16xf32>
// CHECK:         %[[B:.*]] = vector.load %arg0{{.*}} vector<16xf32>
// CHECK:         vector.shuffle %[[A]], %[[B]] [0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31]
#s = affine_map<(n, i) -> (n, i * 2)>
#d = affine_map<(n, i) -> (n, i)>
func.func @every_second(%x: memref<9x63xf32>, %y: memref<9x32xf32>) {
  linalg.generic {indexing_maps = [#s, #d], iterator_types = ["parallel", "parallel"]} ins(%x : memref<9x63xf32>) outs(%y : memref<9x32xf32>) {
  ^bb0(%a: f32, %o: f32):
    %v = arith.negf %a : f32
    linalg.yield %v : f32
  }
  return
}

// -----

// Each element twice: the steps are the same in every vector, and vectors run in a loop.
// CHECK-LABEL: func.func @twice
// CHECK:         scf.for
// CHECK:           %[[A:.*]] = vector.load %arg0{{.*}} vector<8xf32>
// CHECK:           vector.shuffle %[[A]], %{{.*}} [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]
#t = affine_map<(n, i) -> (n, i floordiv 2)>
#d = affine_map<(n, i) -> (n, i)>
func.func @twice(%x: memref<9x32xf32>, %y: memref<9x64xf32>) {
  linalg.generic {indexing_maps = [#t, #d], iterator_types = ["parallel", "parallel"]} ins(%x : memref<9x32xf32>) outs(%y : memref<9x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}

// -----

// Steps that differ from vector to vector: all vectors of a row are written out, the last one begins earlier.
// CHECK-LABEL: func.func @uneven
// CHECK-COUNT-2: vector.shuffle
// CHECK-NOT:     memref.load
#t = affine_map<(n, i) -> (n, (i * 6) floordiv 11)>
#d = affine_map<(n, i) -> (n, i)>
func.func @uneven(%x: memref<9x17xf32>, %y: memref<9x31xf32>) {
  linalg.generic {indexing_maps = [#t, #d], iterator_types = ["parallel", "parallel"]} ins(%x : memref<9x17xf32>) outs(%y : memref<9x31xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}

// -----

// Elements that lie farther apart than two vectors reach are loaded one by one.
// CHECK-LABEL: func.func @far
// CHECK-NOT:     vector.shuffle
#s = affine_map<(n, i) -> (n, i * 3)>
#d = affine_map<(n, i) -> (n, i)>
func.func @far(%x: memref<9x96xf32>, %y: memref<9x32xf32>) {
  linalg.generic {indexing_maps = [#s, #d], iterator_types = ["parallel", "parallel"]} ins(%x : memref<9x96xf32>) outs(%y : memref<9x32xf32>) {
  ^bb0(%a: f32, %o: f32):
    %v = arith.negf %a : f32
    linalg.yield %v : f32
  }
  return
}
