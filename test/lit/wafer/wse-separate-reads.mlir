// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-separate-reads))' --mlir-print-local-scope | filecheck %s

// What is done with elements of a large table is an operation of its own.
// CHECK-LABEL: func.func @sum
// CHECK: %[[READ:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<3xi64>)
// CHECK: %[[X:.*]] = tensor.extract %arg1
// CHECK-NEXT: linalg.yield %[[X]]
// CHECK: linalg.generic {{.*}} ins(%arg0, %arg2, %[[READ]] : tensor<3xi64>, tensor<3x7xf32>, tensor<3x7xf32>)
// CHECK-NOT: tensor.extract
// CHECK: arith.addf
func.func @sum(%ids: tensor<3xi64>, %table: tensor<5000x7xf32>, %more: tensor<3x7xf32>) -> tensor<3x7xf32> {
  %e = tensor.empty() : tensor<3x7xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%ids, %more : tensor<3xi64>, tensor<3x7xf32>) outs(%e : tensor<3x7xf32>) {
  ^bb0(%in: i64, %other: f32, %out: f32):
    %row = arith.index_cast %in : i64 to index
    %j = linalg.index 1 : index
    %x = tensor.extract %table[%row, %j] : tensor<5000x7xf32>
    %y = arith.addf %x, %other : f32
    linalg.yield %y : f32
  } -> tensor<3x7xf32>
  return %r : tensor<3x7xf32>
}

// -----

// A table of few rows is read where it is needed, and so is one row for all.
// CHECK-LABEL: func.func @few
// CHECK-COUNT-1: linalg.generic
// CHECK: tensor.extract
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @few(%ids: tensor<3xi64>, %table: tensor<50xf32>) -> tensor<3xf32> {
  %e = tensor.empty() : tensor<3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%ids : tensor<3xi64>) outs(%e : tensor<3xf32>) {
  ^bb0(%in: i64, %out: f32):
    %row = arith.index_cast %in : i64 to index
    %x = tensor.extract %table[%row] : tensor<50xf32>
    %y = math.exp %x : f32
    linalg.yield %y : f32
  } -> tensor<3xf32>
  return %r : tensor<3xf32>
}

// -----

// CHECK-LABEL: func.func @scaled
// CHECK-COUNT-1: linalg.generic
// CHECK: tensor.extract
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @scaled(%id: tensor<i64>, %table: tensor<5000xf32>, %x: tensor<9xf32>) -> tensor<9xf32> {
  %e = tensor.empty() : tensor<9xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> ()>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%id, %x : tensor<i64>, tensor<9xf32>) outs(%e : tensor<9xf32>) {
  ^bb0(%in: i64, %element: f32, %out: f32):
    %row = arith.index_cast %in : i64 to index
    %scale = tensor.extract %table[%row] : tensor<5000xf32>
    %y = arith.mulf %scale, %element : f32
    linalg.yield %y : f32
  } -> tensor<9xf32>
  return %r : tensor<9xf32>
}
