// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-collect-checks),canonicalize,cse)' --split-input-file | filecheck %s
// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-collect-checks{indices=false}),canonicalize,cse)' --split-input-file | filecheck %s --check-prefix=NONE

// The first that does not hold is reported, with both sides of its comparison; equal conditions count once.
// CHECK-LABEL: func.func @two
// CHECK-SAME:    %[[A:[a-z0-9]+]]: i64, %[[B:[a-z0-9]+]]: index, %[[S:[a-z0-9]+]]: memref<3xi64> {wse.kind = "status", wse.name = "status"}
// CHECK-SAME:    wse.checks = [{dimension = 0 : i64, kind = "front", message = "index out of range", where = "{{.*}}"}, {dimension = -1 : i64, kind = "assertion", message = "sizes differ", where = "{{.*}}"}]
// CHECK-NOT:     cf.assert
// CHECK-DAG:     %[[IN:.*]] = arith.cmpi ult, %[[A]], %c10_i64
// CHECK-DAG:     %[[SAME:.*]] = arith.cmpi eq, %[[B]], %c4
// CHECK-DAG:     %[[SECOND:.*]] = arith.select %[[SAME]], %c0_i64, %c2_i64
// CHECK-DAG:     %[[FIRST:.*]] = arith.select %[[IN]], %[[SECOND]], %c1_i64
// CHECK:         memref.store %[[FIRST]], %[[S]][%c0]
// CHECK:         memref.store %{{.*}}, %[[S]][%c1]
// CHECK:         memref.store %{{.*}}, %[[S]][%c2]
// CHECK:         return

// NONE-LABEL: func.func @two
// NONE-SAME:    wse.checks = [{dimension = -1 : i64, kind = "assertion", message = "sizes differ"
// NONE-NOT:     ult
func.func @two(%a: i64, %b: index) {
  %c10 = arith.constant 10 : i64
  %c4 = arith.constant 4 : index
  %in = arith.cmpi ult, %a, %c10 : i64
  cf.assert %in, "index out of range" {wse.index_check = "front", wse.dimension = 0 : i64}
  %same = arith.cmpi eq, %b, %c4 : index
  cf.assert %same, "sizes differ"
  cf.assert %in, "index out of range" {wse.index_check = "front", wse.dimension = 0 : i64}
  return
}

// -----

// Inside of a loop the status is written as it happens, if nothing has been before.
// CHECK-LABEL: func.func @looped
// CHECK-SAME:    %[[I:[a-z0-9]+]]: tensor<5xi64>, %[[S:[a-z0-9]+]]: memref<3xi64>
// CHECK:         memref.store %c0_i64, %[[S]][%c0]
// CHECK:         scf.for
// CHECK:           %[[BEFORE:.*]] = memref.load %[[S]][%c0]
// CHECK:           arith.cmpi eq, %[[BEFORE]], %c0_i64
// CHECK:           scf.if
// CHECK:             memref.store %c1_i64, %[[S]][%c0]

// Without checks of indices there is nothing left to report.
// NONE-LABEL: func.func @looped(%{{[a-z0-9]+}}: tensor<5xi64>) -> i64
func.func @looped(%i: tensor<5xi64>) -> i64 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %c10 = arith.constant 10 : i64
  %zero = arith.constant 0 : i64
  %r = scf.for %k = %c0 to %c5 step %c1 iter_args(%sum = %zero) -> (i64) {
    %x = tensor.extract %i[%k] : tensor<5xi64>
    %in = arith.cmpi ult, %x, %c10 : i64
    cf.assert %in, "index out of range" {wse.index_check = "front", wse.dimension = 0 : i64}
    %next = arith.addi %sum, %x : i64
    scf.yield %next : i64
  }
  return %r : i64
}

// -----

// What is computed beside a check stays as it is.
// CHECK-LABEL: func.func @computed
// CHECK-NOT:     cf.assert
// CHECK:         arith.mulf
// CHECK:         return
#id = affine_map<(d0) -> (d0)>
func.func @computed(%x: tensor<6xf32>, %at: tensor<i64>) -> tensor<6xf32> {
  %c10 = arith.constant 10 : i64
  %i = tensor.extract %at[] : tensor<i64>
  %in = arith.cmpi ult, %i, %c10 : i64
  cf.assert %in, "index out of range" {wse.index_check = "front", wse.dimension = 0 : i64}
  %e = tensor.empty() : tensor<6xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<6xf32>) outs(%e : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.mulf %a, %a : f32
    linalg.yield %m : f32
  } -> tensor<6xf32>
  return %r : tensor<6xf32>
}
