// RUN: wse-opt %s --allow-unregistered-dialect --pass-pipeline='builtin.module(wse-plan-arena{stack-bytes=1024})' --split-input-file | filecheck %s

// A function that nobody calls gets an arena before its outputs; buffers that are needed at different times share a
// place. The first use counts, not where the buffer is allocated.
// CHECK-LABEL: func.func @main
// CHECK-SAME:    (%arg0: memref<64xf32>, %arg1: memref<512xi8> {wse.kind = "arena"}, %arg2: memref<64xf32> {wse.kind = "output"})
// CHECK-SAME:    wse.arena_bytes = 512 : i64
// CHECK-NOT:     memref.alloc
// CHECK:         %[[C0:.*]] = arith.constant 0 : index
// CHECK-NEXT:    %[[A:.*]] = memref.view %arg1[%[[C0]]][] : memref<512xi8> to memref<64xf32>
// CHECK:         %[[C256:.*]] = arith.constant 256 : index
// CHECK-NEXT:    %[[B:.*]] = memref.view %arg1[%[[C256]]][] : memref<512xi8> to memref<64xf32>
// CHECK:         %[[AGAIN:.*]] = arith.constant 0 : index
// CHECK-NEXT:    %[[C:.*]] = memref.view %arg1[%[[AGAIN]]][] : memref<512xi8> to memref<64xf32>
// CHECK-NEXT:    call @copy(%arg0, %[[A]])
// CHECK-NEXT:    call @copy(%[[A]], %[[B]])
// CHECK-NEXT:    call @copy(%[[B]], %[[C]])
// CHECK-NEXT:    call @copy(%[[C]], %arg2)
// CHECK-NEXT:    return
func.func private @copy(memref<64xf32>, memref<64xf32>)
func.func @main(%x: memref<64xf32>, %out: memref<64xf32> {wse.kind = "output"}) {
  %a = memref.alloc() : memref<64xf32>
  %b = memref.alloc() : memref<64xf32>
  %c = memref.alloc() : memref<64xf32>
  call @copy(%x, %a) : (memref<64xf32>, memref<64xf32>) -> ()
  call @copy(%a, %b) : (memref<64xf32>, memref<64xf32>) -> ()
  memref.dealloc %a : memref<64xf32>
  call @copy(%b, %c) : (memref<64xf32>, memref<64xf32>) -> ()
  call @copy(%c, %out) : (memref<64xf32>, memref<64xf32>) -> ()
  memref.dealloc %b : memref<64xf32>
  memref.dealloc %c : memref<64xf32>
  return
}

// -----

// A called function has its small buffers on the stack, and its caller provides the memory for large ones: only while
// the call lasts, so two calls use the same.
// CHECK-LABEL: func.func @caller
// CHECK-SAME:    (%arg0: memref<512xf32>, %arg1: memref<2048xi8> {wse.kind = "arena"})
// CHECK:         %[[M:.*]] = memref.view %arg1[%{{.*}}][] : memref<2048xi8> to memref<2048xi8>
// CHECK-NEXT:    call @callee(%arg0, %[[M]]) : (memref<512xf32>, memref<2048xi8>) -> ()
// CHECK:         %[[N:.*]] = memref.view %arg1[%{{.*}}][] : memref<2048xi8> to memref<2048xi8>
// CHECK-NEXT:    call @callee(%arg0, %[[N]]) : (memref<512xf32>, memref<2048xi8>) -> ()
// CHECK-LABEL: func.func private @callee
// CHECK-SAME:    (%arg0: memref<512xf32>, %arg1: memref<2048xi8> {wse.kind = "arena"}) {
// CHECK-NEXT:    %[[S:.*]] = memref.alloca() {alignment = 64 : i64} : memref<16xf32>
// CHECK:         %[[L:.*]] = memref.view %arg1[%{{.*}}][] : memref<2048xi8> to memref<512xf32>
// CHECK-NEXT:    "test.use"(%arg0, %[[L]], %[[S]])
// CHECK-NEXT:    return
func.func @caller(%x: memref<512xf32>) {
  call @callee(%x) : (memref<512xf32>) -> ()
  call @callee(%x) : (memref<512xf32>) -> ()
  return
}
func.func private @callee(%x: memref<512xf32>) {
  %large = memref.alloc() : memref<512xf32>
  %small = memref.alloc() {alignment = 64 : i64} : memref<16xf32>
  "test.use"(%x, %large, %small) : (memref<512xf32>, memref<512xf32>, memref<16xf32>) -> ()
  memref.dealloc %large : memref<512xf32>
  memref.dealloc %small : memref<16xf32>
  return
}

