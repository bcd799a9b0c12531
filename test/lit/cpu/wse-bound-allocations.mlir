// RUN: wse-opt %s --wse-bound-allocations | filecheck %s

// Two sizes that are known at run time only: 4 * n * m may be more than 64 bits hold, or than there are addresses.
// CHECK-LABEL: func.func @two(
// CHECK-SAME: %[[N:.*]]: index, %[[M:.*]]: index)
// CHECK: %[[FOUR:.*]] = arith.constant 4 : i64
// CHECK: %[[NI:.*]] = arith.index_cast %[[N]] : index to i64
// CHECK: %[[LOW:.*]], %[[HIGH:.*]] = arith.mului_extended %[[FOUR]], %[[NI]] : i64
// CHECK: %[[MI:.*]] = arith.index_cast %[[M]] : index to i64
// CHECK: %[[BYTES:.*]], %[[BEYOND:.*]] = arith.mului_extended %[[LOW]], %[[MI]] : i64
// CHECK: arith.constant 4611686018427387904 : i64
// CHECK: arith.cmpi uge, %[[BYTES]]
// CHECK: %[[HUGE:.*]] = arith.ori
// CHECK: %[[MOST:.*]] = arith.constant 1152921504606846976 : index
// CHECK: %[[N1:.*]] = arith.select %[[HUGE]], %[[MOST]], %[[N]] : index
// CHECK: %[[M1:.*]] = arith.select %[[HUGE]], %{{.*}}, %[[M]] : index
// CHECK: memref.alloc(%[[N1]], %[[M1]]) : memref<?x?xf32>
func.func @two(%n: index, %m: index) -> memref<?x?xf32> {
  %0 = memref.alloc(%n, %m) : memref<?x?xf32>
  return %0 : memref<?x?xf32>
}

// A size that is a product counts as its factors: the product may have wrapped around.
// CHECK-LABEL: func.func @product(
// CHECK-COUNT-2: arith.mului_extended
// CHECK: memref.alloc(%{{.*}}) : memref<?x8xi1>
func.func @product(%n: index, %m: index) -> memref<?x8xi1> {
  %size = arith.muli %n, %m : index
  %0 = memref.alloc(%size) : memref<?x8xi1>
  return %0 : memref<?x8xi1>
}

// One size is that of a tensor that there is, and sizes that are known are checked by nobody.
// CHECK-LABEL: func.func @left(
// CHECK-NOT: arith
// CHECK: memref.alloc(%{{.*}}) : memref<?x4xf32>
// CHECK-NEXT: memref.alloc() : memref<8xf32>
func.func @left(%n: index) -> (memref<?x4xf32>, memref<8xf32>) {
  %0 = memref.alloc(%n) : memref<?x4xf32>
  %1 = memref.alloc() : memref<8xf32>
  return %0, %1 : memref<?x4xf32>, memref<8xf32>
}
