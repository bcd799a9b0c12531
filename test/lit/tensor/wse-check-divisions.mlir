// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-check-divisions),canonicalize,cse)' --split-input-file | filecheck %s

// The least divisor, read without a sign, is compared with zero; 0 and -1 are not divided by. Both divisions share it.
// CHECK-LABEL: func.func @given
// CHECK:         %[[L:.*]] = linalg.generic {{.*}}["reduction"]{{.*}} ins(%arg1 : tensor<3xi64>)
// CHECK:           arith.minui %{{.*}}, %{{.*}} : i64
// CHECK:         %[[E:.*]] = tensor.extract %[[L]][]
// CHECK:         %[[OK:.*]] = arith.cmpi ne, %[[E]], %c0_i64
// CHECK:         cf.assert %[[OK]], "an integer is divided by zero" {wse.division_check}
// CHECK-NOT:     cf.assert
// CHECK:         linalg.generic
// CHECK-DAG:       arith.cmpi eq, %{{.*}}, %c-1_i64
// CHECK-DAG:       arith.cmpi eq, %{{.*}}, %c0_i64
// CHECK:           %[[SAFE:.*]] = arith.select
// CHECK:           arith.divsi %{{.*}}, %[[SAFE]]
func.func @given(%a: tensor<3xi64>, %b: tensor<3xi64>) -> tensor<3xi64> {
  %e = tensor.empty() : tensor<3xi64>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                       iterator_types = ["parallel"]}
      ins(%a, %b : tensor<3xi64>, tensor<3xi64>) outs(%e : tensor<3xi64>) {
  ^bb0(%x: i64, %y: i64, %out: i64):
    %q = arith.divsi %x, %y : i64
    %l = arith.remsi %x, %y : i64
    %s = arith.addi %q, %l : i64
    linalg.yield %s : i64
  } -> tensor<3xi64>
  return %r : tensor<3xi64>
}

// -----

// Proven: constants, what is clamped, and narrow numbers, whose quotient by -1 fits.
// CHECK-LABEL: func.func @proven
// CHECK-NOT:     cf.assert
// CHECK-NOT:     arith.select
func.func @proven(%a: tensor<3xi64>, %b: tensor<3xi64>, %n: tensor<3xi8>) -> tensor<3xi64> {
  %c1 = arith.constant 1 : i64
  %c7 = arith.constant -7 : i64
  %minus = arith.constant -1 : i32
  %e = tensor.empty() : tensor<3xi64>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>,
                                        affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%a, %b, %n : tensor<3xi64>, tensor<3xi64>, tensor<3xi8>) outs(%e : tensor<3xi64>) {
  ^bb0(%x: i64, %y: i64, %z: i8, %out: i64):
    %d = arith.maxsi %y, %c1 : i64
    %q = arith.divsi %x, %d : i64
    %l = arith.remsi %q, %c7 : i64
    %w = arith.extsi %z : i8 to i32
    %v = arith.divsi %w, %minus : i32
    %u = arith.extsi %v : i32 to i64
    %s = arith.addi %l, %u : i64
    linalg.yield %s : i64
  } -> tensor<3xi64>
  return %r : tensor<3xi64>
}

// -----

// Whole tensors, bodies of named operations, and numbers outside of any.
// CHECK-LABEL: func.func @other_forms
// CHECK:         arith.minui
// CHECK:         cf.assert %{{.*}}, "an integer is divided by zero" {wse.division_check}
// CHECK:         linalg.generic
// CHECK:           arith.divui
// CHECK:         linalg.generic
// CHECK:           arith.remui
// CHECK:         %[[OK:.*]] = arith.cmpi ne, %arg2, %c0_i32
// CHECK:         cf.assert %[[OK]]
// CHECK:         arith.divui
func.func @other_forms(%a: tensor<?xi32>, %b: tensor<?xi32>, %n: i32) -> (tensor<?xi32>, tensor<?xi32>, i32) {
  %q = arith.divui %a, %b : tensor<?xi32>
  %r = linalg.map ins(%a, %b : tensor<?xi32>, tensor<?xi32>) outs(%a : tensor<?xi32>) (%x: i32, %y: i32, %z: i32) {
    %d = arith.remui %x, %y : i32
    linalg.yield %d : i32
  }
  %s = arith.divui %n, %n : i32
  return %q, %r, %s : tensor<?xi32>, tensor<?xi32>, i32
}
