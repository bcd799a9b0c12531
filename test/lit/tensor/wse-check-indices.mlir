// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-check-indices),canonicalize,cse)' --split-input-file | filecheck %s

// An index that is given: the greatest of them, read without a sign, is compared; the gather's own is clamped.
// CHECK-LABEL: func.func @rows
// CHECK:         %[[G:.*]] = linalg.generic {{.*}}["reduction"]{{.*}} ins(%arg1 : tensor<3xi64>)
// CHECK:           arith.maxui %{{.*}}, %{{.*}} : i64
// CHECK:         %[[E:.*]] = tensor.extract %[[G]][]
// CHECK:         %[[OK:.*]] = arith.cmpi ult, %[[E]], %c10_i64
// CHECK:         cf.assert %[[OK]], "index out of range" {wse.dimension = 0 : i64, wse.index_check = "front"}
// CHECK-NOT:     cf.assert
// CHECK:         linalg.generic
// CHECK:           arith.maxsi
// CHECK:           arith.minsi
// CHECK:           tensor.extract %arg0
func.func @rows(%t: tensor<10x4xf32>, %i: tensor<3xi64>) -> tensor<3x4xf32> {
  %e = tensor.empty() : tensor<3x4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>],
                       iterator_types = ["parallel", "parallel"]} ins(%i : tensor<3xi64>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%in: i64, %out: f32):
    %p = arith.index_cast %in : i64 to index
    %k = linalg.index 1 : index
    %x = tensor.extract %t[%p, %k] : tensor<10x4xf32>
    linalg.yield %x : f32
  } -> tensor<3x4xf32>
  return %r : tensor<3x4xf32>
}

// -----

// A negative index counts from the end: twice as many values are right. What torch-mlir asserts in bodies goes.
// CHECK-LABEL: func.func @from_either_end
// CHECK:         arith.addi %{{.*}}, %c10_i64
// CHECK:         arith.maxui
// CHECK:         arith.cmpi ult, %{{.*}}, %c20_i64
// CHECK:         cf.assert %{{.*}}, "index out of range" {wse.dimension = 0 : i64, wse.index_check = "either-end"}
// CHECK-NOT:     cf.assert
func.func @from_either_end(%t: tensor<10xf32>, %i: tensor<3xi64>) -> tensor<3xf32> {
  %c0 = arith.constant 0 : i64
  %c10 = arith.constant 10 : i64
  %true = arith.constant true
  %e = tensor.empty() : tensor<3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                       iterator_types = ["parallel"]} ins(%i : tensor<3xi64>) outs(%e : tensor<3xf32>) {
  ^bb0(%in: i64, %out: f32):
    %below = arith.cmpi slt, %in, %c0 : i64
    %added = arith.addi %in, %c10 : i64
    %wrapped = arith.select %below, %added, %in : i64
    cf.assert %below, "of torch-mlir's"
    %p = arith.index_cast %wrapped : i64 to index
    %x = tensor.extract %t[%p] : tensor<10xf32>
    linalg.yield %x : f32
  } -> tensor<3xf32>
  return %r : tensor<3xf32>
}

// -----

// Sizes that are open: without an index nothing is out of range, be there elements or not.
// CHECK-LABEL: func.func @open
// CHECK:         %[[N:.*]] = tensor.dim %arg0, %c0
// CHECK:         %[[LIMIT:.*]] = arith.index_cast %[[N]] : index to i64
// CHECK:         %[[NONE:.*]] = arith.cmpi eq, %{{.*}}, %c0
// CHECK:         %[[L:.*]] = arith.select %[[NONE]], %c1_i64, %[[LIMIT]]
// CHECK:         arith.cmpi ult, %{{.*}}, %[[L]]
func.func @open(%t: tensor<?xf32>, %i: tensor<?xi32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %i, %c0 : tensor<?xi32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                       iterator_types = ["parallel"]} ins(%i : tensor<?xi32>) outs(%e : tensor<?xf32>) {
  ^bb0(%in: i32, %out: f32):
    %p = arith.index_cast %in : i32 to index
    %x = tensor.extract %t[%p] : tensor<?xf32>
    linalg.yield %x : f32
  } -> tensor<?xf32>
  return %r : tensor<?xf32>
}

// -----

