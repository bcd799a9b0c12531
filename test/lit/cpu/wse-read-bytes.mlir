// RUN: wse-opt %s --wse-read-bytes | filecheck %s

#mat = affine_map<(d0, d1) -> (d0, d1)>
#column = affine_map<(d0, d1) -> (d1)>

// Bits that are read for each of many rows are bytes there: of those there are vectors.
// CHECK-LABEL: func.func @padding
// CHECK: %[[B:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<6xi1>) outs(%{{.*}} : tensor<6xi8>)
// CHECK: linalg.generic {{.*}} ins(%[[B]], %arg1 : tensor<6xi8>, tensor<4x6xf32>)
// CHECK: arith.cmpi ne
func.func @padding(%keep: tensor<6xi1>, %x: tensor<4x6xf32>, %low: f32) -> tensor<4x6xf32> {
  %e = tensor.empty() : tensor<4x6xf32>
  %r = linalg.generic {indexing_maps = [#column, #mat, #mat], iterator_types = ["parallel", "parallel"]} ins(%keep, %x : tensor<6xi1>, tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%a: i1, %b: f32, %c: f32):
    %s = arith.select %a, %b, %low : f32
    linalg.yield %s : f32
  } -> tensor<4x6xf32>
  return %r : tensor<4x6xf32>
}

// Bits that are read once stay bits.
// CHECK-LABEL: func.func @once
// CHECK: linalg.generic {{.*}} ins(%arg0, %arg1 : tensor<4x6xi1>, tensor<4x6xf32>)
func.func @once(%keep: tensor<4x6xi1>, %x: tensor<4x6xf32>, %low: f32) -> tensor<4x6xf32> {
  %e = tensor.empty() : tensor<4x6xf32>
  %r = linalg.generic {indexing_maps = [#mat, #mat, #mat], iterator_types = ["parallel", "parallel"]} ins(%keep, %x : tensor<4x6xi1>, tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%a: i1, %b: f32, %c: f32):
    %s = arith.select %a, %b, %low : f32
    linalg.yield %s : f32
  } -> tensor<4x6xf32>
  return %r : tensor<4x6xf32>
}
