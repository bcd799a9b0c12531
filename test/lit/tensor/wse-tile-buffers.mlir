// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-tile{sizes=2 loops=forall}))' | filecheck %s
// RUN: not wse-opt %s --wse-tile=sizes=99999999999999999999 2>&1 | filecheck %s --check-prefix=LARGE

// Parallel tiles of buffers are written where they are, the loop yields nothing.
// CHECK-LABEL: @buffers
// CHECK: scf.forall (%[[I:.*]]) = (0) to (4) step (2) {
// CHECK: linalg.exp
// CHECK-NOT: parallel_insert_slice
// LARGE: a tile size does not fit an index
func.func @buffers(%a: memref<4xf32>, %b: memref<4xf32>) {
  linalg.exp ins(%a : memref<4xf32>) outs(%b : memref<4xf32>)
  return
}
