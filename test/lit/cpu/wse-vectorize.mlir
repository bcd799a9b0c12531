// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-vectorize{vector-bits=512}),canonicalize,cse)' --split-input-file | filecheck %s

// Matmul: columns fill the lanes, rows are unrolled, one load of B serves all rows, accumulators are carried.
// CHECK-LABEL: func.func @matmul
// CHECK-COUNT-4: vector.load %arg2
// CHECK:         scf.for %[[K:[a-z0-9_]+]] = %c0 to %c64 step %c4 iter_args
// CHECK-COUNT-2:   vector.load {{.*}} : memref<2048xf32>, vector<16xf32>
// CHECK:           memref.load {{.*}}[%[[K]]] : memref<128xf32>
// CHECK-NOT:       vector.load
// CHECK-COUNT-4:   math.fma {{.*}} : vector<16xf32>
// CHECK:           scf.yield
// CHECK-COUNT-4: vector.store
// CHECK-NOT:     scf.for
// CHECK:         return
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @matmul(%a: memref<2x64xf32>, %b: memref<64x32xf32>, %c: memref<2x32xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<2x64xf32>, memref<64x32xf32>) outs(%c : memref<2x32xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %z, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// B transposed: both operands lie side by side along k, so k fills the lanes and is summed up at the end; each of the two
// results has two vectors of partial sums, so that fewer additions wait for each other, and both are summed up together.
// CHECK-LABEL: func.func @matmul_transposed
// CHECK:         scf.for {{.*}} step %c32 iter_args
// CHECK-COUNT-6:   vector.load
// CHECK-NOT:     vector.load {{.*}} vector<16xf32>
// CHECK:         vector.shuffle {{.*}} [0, 16, 1, 17, 4, 20,
// CHECK:         vector.store {{.*}} vector<2xf32>
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n, k)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @matmul_transposed(%a: memref<1x64xf32>, %b: memref<2x64xf32>, %c: memref<1x2xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<1x64xf32>, memref<2x64xf32>) outs(%c : memref<1x2xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %z, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// A remainder of 7 is one masked vector; a scalar operand is broadcast, the old contents are not read.
// CHECK-LABEL: func.func @remainder
// CHECK:         vector.broadcast %arg1 : f32 to vector<16xf32>
// CHECK:         arith.mulf {{.*}} : vector<16xf32>
// CHECK:         %[[MASK:[a-z0-9_]+]] = vector.constant_mask [7] : vector<16xi1>
// CHECK:         vector.maskedload %arg0[%c16], %[[MASK]]
// CHECK:         vector.maskedstore %arg2[%c16], %[[MASK]]
// CHECK-NOT:     load %arg2
#i = affine_map<(d) -> (d)>
#s = affine_map<(d) -> ()>
func.func @remainder(%x: memref<23xf32>, %f: f32, %y: memref<23xf32>) {
  linalg.generic {indexing_maps = [#i, #s, #i], iterator_types = ["parallel"]}
      ins(%x, %f : memref<23xf32>, f32) outs(%y : memref<23xf32>) {
  ^bb0(%a: f32, %b: f32, %old: f32):
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  }
  return
}

// -----

// A size that is known only at run time: whole vectors, then a masked one.
// CHECK-LABEL: func.func @dynamic
// CHECK:         %[[N:[a-z0-9_]+]] = memref.dim %arg0
// CHECK:         %[[REST:[a-z0-9_]+]] = arith.remui %[[N]], %c16
// CHECK:         %[[WHOLE:[a-z0-9_]+]] = arith.subi %[[N]], %[[REST]]
// CHECK:         scf.for {{.*}} = %c0 to %[[WHOLE]] step %c16
// CHECK:           vector.store
// CHECK:         scf.for %[[I:[a-z0-9_]+]] = %[[WHOLE]] to %[[N]] step %c16
// CHECK:           %[[LEFT:[a-z0-9_]+]] = arith.subi %[[N]], %[[I]]
// CHECK:           %[[MASK:[a-z0-9_]+]] = vector.create_mask %[[LEFT]]
// CHECK:           vector.maskedstore {{.*}}, %[[MASK]]
#i = affine_map<(d) -> (d)>
func.func @dynamic(%x: memref<?xf32>, %y: memref<?xf32>) {
  linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel"]}
      ins(%x : memref<?xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%a: f32, %old: f32):
    %p = arith.addf %a, %a : f32
    linalg.yield %p : f32
  }
  return
}

// -----

// A table's rows are read as vectors: the column is the lane, the row's number is the same in all of them.
// CHECK-LABEL: func.func @embedding
// CHECK:         %[[ROW:[a-z0-9_]+]] = arith.index_cast
// CHECK:         vector.load %arg1[%[[ROW]], {{.*}}] : memref<10x16xf32>, vector<16xf32>
#i = affine_map<(d0, d1) -> (d0)>
#o = affine_map<(d0, d1) -> (d0, d1)>
func.func @embedding(%ids: memref<3xi64>, %table: memref<10x16xf32>, %y: memref<3x16xf32>) {
  linalg.generic {indexing_maps = [#i, #o], iterator_types = ["parallel", "parallel"]}
      ins(%ids : memref<3xi64>) outs(%y : memref<3x16xf32>) {
  ^bb0(%id: i64, %old: f32):
    %row = arith.index_cast %id : i64 to index
    %column = linalg.index 1 : index
    %v = memref.load %table[%row, %column] : memref<10x16xf32>
    linalg.yield %v : f32
  }
  return
}

// -----

// Bools are bytes in memory but bits in a vector: they are stored one by one.
// CHECK-LABEL: func.func @bools
// CHECK:         arith.cmpf {{.*}} : vector<16xf32>
// CHECK-NOT:     vector.store
// CHECK-COUNT-16: memref.store
#i = affine_map<(d) -> (d)>
func.func @bools(%x: memref<16xf32>, %y: memref<16xi1>) {
  %zero = arith.constant 0.0 : f32
  linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel"]}
      ins(%x : memref<16xf32>) outs(%y : memref<16xi1>) {
  ^bb0(%a: f32, %old: i1):
    %p = arith.cmpf ogt, %a, %zero : f32
    linalg.yield %p : i1
  }
  return
}

// -----

// A running value that is not a plain reduction (the body reads it twice) has no lanes of its own.
// CHECK-LABEL: func.func @not_a_plain_reduction
// CHECK-NOT:     vector
// CHECK:         scf.for {{.*}} iter_args
// CHECK-NOT:     vector
// CHECK:         return
#i = affine_map<(d) -> (d)>
#s = affine_map<(d) -> ()>
func.func @not_a_plain_reduction(%x: memref<64xf32>, %y: memref<f32>) {
  linalg.generic {indexing_maps = [#i, #s], iterator_types = ["reduction"]}
      ins(%x : memref<64xf32>) outs(%y : memref<f32>) {
  ^bb0(%a: f32, %sum: f32):
    %p = arith.mulf %sum, %sum : f32
    %q = arith.addf %p, %a : f32
    linalg.yield %q : f32
  }
  return
}

// -----

// Every iteration writes the same element: left to the loops that upstream makes.
// CHECK-LABEL: func.func @overwrites
// CHECK:         linalg.generic
#i = affine_map<(d) -> (d)>
#z = affine_map<(d) -> (0)>
func.func @overwrites(%x: memref<8xf32>, %y: memref<1xf32>) {
  linalg.generic {indexing_maps = [#i, #z], iterator_types = ["parallel"]}
      ins(%x : memref<8xf32>) outs(%y : memref<1xf32>) {
  ^bb0(%a: f32, %old: f32):
    linalg.yield %a : f32
  }
  return
}

// -----

// Tensors are not for this pass.
// CHECK-LABEL: func.func @tensors
// CHECK:         linalg.generic
#i = affine_map<(d) -> (d)>
func.func @tensors(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = linalg.generic {indexing_maps = [#i], iterator_types = ["parallel"]} outs(%x : tensor<8xf32>) {
  ^bb0(%a: f32):
    %p = arith.addf %a, %a : f32
    linalg.yield %p : f32
  } -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// A long reduction of an odd length is added up in four sums like an even one; the three last steps stand behind the loop.
// CHECK-LABEL: func.func @odd_reduction
// CHECK:         scf.for {{.*}} to %c60 step %c4 iter_args
// CHECK-COUNT-4:   math.fma {{.*}} : vector<16xf32>
// CHECK-NOT:       math.fma
// CHECK:         scf.yield
// CHECK-COUNT-3: arith.addf {{.*}} : vector<16xf32>
// CHECK-COUNT-3: math.fma {{.*}} : vector<16xf32>
// CHECK-NOT:     math.fma
// CHECK:         vector.store
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @odd_reduction(%a: memref<1x63xf32>, %b: memref<63x16xf32>, %c: memref<1x16xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<1x63xf32>, memref<63x16xf32>) outs(%c : memref<1x16xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %z, %p : f32
    linalg.yield %s : f32
  }
  return
}
