// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-bind-tables,wse-own-tables))' --mlir-print-local-scope | filecheck %s

// What only reads rows of a table is a sum over the table's rows, of which one counts.
// CHECK-LABEL: func.func @embedding
// CHECK: %[[START:.*]] = arith.constant dense<-0.000000e+00> : tensor<3x7xf32>
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]}
// CHECK-SAME: ins(%arg0, %arg1 : tensor<3xi64>, tensor<5x7xf32>) outs(%[[START]]
// CHECK: ^bb0(%[[ID:.*]]: i64, %[[ELEMENT:.*]]: f32, %[[OUT:.*]]: f32):
// CHECK: %[[ROW:.*]] = arith.index_cast %[[ID]]
// CHECK: %[[PLACE:.*]] = linalg.index 2
// CHECK: %[[HIT:.*]] = arith.cmpi eq, %[[PLACE]], %[[ROW]] : index
// CHECK: %[[PART:.*]] = arith.select %[[HIT]], %[[ELEMENT]], %{{.*}} : f32
// CHECK: arith.addf %[[OUT]], %[[PART]] : f32
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

// What goes on with the element is no sum.
// CHECK-LABEL: func.func @more
// CHECK: tensor.extract %arg1[%{{.*}}] {wse.table = 1 : i64}
func.func @more(%ids: tensor<3xi64>, %table: tensor<5xf32>) -> tensor<3xf32> {
  %e = tensor.empty() : tensor<3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%ids : tensor<3xi64>) outs(%e : tensor<3xf32>) {
  ^bb0(%in: i64, %out: f32):
    %row = arith.index_cast %in : i64 to index
    %x = tensor.extract %table[%row] : tensor<5xf32>
    %y = math.exp %x : f32
    linalg.yield %y : f32
  } -> tensor<3xf32>
  return %r : tensor<3xf32>
}
