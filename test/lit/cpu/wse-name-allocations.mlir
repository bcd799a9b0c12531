// RUN: wse-opt %s --split-input-file --wse-name-allocations | filecheck %s

// CHECK: module attributes {wse.allocations = ["first (model.py:3)", "model.py:4"]}
// CHECK-DAG: llvm.func @wse_allocate(i64, i64) -> (!llvm.ptr {llvm.noalias})
// CHECK-DAG: llvm.func @wse_release(!llvm.ptr)
// CHECK-LABEL: llvm.func @two(
// CHECK: %[[FIRST:.*]] = llvm.mlir.constant(0 : i64)
// CHECK: %[[A:.*]] = llvm.call @wse_allocate(%arg0, %[[FIRST]])
// CHECK: %[[SECOND:.*]] = llvm.mlir.constant(1 : i64)
// CHECK: %[[B:.*]] = llvm.call @wse_allocate(%arg0, %[[SECOND]])
// CHECK: llvm.call @wse_release(%[[A]])
// CHECK: llvm.call @other(%[[B]])
llvm.func @malloc(i64) -> !llvm.ptr
llvm.func @free(!llvm.ptr)
llvm.func @other(!llvm.ptr)
llvm.func @two(%bytes: i64) {
  %0 = llvm.call @malloc(%bytes) : (i64) -> !llvm.ptr loc("first"("model.py":3:1))
  %1 = llvm.call @malloc(%bytes) : (i64) -> !llvm.ptr loc("model.py":4:1)
  llvm.call @free(%0) : (!llvm.ptr) -> ()
  llvm.call @other(%1) : (!llvm.ptr) -> ()
  llvm.return
}

// -----

// What allocates nothing may be given memory of the C library.
// CHECK-NOT: wse.allocations
// CHECK-LABEL: llvm.func @frees(
// CHECK: llvm.call @free(
llvm.func @free(!llvm.ptr)
llvm.func @frees(%memory: !llvm.ptr) {
  llvm.call @free(%memory) : (!llvm.ptr) -> ()
  llvm.return
}