// -----

// A buffer that is used in a loop is needed as long as the loop runs; what is allocated inside only while one
// iteration does.
// CHECK-LABEL: func.func @loops
// CHECK-SAME:    %arg2: memref<768xi8>
// CHECK:         memref.view %arg2[%c0_0]
// CHECK:         memref.view %arg2[%c256]
// CHECK:         scf.for
// CHECK:           memref.view %arg2[%c512]
func.func @loops(%x: memref<64xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = memref.alloc() : memref<64xf32>
  %b = memref.alloc() : memref<64xf32>
  scf.for %i = %c0 to %n step %c1 {
    %c = memref.alloc() : memref<64xf32>
    "test.use"(%x, %a) : (memref<64xf32>, memref<64xf32>) -> ()
    "test.use"(%a, %c) : (memref<64xf32>, memref<64xf32>) -> ()
    "test.use"(%c, %b) : (memref<64xf32>, memref<64xf32>) -> ()
    memref.dealloc %c : memref<64xf32>
  }
  return
}

// -----

// What is returned, what has a size known at run time only, what is empty, and what one thread of several needs
// stays on the heap.
// CHECK-LABEL: func.func @stays
// CHECK-NOT:     arena
// CHECK-COUNT-3: memref.alloc
// CHECK:       func.func private @chunk(%arg0: memref<512xf32>)
// CHECK:         memref.alloc() : memref<512xf32>
func.func @stays(%n: index, %x: memref<512xf32>) -> memref<8xf32> {
  %a = memref.alloc() : memref<8xf32>
  %b = memref.alloc(%n) : memref<?xf32>
  %c = memref.alloc() : memref<0xf32>
  "test.use"(%a, %b, %c) : (memref<8xf32>, memref<?xf32>, memref<0xf32>) -> ()
  memref.dealloc %b : memref<?xf32>
  memref.dealloc %c : memref<0xf32>
  call @nest(%x) : (memref<512xf32>) -> ()
  return %a : memref<8xf32>
}
func.func private @nest(%x: memref<512xf32>) attributes {wse.fork = @chunk} {
  call @chunk(%x) : (memref<512xf32>) -> ()
  return
}
func.func private @chunk(%x: memref<512xf32>) {
  %large = memref.alloc() : memref<512xf32>
  "test.use"(%x, %large) : (memref<512xf32>, memref<512xf32>) -> ()
  memref.dealloc %large : memref<512xf32>
  return
}

// -----

// Memory that is reached through a result of an operation is kept until the function ends.
// CHECK-LABEL: func.func @handed_on
// CHECK-SAME:    %arg1: memref<128xi8>
// CHECK:         memref.view %arg1[%c0]
// CHECK:         memref.view %arg1[%c64]
func.func @handed_on(%x: memref<16xf32>) {
  %a = memref.alloc() : memref<16xf32>
  %b = memref.alloc() : memref<16xf32>
  %p = memref.extract_aligned_pointer_as_index %a : memref<16xf32> -> index
  "test.use"(%x, %b) : (memref<16xf32>, memref<16xf32>) -> ()
  "test.use"(%p) : (index) -> ()
  return
}

// -----

// The arena comes after what is prepared for a function, and before what a function prepares for another.
// CHECK-LABEL: func.func private @prepare
// CHECK-SAME:    (%arg0: memref<16xf32> {wse.kind = "parameter"}, %arg1: memref<64xi8> {wse.kind = "arena"}, %arg2: memref<16xf32> {wse.kind = "prepared"})
// CHECK-LABEL: func.func @main
// CHECK-SAME:    (%arg0: memref<16xf32> {wse.kind = "prepared"}, %arg1: memref<64xi8> {wse.kind = "arena"}, %arg2: memref<16xf32> {wse.kind = "output"})
func.func private @prepare(%p: memref<16xf32> {wse.kind = "parameter"}, %r: memref<16xf32> {wse.kind = "prepared"}) {
  %a = memref.alloc() : memref<16xf32>
  "test.use"(%p, %r, %a) : (memref<16xf32>, memref<16xf32>, memref<16xf32>) -> ()
  memref.dealloc %a : memref<16xf32>
  return
}
func.func @main(%p: memref<16xf32> {wse.kind = "prepared"}, %r: memref<16xf32> {wse.kind = "output"}) attributes {wse.prepare = @prepare, wse.prepared = [tensor<16xf32>]} {
  %a = memref.alloc() : memref<16xf32>
  "test.use"(%p, %r, %a) : (memref<16xf32>, memref<16xf32>, memref<16xf32>) -> ()
  memref.dealloc %a : memref<16xf32>
  return
}
