// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-return-checks,canonicalize)' --mlir-print-local-scope | filecheck %s

// Indices: the least and the greatest one, read with their signs, become results.
// CHECK: tensor<i64> {wse.kind = "check", wse.name = "0"}, tensor<i64> {wse.kind = "check", wse.name = "1"}
// CHECK-SAME: wse.returned_checks = [{dimension = 0 : i64, kind = "front", message = "index out of range", size = 10 : i64, where = {{.*}}}]
// CHECK: %[[LOW:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<3xi64>)
// CHECK: arith.minsi
// CHECK: %[[HIGH:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<3xi64>)
// CHECK: arith.maxsi
// CHECK-NOT: cf.assert
// CHECK: return %{{.*}}, %[[LOW]], %[[HIGH]]
func.func @main(%ids: tensor<3xi64>) -> (tensor<3xi64> {wse.kind = "output", wse.name = "0"}) {
  %c10 = arith.constant 10 : i64
  %zero = arith.constant dense<0> : tensor<i64>
  %greatest = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]} ins(%ids : tensor<3xi64>) outs(%zero : tensor<i64>) {
  ^bb0(%in: i64, %out: i64):
    %0 = arith.maxui %out, %in : i64
    linalg.yield %0 : i64
  } -> tensor<i64>
  %number = tensor.extract %greatest[] : tensor<i64>
  %ok = arith.cmpi ult, %number, %c10 : i64
  cf.assert %ok, "index out of range" {wse.dimension = 0 : i64, wse.index_check = "front"}
  return %ids : tensor<3xi64>
}

// -----

// Divisors: whether one of them is zero.
// CHECK: wse.returned_checks = [{dimension = -1 : i64, kind = "division"
// CHECK: arith.cmpi eq
// CHECK: arith.extui
// CHECK: arith.maxsi
// CHECK-NOT: cf.assert
// CHECK: return
func.func @main(%divisors: tensor<3xi32>) -> tensor<3xi32> {
  %c0 = arith.constant 0 : i32
  %most = arith.constant dense<-1> : tensor<i32>
  %least = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]} ins(%divisors : tensor<3xi32>) outs(%most : tensor<i32>) {
  ^bb0(%in: i32, %out: i32):
    %0 = arith.minui %out, %in : i32
    linalg.yield %0 : i32
  } -> tensor<i32>
  %number = tensor.extract %least[] : tensor<i32>
  %ok = arith.cmpi ne, %number, %c0 : i32
  cf.assert %ok, "an integer is divided by zero" {wse.division_check}
  return %divisors : tensor<3xi32>
}

// -----

// Any other assertion stays as it is.
// CHECK-NOT: wse.returned_checks
// CHECK: cf.assert
func.func @main(%x: tensor<i1>) -> tensor<i1> {
  %ok = tensor.extract %x[] : tensor<i1>
  cf.assert %ok, "something else"
  return %x : tensor<i1>
}
