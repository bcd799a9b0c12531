// RUN: wse-opt %s --split-input-file --wse-inline-masks | filecheck %s

#mat = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#column = affine_map<(d0, d1) -> (d1)>

// A causal mask is a comparison of indices in the operation that asks for it: no bits are read, no constants counted.
// CHECK-LABEL: func.func @causal
// CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<4x6xf32>)
// CHECK-DAG: linalg.index 1
// CHECK-DAG: linalg.index 0
// CHECK: arith.cmpi sle
// CHECK: arith.select
func.func @causal(%x: tensor<4x6xf32>, %low: f32) -> tensor<4x6xf32> {
  %columns = arith.constant dense<[0, 1, 2, 3, 4, 5]> : tensor<6xi64>
  %rows = arith.constant dense<[2, 3, 4, 5]> : tensor<4xi64>
  %m0 = tensor.empty() : tensor<4x6xi1>
  %m = linalg.generic {indexing_maps = [#column, #row, #mat], iterator_types = ["parallel", "parallel"]} ins(%columns, %rows : tensor<6xi64>, tensor<4xi64>) outs(%m0 : tensor<4x6xi1>) {
  ^bb0(%a: i64, %b: i64, %c: i1):
    %p = arith.cmpi sle, %a, %b : i64
    linalg.yield %p : i1
  } -> tensor<4x6xi1>
  %e = tensor.empty() : tensor<4x6xf32>
  %r = linalg.generic {indexing_maps = [#mat, #mat, #mat], iterator_types = ["parallel", "parallel"]} ins(%m, %x : tensor<4x6xi1>, tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%a: i1, %b: f32, %c: f32):
    %s = arith.select %a, %b, %low : f32
    linalg.yield %s : f32
  } -> tensor<4x6xf32>
  return %r : tensor<4x6xf32>
}

// -----

#mat = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// Bits that come from outside stay where they are, and so do those that are the result of a reduction.
// CHECK-LABEL: func.func @given
// CHECK: ins(%arg0, %arg1 : tensor<4x6xi1>, tensor<4x6xf32>)
// CHECK-LABEL: func.func @any
// CHECK: arith.ori
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %arg1 : tensor<4xi1>, tensor<4x6xf32>)
func.func @given(%m: tensor<4x6xi1>, %x: tensor<4x6xf32>, %low: f32) -> tensor<4x6xf32> {
  %e = tensor.empty() : tensor<4x6xf32>
  %r = linalg.generic {indexing_maps = [#mat, #mat, #mat], iterator_types = ["parallel", "parallel"]} ins(%m, %x : tensor<4x6xi1>, tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%a: i1, %b: f32, %c: f32):
    %s = arith.select %a, %b, %low : f32
    linalg.yield %s : f32
  } -> tensor<4x6xf32>
  return %r : tensor<4x6xf32>
}
func.func @any(%m: tensor<4x6xi1>, %x: tensor<4x6xf32>, %low: f32, %none: tensor<4xi1>) -> tensor<4x6xf32> {
  %any = linalg.generic {indexing_maps = [#mat, #row], iterator_types = ["parallel", "reduction"]} ins(%m : tensor<4x6xi1>) outs(%none : tensor<4xi1>) {
  ^bb0(%a: i1, %c: i1):
    %s = arith.ori %a, %c : i1
    linalg.yield %s : i1
  } -> tensor<4xi1>
  %e = tensor.empty() : tensor<4x6xf32>
  %r = linalg.generic {indexing_maps = [#row, #mat, #mat], iterator_types = ["parallel", "parallel"]} ins(%any, %x : tensor<4xi1>, tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%a: i1, %b: f32, %c: f32):
    %s = arith.select %a, %b, %low : f32
    linalg.yield %s : f32
  } -> tensor<4x6xf32>
  return %r : tensor<4x6xf32>
}

// -----

#mat = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#column = affine_map<(d0, d1) -> (d1)>

// Distances between places are computed where they are compared, in 32 bits; so is a mask of numbers that they make.
// CHECK-LABEL: func.func @distances
// CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<4x6xf32>)
// CHECK: arith.index_cast {{.*}} : index to i32
// CHECK: arith.subi {{.*}} : i32
// CHECK: arith.cmpi sge, {{.*}} : i32
// CHECK: arith.addf
func.func @distances(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %columns = arith.constant dense<[0, 1, 2, 3, 4, 5]> : tensor<6xi64>
  %rows = arith.constant dense<[2, 3, 4, 5]> : tensor<4xi64>
  %one = arith.constant 1 : i64
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %d0 = tensor.empty() : tensor<4x6xi64>
  %d = linalg.generic {indexing_maps = [#column, #row, #mat], iterator_types = ["parallel", "parallel"]} ins(%columns, %rows : tensor<6xi64>, tensor<4xi64>) outs(%d0 : tensor<4x6xi64>) {
  ^bb0(%a: i64, %b: i64, %c: i64):
    %p = arith.subi %a, %b : i64
    linalg.yield %p : i64
  } -> tensor<4x6xi64>
  %e = tensor.empty() : tensor<4x6xf32>
  %m = linalg.generic {indexing_maps = [#mat, #mat], iterator_types = ["parallel", "parallel"]} ins(%d : tensor<4x6xi64>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%a: i64, %c: f32):
    %far = arith.cmpi sge, %a, %one : i64
    %v = arith.select %far, %low, %zero : f32
    linalg.yield %v : f32
  } -> tensor<4x6xf32>
  %r = linalg.generic {indexing_maps = [#mat, #mat, #mat], iterator_types = ["parallel", "parallel"]} ins(%m, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %s = arith.addf %b, %a : f32
    linalg.yield %s : f32
  } -> tensor<4x6xf32>
  return %r : tensor<4x6xf32>
}
