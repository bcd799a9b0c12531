// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-accumulate{type=f16}))' | filecheck %s
// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-accumulate{type=f32}))' | filecheck %s --check-prefix=WIDE
// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-accumulate{type=f16},wse-generalize,wse-fuse,wse-dce),canonicalize,cse)' | filecheck %s --check-prefix=FUSED
// RUN: not wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-accumulate{type=i8}))' 2>&1 | filecheck %s --check-prefix=TYPE

// TYPE: products cannot sum in 'i8'

// A product of f16 that sums in f32, as it is imported: the sum becomes f16, and the conversion back to f16 goes away.
// CHECK-LABEL: func.func @matmul
// CHECK: linalg.generic {{.*}}"reduction"]} ins(%arg0, %arg1 : tensor<4x8xf16>, tensor<8x6xf16>) outs(%{{.*}} : tensor<4x6xf16>)
// CHECK: arith.mulf %{{.*}} : f16
// CHECK: arith.addf %{{.*}} : f16
// CHECK: arith.extf %{{.*}} : f16 to f32
// WIDE-LABEL: func.func @matmul
// WIDE-NOT: arith.truncf %{{.*}} : f16
// WIDE: tensor<4x6xf32>
// FUSED-LABEL: func.func @matmul
// FUSED: arith.addf %{{.*}} : f16
// FUSED-NOT: extf
// FUSED-NOT: truncf
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @matmul(%a: tensor<4x8xf16>, %b: tensor<8x6xf16>) -> tensor<4x6xf16> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x6xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x6xf32>) -> tensor<4x6xf32>
  %0 = linalg.matmul ins(%a, %b : tensor<4x8xf16>, tensor<8x6xf16>) outs(%fill : tensor<4x6xf32>) -> tensor<4x6xf32>
  %half = tensor.empty() : tensor<4x6xf16>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<4x6xf32>) outs(%half : tensor<4x6xf16>) {
  ^bb0(%in: f32, %out: f16):
    %t = arith.truncf %in : f32 to f16
    linalg.yield %t : f16
  } -> tensor<4x6xf16>
  return %1 : tensor<4x6xf16>
}

// -----

// A product that sums in f16 and starts from a tensor: with f32 the start is widened, the result narrowed.
// FUSED-LABEL: func.func @from_tensor
// CHECK-LABEL: func.func @from_tensor
// CHECK: outs(%arg2 : tensor<4x6xf16>)
// CHECK-NOT: arith.extf
// WIDE-LABEL: func.func @from_tensor
// WIDE: arith.extf %{{.*}} : f16 to f32
// WIDE: linalg.generic {{.*}}"reduction"]} ins(%arg0, %arg1 : tensor<4x?xf16>, tensor<?x6xf16>) outs(%{{.*}} : tensor<4x6xf32>)
// WIDE: arith.truncf %{{.*}} : f32 to f16
func.func @from_tensor(%a: tensor<4x?xf16>, %b: tensor<?x6xf16>, %c: tensor<4x6xf16>) -> tensor<4x6xf16> {
  %0 = linalg.matmul ins(%a, %b : tensor<4x?xf16>, tensor<?x6xf16>) outs(%c : tensor<4x6xf16>) -> tensor<4x6xf16>
  return %0 : tensor<4x6xf16>
}

// -----

// f32 products cannot sum in f16, and sums of bf16 cannot either: nothing changes.
// CHECK-LABEL: func.func @others
// CHECK: linalg.matmul {{.*}}tensor<4x8xf32>
// CHECK: ins({{.*}}bf16>) outs(%{{.*}} : tensor<4x6xf32>)
// CHECK-NOT: truncf
func.func @others(%a: tensor<4x8xf32>, %b: tensor<8x6xf32>, %c: tensor<4x6xf32>,
                  %d: tensor<4x8xbf16>, %e: tensor<8x6xbf16>) -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %0 = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x6xf32>) outs(%c : tensor<4x6xf32>) -> tensor<4x6xf32>
  %1 = linalg.matmul ins(%d, %e : tensor<4x8xbf16>, tensor<8x6xbf16>) outs(%c : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %0, %1 : tensor<4x6xf32>, tensor<4x6xf32>
}
