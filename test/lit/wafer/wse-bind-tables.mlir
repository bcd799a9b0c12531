// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-bind-tables))' --mlir-print-local-scope | filecheck %s

// A table's dimension that an iterator indexes is that iterator; one that data indexes is read from 0 on.
// CHECK-LABEL: func.func @embedding
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (0, d1)>, affine_map<(d0, d1) -> (d0, d1)>]
// CHECK-SAME: ins(%arg0, %arg1 : tensor<3xi64>, tensor<5x7xf32>)
// CHECK: ^bb0(%[[ID:.*]]: i64, %{{.*}}: f32, %{{.*}}: f32):
// CHECK: %[[ROW:.*]] = arith.index_cast %[[ID]]
// CHECK: tensor.extract %arg1[%[[ROW]], %{{.*}}] {wse.table = 1 : i64}
func.func @embedding(%ids: tensor<3xi64>, %table: tensor<5x7xf32>) -> tensor<3x7xf32> {
  %e = tensor.empty() : tensor<3x7xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<3xi64>) outs(%e : tensor<3x7xf32>) {
  ^bb0(%in: i64, %out: f32):
    %row = arith.index_cast %in : i64 to index
    %j = linalg.index 1 : index
    %x = tensor.extract %table[%row, %j] : tensor<5x7xf32>
    linalg.yield %x : f32
  } -> tensor<3x7xf32>
  return %r : tensor<3x7xf32>
}

// -----

// Where iterators alone say the place, nothing is read at indices; of a longer table the front is the operand.
// CHECK-LABEL: func.func @plain
// CHECK: %[[FRONT:.*]] = tensor.extract_slice %arg1[0, 0] [3, 7] [1, 1] : tensor<5x7xf32> to tensor<3x7xf32>
// CHECK: linalg.generic {{.*}}affine_map<(d0, d1) -> (d1, d0)>{{.*}} ins(%[[FRONT]] : tensor<3x7xf32>)
// CHECK-NOT: tensor.extract %
// CHECK: return
func.func @plain(%ids: tensor<3xi64>, %table: tensor<5x7xf32>) -> tensor<7x3xf32> {
  %e = tensor.empty() : tensor<7x3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<7x3xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %x = tensor.extract %table[%j, %i] : tensor<5x7xf32>
    linalg.yield %x : f32
  } -> tensor<7x3xf32>
  return %r : tensor<7x3xf32>
}

// -----

// Two reads of a table share an operand; a diagonal counts one of its dimensions by the index, a constant is in the map.
// CHECK-LABEL: func.func @diagonal
// CHECK: affine_map<(d0) -> (d0, 0)>{{.*}} ins(%arg0 : tensor<5x5xf32>)
// CHECK: ^bb0(%[[FIRST:.*]]: f32, %{{.*}}: f32):
// CHECK: %[[I:.*]] = linalg.index 0
// CHECK: %[[DIAGONAL:.*]] = tensor.extract %arg0[%[[I]], %[[I]]] {wse.table = 0 : i64}
// CHECK: arith.addf %[[DIAGONAL]], %[[FIRST]]
func.func @diagonal(%x: tensor<5x5xf32>) -> tensor<5xf32> {
  %e = tensor.empty() : tensor<5xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%e : tensor<5xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %c0 = arith.constant 0 : index
    %a = tensor.extract %x[%i, %i] : tensor<5x5xf32>
    %b = tensor.extract %x[%i, %c0] : tensor<5x5xf32>
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<5xf32>
  return %r : tensor<5xf32>
}

// -----

// A table of equal numbers is not read.
// CHECK-LABEL: func.func @equal
// CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<3xi64>)
// CHECK: linalg.yield %cst{{.*}} : f32
func.func @equal(%ids: tensor<3xi64>) -> tensor<3xf32> {
  %e = tensor.empty() : tensor<3xf32>
  %table = arith.constant dense<2.5> : tensor<5xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%ids : tensor<3xi64>) outs(%e : tensor<3xf32>) {
  ^bb0(%in: i64, %out: f32):
    %row = arith.index_cast %in : i64 to index
    %x = tensor.extract %table[%row] : tensor<5xf32>
    linalg.yield %x : f32
  } -> tensor<3xf32>
  return %r : tensor<3xf32>
}

// -----

// What reads no tensor stays as it is.
// CHECK-LABEL: func.func @nothing
// CHECK: ins(%arg0 : tensor<5xf32>) outs(
func.func @nothing(%x: tensor<5xf32>) -> tensor<5xf32> {
  %e = tensor.empty() : tensor<5xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x : tensor<5xf32>) outs(%e : tensor<5xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.addf %in, %in : f32
    linalg.yield %s : f32
  } -> tensor<5xf32>
  return %r : tensor<5xf32>
}
