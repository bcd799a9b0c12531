// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-narrow-factors,wse-dce),canonicalize,cse)' | filecheck %s

// Both operands are read as they were before they were widened; the sum stays f32.
// CHECK-LABEL: func.func @linear
// CHECK-NOT: tensor<4x8xf32>
// CHECK: linalg.generic {{.*}}"reduction"]} ins(%arg0, %{{.*}} : tensor<4x8xf16>, tensor<8x6xf16>) outs(%{{.*}} : tensor<4x6xf32>)
// CHECK: arith.extf
// CHECK: arith.extf
// CHECK: arith.mulf %{{.*}} : f32
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @linear(%a: tensor<4x8xf16>, %b: tensor<6x8xf16>, %c: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %e0 = tensor.empty() : tensor<4x8xf32>
  %e1 = tensor.empty() : tensor<6x8xf32>
  %e2 = tensor.empty() : tensor<8x6xf32>
  %x = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<4x8xf16>) outs(%e0 : tensor<4x8xf32>) {
  ^bb0(%in: f16, %out: f32):
    %t = arith.extf %in : f16 to f32
    linalg.yield %t : f32
  } -> tensor<4x8xf32>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%b : tensor<6x8xf16>) outs(%e1 : tensor<6x8xf32>) {
  ^bb0(%in: f16, %out: f32):
    %t = arith.extf %in : f16 to f32
    linalg.yield %t : f32
  } -> tensor<6x8xf32>
  %v = linalg.transpose ins(%w : tensor<6x8xf32>) outs(%e2 : tensor<8x6xf32>) permutation = [1, 0]
  %0 = linalg.matmul ins(%x, %v : tensor<4x8xf32>, tensor<8x6xf32>) outs(%c : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// -----

// Past zeros around an image and a reshape; what else reads the wide image still does.
// CHECK-LABEL: func.func @convolution
// CHECK: tensor.pad
// CHECK: tensor<1x2x5xf16> to tensor<1x2x7xf16>
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<1x2x7xf16>, tensor<4x2x3xf16>) outs(%arg2 : tensor<1x4x5xf32>)
// CHECK: return %{{.*}}, %{{.*}} : tensor<1x4x5xf32>, tensor<1x2x5xf32>
#i3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#i2 = affine_map<(d0, d1) -> (d0, d1)>
func.func @convolution(%a: tensor<1x2x5xf16>, %k: tensor<4x6xf16>, %c: tensor<1x4x5xf32>)
    -> (tensor<1x4x5xf32>, tensor<1x2x5xf32>) {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<1x2x5xf32>
  %e1 = tensor.empty() : tensor<4x6xf32>
  %x = linalg.generic {indexing_maps = [#i3, #i3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a : tensor<1x2x5xf16>) outs(%e0 : tensor<1x2x5xf32>) {
  ^bb0(%in: f16, %out: f32):
    %t = arith.extf %in : f16 to f32
    linalg.yield %t : f32
  } -> tensor<1x2x5xf32>
  %w = linalg.generic {indexing_maps = [#i2, #i2], iterator_types = ["parallel", "parallel"]}
      ins(%k : tensor<4x6xf16>) outs(%e1 : tensor<4x6xf32>) {
  ^bb0(%in: f16, %out: f32):
    %t = arith.extf %in : f16 to f32
    linalg.yield %t : f32
  } -> tensor<4x6xf32>
  %p = tensor.pad %x low[0, 0, 1] high[0, 0, 1] {
  ^bb0(%i: index, %j: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x2x5xf32> to tensor<1x2x7xf32>
  %f = tensor.expand_shape %w [[0], [1, 2]] output_shape [4, 2, 3] : tensor<4x6xf32> into tensor<4x2x3xf32>
  %0 = linalg.conv_1d_ncw_fcw ins(%p, %f : tensor<1x2x7xf32>, tensor<4x2x3xf32>) outs(%c : tensor<1x4x5xf32>) -> tensor<1x4x5xf32>
  return %0, %x : tensor<1x4x5xf32>, tensor<1x2x5xf32>
}

// -----

// Bytes whose products are summed in i64, of which 32 bits are kept: i32 sums.
// CHECK-LABEL: func.func @bytes
// CHECK: linalg.generic {{.*}}"reduction"]} ins(%arg0, %arg1 : tensor<4x8xi8>, tensor<8x6xi8>) outs(%{{.*}} : tensor<4x6xi32>)
// CHECK-NEXT: ^bb0(%{{.*}}: i8, %{{.*}}: i8, %{{.*}}: i32)
// CHECK-NEXT: arith.extsi %{{.*}} : i8 to i32
// CHECK-NEXT: arith.extsi %{{.*}} : i8 to i32
// CHECK-NEXT: arith.muli %{{.*}} : i32
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @bytes(%a: tensor<4x8xi8>, %b: tensor<8x6xi8>) -> tensor<4x6xi32> {
  %zero = arith.constant 0 : i64
  %e0 = tensor.empty() : tensor<4x8xi32>
  %e1 = tensor.empty() : tensor<8x6xi32>
  %e2 = tensor.empty() : tensor<4x6xi64>
  %e3 = tensor.empty() : tensor<4x6xi32>
  %x = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<4x8xi8>) outs(%e0 : tensor<4x8xi32>) {
  ^bb0(%in: i8, %out: i32):
    %t = arith.extsi %in : i8 to i32
    linalg.yield %t : i32
  } -> tensor<4x8xi32>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%b : tensor<8x6xi8>) outs(%e1 : tensor<8x6xi32>) {
  ^bb0(%in: i8, %out: i32):
    %t = arith.extsi %in : i8 to i32
    linalg.yield %t : i32
  } -> tensor<8x6xi32>
  %fill = linalg.fill ins(%zero : i64) outs(%e2 : tensor<4x6xi64>) -> tensor<4x6xi64>
  %0 = linalg.matmul ins(%x, %w : tensor<4x8xi32>, tensor<8x6xi32>) outs(%fill : tensor<4x6xi64>) -> tensor<4x6xi64>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<4x6xi64>) outs(%e3 : tensor<4x6xi32>) {
  ^bb0(%in: i64, %out: i32):
    %t = arith.trunci %in : i64 to i32
    linalg.yield %t : i32
  } -> tensor<4x6xi32>
  return %1 : tensor<4x6xi32>
}

// -----

// One operand alone is narrow, or they are narrow in two ways, or a sum is read whole: nothing changes.
// CHECK-LABEL: func.func @others
// CHECK: linalg.matmul ins(%{{.*}}, %arg1 : tensor<4x8xf32>, tensor<8x6xf32>)
// CHECK: linalg.matmul ins(%{{.*}}, %{{.*}} : tensor<4x8xf32>, tensor<8x6xf32>)
// CHECK: linalg.matmul {{.*}} outs(%arg4 : tensor<4x6xi64>)
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @others(%a: tensor<4x8xf16>, %b: tensor<8x6xf32>, %d: tensor<8x6xbf16>, %c: tensor<4x6xf32>,
                  %s: tensor<4x6xi64>, %i: tensor<4x8xi32>, %j: tensor<8x6xi32>)
    -> (tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xi64>) {
  %e0 = tensor.empty() : tensor<4x8xf32>
  %e1 = tensor.empty() : tensor<8x6xf32>
  %x = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<4x8xf16>) outs(%e0 : tensor<4x8xf32>) {
  ^bb0(%in: f16, %out: f32):
    %t = arith.extf %in : f16 to f32
    linalg.yield %t : f32
  } -> tensor<4x8xf32>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%d : tensor<8x6xbf16>) outs(%e1 : tensor<8x6xf32>) {
  ^bb0(%in: bf16, %out: f32):
    %t = arith.extf %in : bf16 to f32
    linalg.yield %t : f32
  } -> tensor<8x6xf32>
  %0 = linalg.matmul ins(%x, %b : tensor<4x8xf32>, tensor<8x6xf32>) outs(%c : tensor<4x6xf32>) -> tensor<4x6xf32>
  %1 = linalg.matmul ins(%x, %w : tensor<4x8xf32>, tensor<8x6xf32>) outs(%c : tensor<4x6xf32>) -> tensor<4x6xf32>
  %2 = linalg.matmul ins(%i, %j : tensor<4x8xi32>, tensor<8x6xi32>) outs(%s : tensor<4x6xi64>) -> tensor<4x6xi64>
  return %0, %1, %2 : tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xi64>
}
