// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-generalize))' | filecheck %s
// RUN: wse-opt %s --split-input-file --mlir-print-debuginfo --mlir-print-local-scope --wse-generalize | filecheck %s --check-prefix=LOC

// A matmul's maps and body become the generic's; the iterator that no init depends on is a reduction; its location stays.
// CHECK-LABEL: func.func @matmul
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["parallel", "parallel", "reduction"]
// CHECK-SAME: ins(%{{.*}}, %{{.*}} : tensor<4x8xf32>, tensor<8x16xf32>)
// CHECK: arith.mulf
// CHECK: arith.addf
// CHECK-NOT: linalg.matmul
// LOC: linalg.generic
// LOC: arith.mulf {{.*}} loc("fc1")
// LOC: arith.addf {{.*}} loc("fc1")
// LOC: linalg.yield
// LOC: -> tensor<4x16xf32> loc("fc1")
func.func @matmul(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %c: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %0 = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%c : tensor<4x16xf32>) -> tensor<4x16xf32> loc("fc1")
  return %0 : tensor<4x16xf32>
}

// -----

// A strided convolution keeps its window expressions.
// CHECK: #[[IMAGE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d4, d2 * 2 + d5, d3 * 2 + d6)>
// CHECK-LABEL: func.func @convolution
// CHECK: linalg.generic {indexing_maps = [#[[IMAGE]],
// CHECK-SAME: "parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"
func.func @convolution(%x: tensor<1x3x9x9xf32>, %w: tensor<5x3x3x3xf32>, %o: tensor<1x5x4x4xf32>) -> tensor<1x5x4x4xf32> {
  %0 = linalg.conv_2d_nchw_fchw {strides = dense<2> : vector<2xi64>} ins(%x, %w : tensor<1x3x9x9xf32>, tensor<5x3x3x3xf32>) outs(%o : tensor<1x5x4x4xf32>) -> tensor<1x5x4x4xf32>
  return %0 : tensor<1x5x4x4xf32>
}

// -----

// A pooling's window stays an operand, as it gives the trip counts of the window's loops.
// CHECK-LABEL: func.func @pooling
// CHECK: linalg.generic
// CHECK-SAME: ins(%{{.*}}, %{{.*}} : tensor<1x3x8x8xf32>, tensor<2x2xf32>)
// CHECK: arith.maximumf
func.func @pooling(%x: tensor<1x3x8x8xf32>, %w: tensor<2x2xf32>, %o: tensor<1x3x7x7xf32>) -> tensor<1x3x7x7xf32> {
  %0 = linalg.pooling_nchw_max ins(%x, %w : tensor<1x3x8x8xf32>, tensor<2x2xf32>) outs(%o : tensor<1x3x7x7xf32>) -> tensor<1x3x7x7xf32>
  return %0 : tensor<1x3x7x7xf32>
}

// -----

// Data movement, maps and reductions with regions of their own.
// CHECK-LABEL: func.func @movement
// CHECK-COUNT-5: linalg.generic
// CHECK-NOT: linalg.{{fill|transpose|broadcast|reduce|map}}
func.func @movement(%x: tensor<4x8xf32>, %v: tensor<4xf32>, %t: tensor<8x4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4xf32>, tensor<4x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %filled = linalg.fill ins(%zero : f32) outs(%v : tensor<4xf32>) -> tensor<4xf32>
  %0 = linalg.transpose ins(%x : tensor<4x8xf32>) outs(%t : tensor<8x4xf32>) permutation = [1, 0]
  %1 = linalg.broadcast ins(%v : tensor<4xf32>) outs(%t : tensor<8x4xf32>) dimensions = [0]
  %2 = linalg.reduce { arith.addf } ins(%x : tensor<4x8xf32>) outs(%filled : tensor<4xf32>) dimensions = [1]
  %3 = linalg.map { math.exp } ins(%x : tensor<4x8xf32>) outs(%x : tensor<4x8xf32>)
  return %0, %1, %2, %3 : tensor<8x4xf32>, tensor<8x4xf32>, tensor<4xf32>, tensor<4x8xf32>
}

// -----

// Softmax is not one loop nest: fills, maximum, exponential, sum, quotient; the dynamic size is taken from the operand.
// CHECK-LABEL: func.func @softmax
// CHECK: %[[SIZE:.*]] = tensor.dim
// CHECK: tensor.empty(%[[SIZE]]) : tensor<?xf32>
// CHECK: arith.maximumf
// CHECK: math.exp
// CHECK: arith.addf
// CHECK: arith.divf
// CHECK-NOT: linalg.softmax
func.func @softmax(%x: tensor<?x8xf32>, %o: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = linalg.softmax dimension(1) ins(%x : tensor<?x8xf32>) outs(%o : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// Operations on memrefs are generalised as well, and a generic is left as it is.
// CHECK-LABEL: func.func @memref
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : memref<4xf32>) outs(%{{.*}} : memref<4xf32>)
func.func @memref(%x: memref<4xf32>, %y: memref<4xf32>) {
  linalg.exp ins(%x : memref<4xf32>) outs(%y : memref<4xf32>)
  return
}
