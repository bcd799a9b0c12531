// RUN: wse-opt %s --wse-fork-threads | filecheck %s

// The function hands its arguments to the pool in a block, and the pool's threads take them out of it.
// CHECK: llvm.func @wse_pool_run(!llvm.ptr, !llvm.ptr, i64, i64)
// CHECK-LABEL: llvm.func internal @nest_body(
// CHECK-SAME: %[[BLOCK:.*]]: !llvm.ptr, %[[CHUNK:.*]]: i64)
// CHECK: %[[AT0:.*]] = llvm.getelementptr %[[BLOCK]][0, 0]
// CHECK: %[[X:.*]] = llvm.load %[[AT0]] : !llvm.ptr -> !llvm.ptr
// CHECK: %[[AT1:.*]] = llvm.getelementptr %[[BLOCK]][0, 1]
// CHECK: %[[V:.*]] = llvm.load %[[AT1]] : !llvm.ptr -> vector<4xf32>
// CHECK: llvm.call @nest_chunk(%[[CHUNK]], %[[X]], %[[V]])
// CHECK-LABEL: llvm.func internal @nest(
// CHECK: %[[MADE:.*]] = llvm.alloca %{{.*}} x !llvm.struct<(ptr, vector<4xf32>)>
// CHECK: llvm.store %arg0
// CHECK: llvm.store %arg1
// CHECK: %[[CHUNKS:.*]] = llvm.mlir.constant(3 : i64)
// CHECK: %[[THREADS:.*]] = llvm.mlir.constant(4 : i64)
// CHECK: %[[BODY:.*]] = llvm.mlir.addressof @nest_body
// CHECK: llvm.call @wse_pool_run(%[[BODY]], %[[MADE]], %[[CHUNKS]], %[[THREADS]])
// CHECK-NOT: llvm.cond_br
// CHECK: llvm.func @plain
llvm.func @nest_chunk(%k: i64, %x: !llvm.ptr, %v: vector<4xf32>) {
  llvm.return
}
llvm.func @nest(%x: !llvm.ptr, %v: vector<4xf32>) attributes {wse.fork = @nest_chunk, wse.chunks = 3 : i64, wse.threads = 4 : i64} {
  %zero = llvm.mlir.constant(0 : i64) : i64
  %three = llvm.mlir.constant(3 : i64) : i64
  %one = llvm.mlir.constant(1 : i64) : i64
  llvm.br ^head(%zero : i64)
^head(%k: i64):
  %more = llvm.icmp "slt" %k, %three : i64
  llvm.cond_br %more, ^body, ^done
^body:
  llvm.call @nest_chunk(%k, %x, %v) : (i64, !llvm.ptr, vector<4xf32>) -> ()
  %next = llvm.add %k, %one : i64
  llvm.br ^head(%next : i64)
^done:
  llvm.return
}

// Functions that do not fork stay as they are.
// CHECK-NEXT: llvm.return
llvm.func @plain() {
  llvm.return
}
