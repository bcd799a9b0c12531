// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-specialize))' | filecheck %s
// RUN: wse-opt %s --split-input-file --mlir-print-debuginfo --mlir-print-local-scope --wse-specialize | filecheck %s --check-prefix=LOC

#row = affine_map<(d0, d1, d2) -> (d0, d2)>
#column = affine_map<(d0, d1, d2) -> (d2, d1)>
#transposed = affine_map<(d0, d1, d2) -> (d1, d2)>
#out = affine_map<(d0, d1, d2) -> (d0, d1)>

// A sum of products over one loop is a matmul, and keeps its location.
// CHECK-LABEL: func.func @matmul
// CHECK: linalg.matmul ins(%{{.*}}, %{{.*}} : tensor<4x8xf32>, tensor<8x16xf32>) outs(%{{.*}} : tensor<4x16xf32>)
// LOC: linalg.matmul {{.*}} loc("fc1")
func.func @matmul(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %c: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %0 = linalg.generic {indexing_maps = [#row, #column, #out], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%c : tensor<4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %m = arith.mulf %x, %y : f32
    %s = arith.addf %z, %m : f32
    linalg.yield %s : f32
  } -> tensor<4x16xf32> loc("fc1")
  return %0 : tensor<4x16xf32>
}

// A transposed right operand is kept in indexing_maps, and half-precision factors are widened to the accumulator.
// CHECK-LABEL: func.func @matmul_transposed
// CHECK: linalg.matmul indexing_maps = [{{.*}}] ins(%{{.*}}, %{{.*}} : tensor<4x8xf16>, tensor<16x8xf16>) outs(%{{.*}} : tensor<4x16xf32>)
func.func @matmul_transposed(%a: tensor<4x8xf16>, %b: tensor<16x8xf16>, %c: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %0 = linalg.generic {indexing_maps = [#row, #transposed, #out], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<4x8xf16>, tensor<16x8xf16>) outs(%c : tensor<4x16xf32>) {
  ^bb0(%x: f16, %y: f16, %z: f32):
    %e = arith.extf %x : f16 to f32
    %f = arith.extf %y : f16 to f32
    %m = arith.mulf %e, %f : f32
    %s = arith.addf %m, %z : f32
    linalg.yield %s : f32
  } -> tensor<4x16xf32>
  return %0 : tensor<4x16xf32>
}

// The order of the loops does not matter: here the reduction comes first.
// CHECK-LABEL: func.func @reduction_outermost
// CHECK: linalg.matmul ins(
func.func @reduction_outermost(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %c: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(k, i, j) -> (i, k)>, affine_map<(k, i, j) -> (k, j)>, affine_map<(k, i, j) -> (i, j)>], iterator_types = ["reduction", "parallel", "parallel"]} ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%c : tensor<4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %m = arith.mulf %x, %y : f32
    %s = arith.addf %z, %m : f32
    linalg.yield %s : f32
  } -> tensor<4x16xf32>
  return %0 : tensor<4x16xf32>
}

// A scaled product is no matmul.
// CHECK-LABEL: func.func @not_matmul
// CHECK: linalg.generic
// CHECK-NOT: linalg.matmul
func.func @not_matmul(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %c: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %0 = linalg.generic {indexing_maps = [#row, #column, #out], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%c : tensor<4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %m = arith.mulf %x, %y : f32
    %n = arith.mulf %m, %m : f32
    %s = arith.addf %z, %n : f32
    linalg.yield %s : f32
  } -> tensor<4x16xf32>
  return %0 : tensor<4x16xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#swap = affine_map<(d0, d1) -> (d1, d0)>
#first = affine_map<(d0, d1) -> (d0)>
#second = affine_map<(d0, d1) -> (d1)>
#scalar = affine_map<(d0, d1) -> ()>

// Bodies that only yield an input: fill, transpose, broadcast.
// CHECK-LABEL: func.func @movement
// CHECK: linalg.fill
// CHECK: linalg.transpose {{.*}} permutation = [1, 0]
// CHECK: linalg.broadcast {{.*}} dimensions = [0]
func.func @movement(%x: tensor<8x4xf32>, %v: tensor<8xf32>, %e: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
  %c = arith.constant 1.0 : f32
  %0 = linalg.generic {indexing_maps = [#scalar, #id], iterator_types = ["parallel", "parallel"]} ins(%c : f32) outs(%e : tensor<4x8xf32>) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %in : f32
  } -> tensor<4x8xf32>
  %1 = linalg.generic {indexing_maps = [#swap, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x4xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %in : f32
  } -> tensor<4x8xf32>
  %2 = linalg.generic {indexing_maps = [#second, #id], iterator_types = ["parallel", "parallel"]} ins(%v : tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %in : f32
  } -> tensor<4x8xf32>
  return %0, %1, %2 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}

// One scalar operation is elementwise; operands in the body's order; a reduction keeps its body.
// CHECK-LABEL: func.func @elementwise
// CHECK: linalg.sub ins(%arg1, %arg0
// CHECK: linalg.reduce { arith.maximumf }
func.func @elementwise(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %v: tensor<4xf32>) -> (tensor<4x8xf32>, tensor<4xf32>) {
  %0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %y : tensor<4x8xf32>, tensor<4x8xf32>) outs(%x : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %b, %a : f32
    linalg.yield %d : f32
  } -> tensor<4x8xf32>
  %1 = linalg.generic {indexing_maps = [#id, #first], iterator_types = ["parallel", "reduction"]} ins(%0 : tensor<4x8xf32>) outs(%v : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %d = arith.maximumf %o, %a : f32
    linalg.yield %d : f32
  } -> tensor<4xf32>
  return %0, %1 : tensor<4x8xf32>, tensor<4xf32>
}

// On i1, linalg.add means "or": an exclusive or written as addi stays; so does an operand that is transposed.
// CHECK-LABEL: func.func @not_elementwise
// CHECK-COUNT-2: linalg.generic
// CHECK-NOT: linalg.add
func.func @not_elementwise(%x: tensor<4x4xi1>, %y: tensor<4x4xf32>) -> (tensor<4x4xi1>, tensor<4x4xf32>) {
  %0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %x : tensor<4x4xi1>, tensor<4x4xi1>) outs(%x : tensor<4x4xi1>) {
  ^bb0(%a: i1, %b: i1, %o: i1):
    %d = arith.addi %b, %a : i1
    linalg.yield %d : i1
  } -> tensor<4x4xi1>
  %1 = linalg.generic {indexing_maps = [#id, #swap, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %y : tensor<4x4xf32>, tensor<4x4xf32>) outs(%y : tensor<4x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.addf %b, %a : f32
    linalg.yield %d : f32
  } -> tensor<4x4xf32>
  return %0, %1 : tensor<4x4xi1>, tensor<4x4xf32>
}

// Buffers: the named operation has no result.
// CHECK-LABEL: func.func @buffers
// CHECK: linalg.transpose ins(%{{.*}} : memref<4x4xf32>) outs(%{{.*}} : memref<4x4xf32>) permutation = [1, 0]
// CHECK: linalg.exp ins(%{{.*}} : memref<4x4xf32>) outs(%{{.*}} : memref<4x4xf32>)
// CHECK-NOT: linalg.generic
func.func @buffers(%a: memref<4x4xf32>, %b: memref<4x4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j, i)>], iterator_types = ["parallel", "parallel"]} ins(%a : memref<4x4xf32>) outs(%b : memref<4x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%a : memref<4x4xf32>) outs(%b : memref<4x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %e = math.exp %x : f32
    linalg.yield %e : f32
  }
  return
}
