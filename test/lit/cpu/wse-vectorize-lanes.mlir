// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-vectorize{vector-bits=512}),canonicalize,cse)' --split-input-file | filecheck %s

// The greatest of eight rows at a time: pairs of vectors are combined, within blocks of four lanes first, and one vector
// with a result in every lane is stored.
// CHECK-LABEL: func.func @row_maximum
// CHECK:         scf.for {{.*}} step %c8
// CHECK:           scf.for {{.*}} step %c16 iter_args({{.*}}) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK-COUNT-8:     vector.load
// CHECK-COUNT-4:   vector.shuffle {{.*}} [2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31]
// CHECK-COUNT-2:   vector.shuffle {{.*}} [2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31]
// CHECK-COUNT-2:   vector.shuffle {{.*}} [8, 9, 10, 11, 12, 13, 14, 15]
// CHECK:           vector.shuffle {{.*}} [4, 5, 6, 7, 12, 13, 14, 15] : vector<8xf32>, vector<8xf32>
// CHECK:           vector.store {{.*}} memref<24xf32>, vector<8xf32>
#x = affine_map<(i, j) -> (i, j)>
#y = affine_map<(i, j) -> (i)>
func.func @row_maximum(%x: memref<24x128xf32>, %y: memref<24xf32>) {
  linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<24x128xf32>) outs(%y : memref<24xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.maximumf %a, %b : f32
    linalg.yield %m : f32
  }
  return
}

// -----

// Sums of lanes are cheap: rows stay one after the other, with four vectors of partial sums each.
// CHECK-LABEL: func.func @row_sum
// CHECK:         scf.for {{.*}} step %c1
// CHECK:           scf.for {{.*}} step %c64 iter_args
// CHECK:           vector.reduction <add>
#x = affine_map<(i, j) -> (i, j)>
#y = affine_map<(i, j) -> (i)>
func.func @row_sum(%x: memref<24x128xf32>, %y: memref<24xf32>) {
  linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<24x128xf32>) outs(%y : memref<24xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.addf %a, %b : f32
    linalg.yield %m : f32
  }
  return
}

// -----

// Rows of more than two thousand elements have enough to do on their own.
// CHECK-LABEL: func.func @long_rows
// CHECK:         scf.for {{.*}} step %c1
// CHECK:           scf.for {{.*}} step %c64 iter_args
// CHECK-NOT:       vector<8xf32>, vector<8xf32>, vector<8xf32>
#x = affine_map<(i, j) -> (i, j)>
#y = affine_map<(i, j) -> (i)>
func.func @long_rows(%x: memref<24x4096xf32>, %y: memref<24xf32>) {
  linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<24x4096xf32>) outs(%y : memref<24xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.maximumf %a, %b : f32
    linalg.yield %m : f32
  }
  return
}

// -----

// Results that do not lie side by side are combined one by one.
// CHECK-LABEL: func.func @spread_results
// CHECK-NOT:     vector.store
// CHECK:         memref.store
#x = affine_map<(i, j) -> (i, j)>
#y = affine_map<(i, j) -> (i)>
func.func @spread_results(%x: memref<24x128xf32>, %y: memref<24xf32, strided<[3]>>) {
  linalg.generic {indexing_maps = [#x, #y], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<24x128xf32>) outs(%y : memref<24xf32, strided<[3]>>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.minimumf %a, %b : f32
    linalg.yield %m : f32
  }
  return
}
