// RUN: wse-opt %s --split-input-file --wse-sink-epilogues --canonicalize --cse | filecheck %s

#a = affine_map<(i, j, k) -> (i, k)>
#b = affine_map<(i, j, k) -> (k, j)>
#c = affine_map<(i, j, k) -> (i, j)>
#mat = affine_map<(d0, d1) -> (d0, d1)>
#turned = affine_map<(d0, d1) -> (d1, d0)>
#row = affine_map<(d0, d1) -> (d0)>
#column = affine_map<(d0, d1) -> (d1)>

// The mask that the maximum and the exponential of scores begin with is evaluated once, behind the product, in terms of
// the product's dimensions: the second reader reads it transposed.
// CHECK-LABEL: func.func @masked
// CHECK: %[[S:.*]] = linalg.generic {{.*}}"reduction"
// CHECK: %[[T:.*]] = linalg.generic {{.*}} ins(%[[S]], %arg2 : tensor<4x6xf32>, tensor<6xi8>)
// CHECK-DAG: linalg.index 0
// CHECK-DAG: linalg.index 1
// CHECK: arith.select
// CHECK: %[[M:.*]] = linalg.generic {{.*}} ins(%[[T]] : tensor<4x6xf32>)
// CHECK-NEXT: ^bb0
// CHECK-NEXT: arith.maximumf
// CHECK: linalg.generic {{.*}} ins(%[[T]], %[[M]] :
// CHECK-NEXT: ^bb0
// CHECK-NEXT: arith.subf
func.func @masked(%x: tensor<4x5xf32>, %y: tensor<5x6xf32>, %keep: tensor<6xi8>, %s0: tensor<4x6xf32>, %m0: tensor<4xf32>) -> tensor<6x4xf32> {
  %zero = arith.constant 0 : i8
  %low = arith.constant 0xFF800000 : f32
  %s = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %y : tensor<4x5xf32>, tensor<5x6xf32>) outs(%s0 : tensor<4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %q = arith.addf %c, %p : f32
    linalg.yield %q : f32
  } -> tensor<4x6xf32>
  %m = linalg.generic {indexing_maps = [#column, #mat, #row], iterator_types = ["parallel", "reduction"]} ins(%keep, %s : tensor<6xi8>, tensor<4x6xf32>) outs(%m0 : tensor<4xf32>) {
  ^bb0(%k: i8, %a: f32, %c: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %before = arith.cmpi sle, %j, %i : index
    %kept = arith.cmpi ne, %k, %zero : i8
    %seen = arith.andi %before, %kept : i1
    %v = arith.select %seen, %a, %low : f32
    %n = arith.maximumf %v, %c : f32
    linalg.yield %n : f32
  } -> tensor<4xf32>
  %e = tensor.empty() : tensor<6x4xf32>
  %r = linalg.generic {indexing_maps = [#row, #turned, #column, #mat], iterator_types = ["parallel", "parallel"]} ins(%keep, %s, %m : tensor<6xi8>, tensor<4x6xf32>, tensor<4xf32>) outs(%e : tensor<6x4xf32>) {
  ^bb0(%k: i8, %a: f32, %h: f32, %c: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 0 : index
    %before = arith.cmpi sle, %j, %i : index
    %kept = arith.cmpi ne, %k, %zero : i8
    %seen = arith.andi %before, %kept : i1
    %v = arith.select %seen, %a, %low : f32
    %d = arith.subf %v, %h : f32
    linalg.yield %d : f32
  } -> tensor<6x4xf32>
  return %r : tensor<6x4xf32>
}

// -----

#a = affine_map<(i, j, k) -> (i, k)>
#b = affine_map<(i, j, k) -> (k, j)>
#c = affine_map<(i, j, k) -> (i, j)>
#mat = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// Readers that begin differently stay as they are.
// CHECK-LABEL: func.func @different
// CHECK-COUNT-3: linalg.generic
// CHECK-NOT: linalg.generic
// What is no product would be written once more for it: nothing changes.
// CHECK-LABEL: func.func @no_product
// CHECK-COUNT-2: linalg.generic
// CHECK-NOT: linalg.generic
func.func @different(%x: tensor<4x5xf32>, %y: tensor<5x6xf32>, %s0: tensor<4x6xf32>, %f: f32) -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %s = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %y : tensor<4x5xf32>, tensor<5x6xf32>) outs(%s0 : tensor<4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %q = arith.addf %c, %p : f32
    linalg.yield %q : f32
  } -> tensor<4x6xf32>
  %e = tensor.empty() : tensor<4x6xf32>
  %r0 = linalg.generic {indexing_maps = [#mat, #mat], iterator_types = ["parallel", "parallel"]} ins(%s : tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%a: f32, %c: f32):
    %p = arith.mulf %a, %f : f32
    linalg.yield %p : f32
  } -> tensor<4x6xf32>
  %r1 = linalg.generic {indexing_maps = [#mat, #mat], iterator_types = ["parallel", "parallel"]} ins(%s : tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%a: f32, %c: f32):
    %p = arith.addf %a, %f : f32
    linalg.yield %p : f32
  } -> tensor<4x6xf32>
  return %r0, %r1 : tensor<4x6xf32>, tensor<4x6xf32>
}
func.func @no_product(%x: tensor<4x6xf32>, %m0: tensor<4xf32>, %f: f32) -> (tensor<4xf32>, tensor<4x6xf32>) {
  %m = linalg.generic {indexing_maps = [#mat, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x6xf32>) outs(%m0 : tensor<4xf32>) {
  ^bb0(%a: f32, %c: f32):
    %p = arith.mulf %a, %f : f32
    %n = arith.maximumf %p, %c : f32
    linalg.yield %n : f32
  } -> tensor<4xf32>
  %e = tensor.empty() : tensor<4x6xf32>
  %r = linalg.generic {indexing_maps = [#mat, #mat], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%a: f32, %c: f32):
    %p = arith.mulf %a, %f : f32
    %n = math.exp %p : f32
    linalg.yield %n : f32
  } -> tensor<4x6xf32>
  return %m, %r : tensor<4xf32>, tensor<4x6xf32>
}
