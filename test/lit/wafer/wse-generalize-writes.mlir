// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-generalize-writes))' --mlir-print-local-scope | filecheck %s

// The loop becomes a reduction; a write hits the elements whose index is the number that was read.
// CHECK-LABEL: func.func @scatter
// CHECK-NOT: scf.for
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}
// CHECK-SAME: ins(%{{.*}} : tensor<3xi8>) outs(%arg0 : tensor<5xf32>)
// CHECK: ^bb0(%{{.*}}: i8, %[[OUT:.*]]: f32):
// CHECK: %[[STEP:.*]] = linalg.index 1
// CHECK: %[[ID:.*]] = tensor.extract %arg1[%[[STEP]]]
// CHECK: %[[AT:.*]] = arith.index_cast %[[ID]]
// CHECK: %[[PLACE:.*]] = linalg.index 0
// CHECK: %[[HIT:.*]] = arith.cmpi eq, %[[PLACE]], %[[AT]] : index
// CHECK: %[[SUM:.*]] = arith.addf %[[OUT]], %{{.*}} : f32
// CHECK: arith.select %[[HIT]], %[[SUM]], %[[OUT]] : f32
func.func @scatter(%x: tensor<5xf32>, %ids: tensor<3xi64>, %v: tensor<3xf32>) -> tensor<5xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %r = scf.for %k = %c0 to %c3 step %c1 iter_args(%t = %x) -> (tensor<5xf32>) {
    %id = tensor.extract %ids[%k] : tensor<3xi64>
    %at = arith.index_cast %id : i64 to index
    %new = tensor.extract %v[%k] : tensor<3xf32>
    %old = tensor.extract %t[%at] : tensor<5xf32>
    %sum = arith.addf %old, %new : f32
    %n = tensor.insert %sum into %t[%at] : tensor<5xf32>
    scf.yield %n : tensor<5xf32>
  }
  return %r : tensor<5xf32>
}

// -----

// A row that is written alone: whole dimensions of the part go along with the result.
// CHECK-LABEL: func.func @row
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} outs(%arg0
// CHECK: %[[ROW:.*]] = linalg.index 0
// CHECK: arith.cmpi eq, %[[ROW]], %{{.*}} : index
// CHECK: %[[COLUMN:.*]] = linalg.index 1
// CHECK: tensor.extract %arg1[%{{.*}}, %[[COLUMN]]] : tensor<1x7xf32>
func.func @row(%x: tensor<5x7xf32>, %row: tensor<1x7xf32>, %place: tensor<i64>) -> tensor<5x7xf32> {
  %id = tensor.extract %place[] : tensor<i64>
  %at = arith.index_cast %id : i64 to index
  %r = tensor.insert_slice %row into %x[%at, 0] [1, 7] [1, 1] : tensor<1x7xf32> into tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}

// -----

// A loop that carries something else, or reads another element of what it writes, stays.
// CHECK-LABEL: func.func @recurrence
// CHECK: scf.for
// CHECK: tensor.insert
func.func @recurrence(%x: tensor<5xf32>) -> tensor<5xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %r = scf.for %k = %c0 to %c4 step %c1 iter_args(%t = %x) -> (tensor<5xf32>) {
    %next = arith.addi %k, %c1 : index
    %old = tensor.extract %t[%k] : tensor<5xf32>
    %n = tensor.insert %old into %t[%next] : tensor<5xf32>
    scf.yield %n : tensor<5xf32>
  }
  return %r : tensor<5xf32>
}

// -----

// Parts at places that are known are copies.
// CHECK-LABEL: func.func @static
// CHECK: tensor.insert_slice
func.func @static(%x: tensor<5x7xf32>, %row: tensor<1x7xf32>) -> tensor<5x7xf32> {
  %r = tensor.insert_slice %row into %x[2, 0] [1, 7] [1, 1] : tensor<1x7xf32> into tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}