// Proven: a remainder, a loop's index, a constant tensor, the position of a maximum, a narrow type.
// CHECK-LABEL: func.func @proven
// CHECK-NOT:     cf.assert
// CHECK-NOT:     arith.maxui
func.func @proven(%t: tensor<256xf32>, %i: tensor<3xi64>, %b: tensor<3xi8>, %x: tensor<3x7xf32>) -> tensor<3xf32> {
  %c5 = arith.constant 5 : i64
  %zero = arith.constant 0 : i64
  %low = arith.constant 0xFF800000 : f32
  %constant = arith.constant dense<[0, 255, 7]> : tensor<3xi64>
  %e = tensor.empty() : tensor<3xf32>
  %ei = tensor.empty() : tensor<3xi64>
  %lows = linalg.fill ins(%low : f32) outs(%e : tensor<3xf32>) -> tensor<3xf32>
  %zeros = linalg.fill ins(%zero : i64) outs(%ei : tensor<3xi64>) -> tensor<3xi64>
  %m:2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>,
                                          affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<3x7xf32>) outs(%lows, %zeros : tensor<3xf32>, tensor<3xi64>) {
  ^bb0(%in: f32, %best: f32, %at: i64):
    %k = linalg.index 1 : index
    %here = arith.index_cast %k : index to i64
    %more = arith.cmpf ogt, %in, %best : f32
    %v = arith.select %more, %in, %best : f32
    %p = arith.select %more, %here, %at : i64
    linalg.yield %v, %p : f32, i64
  } -> (tensor<3xf32>, tensor<3xi64>)
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>,
                                        affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                       iterator_types = ["parallel"]}
      ins(%i, %constant, %m#1, %b : tensor<3xi64>, tensor<3xi64>, tensor<3xi64>, tensor<3xi8>) outs(%e : tensor<3xf32>) {
  ^bb0(%in: i64, %c: i64, %best: i64, %byte: i8, %out: f32):
    %rest = arith.remui %in, %c5 : i64
    %p0 = arith.index_cast %rest : i64 to index
    %p1 = linalg.index 0 : index
    %p2 = arith.index_cast %c : i64 to index
    %p3 = arith.index_cast %best : i64 to index
    %wide = arith.extui %byte : i8 to i64
    %p4 = arith.index_cast %wide : i64 to index
    %x0 = tensor.extract %t[%p0] : tensor<256xf32>
    %x1 = tensor.extract %t[%p1] : tensor<256xf32>
    %x2 = tensor.extract %t[%p2] : tensor<256xf32>
    %x3 = tensor.extract %t[%p3] : tensor<256xf32>
    %x4 = tensor.extract %t[%p4] : tensor<256xf32>
    %s0 = arith.addf %x0, %x1 : f32
    %s1 = arith.addf %x2, %x3 : f32
    %s2 = arith.addf %s0, %s1 : f32
    %s = arith.addf %s2, %x4 : f32
    linalg.yield %s : f32
  } -> tensor<3xf32>
  return %r : tensor<3xf32>
}

// -----

// A position that an operator computes of floats is its own affair, but may not leave the tensor.
// CHECK-LABEL: func.func @of_floats
// CHECK-NOT:     cf.assert
// CHECK:         arith.fptosi
// CHECK:         arith.minsi
func.func @of_floats(%t: tensor<10xf32>, %x: tensor<3xf32>) -> tensor<3xf32> {
  %e = tensor.empty() : tensor<3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                       iterator_types = ["parallel"]} ins(%x : tensor<3xf32>) outs(%e : tensor<3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %i = arith.fptosi %in : f32 to i64
    %p = arith.index_cast %i : i64 to index
    %v = tensor.extract %t[%p] : tensor<10xf32>
    linalg.yield %v : f32
  } -> tensor<3xf32>
  return %r : tensor<3xf32>
}

// -----

// Nothing can be read from a tensor without elements: the assertion fails, and no memory is touched.
// CHECK-LABEL: func.func @of_nothing
// CHECK:         cf.assert
// CHECK-NOT:     tensor.extract %arg0
func.func @of_nothing(%t: tensor<0xf32>, %i: tensor<3xi64>) -> tensor<3xf32> {
  %e = tensor.empty() : tensor<3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                       iterator_types = ["parallel"]} ins(%i : tensor<3xi64>) outs(%e : tensor<3xf32>) {
  ^bb0(%in: i64, %out: f32):
    %p = arith.index_cast %in : i64 to index
    %v = tensor.extract %t[%p] : tensor<0xf32>
    linalg.yield %v : f32
  } -> tensor<3xf32>
  return %r : tensor<3xf32>
}

// -----

// Scatters: each column of the indices for itself; the first holds loop indices.
// CHECK-LABEL: func.func @scattered
// CHECK-COUNT-1: arith.maxui
// CHECK:         cf.assert %{{.*}}, "index out of range" {wse.dimension = 1 : i64, wse.index_check = "either-end"}
// CHECK-NOT:     cf.assert
// CHECK:         tm_tensor.scatter
func.func @scattered(%u: tensor<6xf32>, %i: tensor<6x1xi64>, %t: tensor<10x4xf32>) -> tensor<10x4xf32> {
  %e = tensor.empty() : tensor<6x1xi64>
  %rows = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      outs(%e : tensor<6x1xi64>) {
  ^bb0(%out: i64):
    %k = linalg.index 0 : index
    %row = arith.index_cast %k : index to i64
    linalg.yield %row : i64
  } -> tensor<6x1xi64>
  %both = tensor.empty() : tensor<6x2xi64>
  %first = tensor.insert_slice %rows into %both[0, 0] [6, 1] [1, 1] : tensor<6x1xi64> into tensor<6x2xi64>
  %all = tensor.insert_slice %i into %first[0, 1] [6, 1] [1, 1] : tensor<6x1xi64> into tensor<6x2xi64>
  %r = tm_tensor.scatter {dimension_map = array<i64: 0, 1>} unique_indices(false)
      ins(%u, %all : tensor<6xf32>, tensor<6x2xi64>) outs(%t : tensor<10x4xf32>) {
  ^bb0(%new: f32, %old: f32):
    tm_tensor.yield %new : f32
  } -> tensor<10x4xf32>
  return %r : tensor<10x4xf32>
}
