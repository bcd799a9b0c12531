// RUN: wse-opt %s --wse-expand-copies | filecheck %s

// A copy into a strided buffer becomes a loop nest over the buffer's rank.
// CHECK-LABEL: func.func @strided
// CHECK-NOT: memref.copy
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]
// CHECK-SAME: ins(%{{.*}} : memref<4x8xf32>) outs(%{{.*}} : memref<4x8xf32, strided<[16, 1]>>)
// CHECK: linalg.yield %in : f32
func.func @strided(%a: memref<4x8xf32>, %b: memref<4x8xf32, strided<[16, 1]>>) {
  memref.copy %a, %b : memref<4x8xf32> to memref<4x8xf32, strided<[16, 1]>>
  return
}

// A copy of one element has no loops.
// CHECK-LABEL: func.func @scalar
// CHECK: linalg.generic {{.*}}iterator_types = []
func.func @scalar(%a: memref<i64>, %b: memref<i64>) {
  memref.copy %a, %b : memref<i64> to memref<i64>
  return
}

// The rank of an unranked buffer is not known: its copy stays.
// CHECK-LABEL: func.func @unranked
// CHECK: memref.copy
func.func @unranked(%a: memref<*xf32>, %b: memref<*xf32>) {
  memref.copy %a, %b : memref<*xf32> to memref<*xf32>
  return
}
