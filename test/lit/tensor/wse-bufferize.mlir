// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-bufferize)' | filecheck %s
// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-bufferize{results=return})' | filecheck %s --check-prefix=RETURN

// The result becomes an argument that the operations write directly.
// CHECK-LABEL: @direct
// CHECK-SAME: (%[[A:[a-z0-9_]+]]: memref<4x8xf32>, %[[B:[a-z0-9_]+]]: memref<8x4xf32>, %[[R:[a-z0-9_]+]]: memref<4x4xf32> {wse.kind = "output", wse.name = "y"})
// CHECK-NOT: memref.alloc
// CHECK: linalg.fill {{.*}} outs(%[[R]] :
// CHECK: linalg.matmul ins(%[[A]], %[[B]] : {{.*}}) outs(%[[R]] :
// CHECK-NEXT: return
// RETURN-LABEL: @direct
// RETURN: %[[R:[a-z0-9_]+]] = memref.alloc
// RETURN: linalg.matmul {{.*}} outs(%[[R]] :
// RETURN: return %[[R]] : memref<4x4xf32>
func.func @direct(%a: tensor<4x8xf32>, %b: tensor<8x4xf32>) -> (tensor<4x4xf32> {wse.name = "y"}) {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.empty() : tensor<4x4xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %2 = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x4xf32>) outs(%1 : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %2 : tensor<4x4xf32>
}

// -----

// A loop over tiles works on the destination's own slices, without a copy; a reshape does not hide the destination.
// CHECK-LABEL: @tiles
// CHECK-SAME: %[[A:[a-z0-9_]+]]: memref<8x4xf32>, %[[R:[a-z0-9_]+]]: memref<32xf32>
// CHECK-NOT: memref.alloc
// CHECK: %[[W:[a-z0-9_]+]] = memref.expand_shape %[[R]]
// CHECK: scf.for %[[I:[a-z0-9_]+]] = {{.*}} {
// CHECK: %[[T:[a-z0-9_]+]] = memref.subview %[[W]][%[[I]], 0] [2, 4] [1, 1]
// CHECK: linalg.exp {{.*}} outs(%[[T]] :
// CHECK-NEXT: }
// CHECK-NEXT: return
func.func @tiles(%a: tensor<8x4xf32>) -> tensor<32xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c8 = arith.constant 8 : index
  %0 = tensor.empty() : tensor<8x4xf32>
  %1 = scf.for %i = %c0 to %c8 step %c2 iter_args(%o = %0) -> tensor<8x4xf32> {
    %2 = tensor.extract_slice %a[%i, 0] [2, 4] [1, 1] : tensor<8x4xf32> to tensor<2x4xf32>
    %3 = tensor.extract_slice %o[%i, 0] [2, 4] [1, 1] : tensor<8x4xf32> to tensor<2x4xf32>
    %4 = linalg.exp ins(%2 : tensor<2x4xf32>) outs(%3 : tensor<2x4xf32>) -> tensor<2x4xf32>
    %5 = tensor.insert_slice %4 into %o[%i, 0] [2, 4] [1, 1] : tensor<2x4xf32> into tensor<8x4xf32>
    scf.yield %5 : tensor<8x4xf32>
  }
  %6 = tensor.collapse_shape %1 [[0, 1]] : tensor<8x4xf32> into tensor<32xf32>
  return %6 : tensor<32xf32>
}

// -----

// Parallel tiles write their own slices of the shared output.
// CHECK-LABEL: @parallel_tiles
// CHECK-NOT: memref.alloc
// CHECK: scf.forall (%[[I:[a-z0-9_]+]]) in (4) {
// CHECK-NEXT: %[[T:[a-z0-9_]+]] = memref.subview
// CHECK-NEXT: linalg.fill {{.*}} outs(%[[T]] :
// CHECK-NEXT: }
func.func @parallel_tiles() -> tensor<4xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.empty() : tensor<4xf32>
  %1 = scf.forall (%i) in (4) shared_outs(%o = %0) -> tensor<4xf32> {
    %2 = tensor.extract_slice %o[%i] [1] [1] : tensor<4xf32> to tensor<1xf32>
    %3 = linalg.fill ins(%zero : f32) outs(%2 : tensor<1xf32>) -> tensor<1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %3 into %o[%i] [1] [1] : tensor<1xf32> into tensor<4xf32>
    }
  }
  return %1 : tensor<4xf32>
}

// -----

// Threads that read other threads' slices read them from a copy.
// CHECK-LABEL: @neighbours
// CHECK-SAME: %[[S:[a-z0-9_]+]]: memref<4xf32> {{.*}}, %[[R:[a-z0-9_]+]]: memref<4xf32>
// CHECK: linalg.generic {{.*}} ins(%[[S]] : {{.*}}) outs(%[[R]] :
// CHECK: scf.forall (%[[I:[a-z0-9_]+]]) in (4) {
// CHECK: %[[V:[a-z0-9_]+]] = memref.load %[[S]][%c0]
// CHECK: memref.subview %[[R]][%[[I]]]
func.func @neighbours(%s: tensor<4xf32> {wse.kind = "state", wse.name = "s"}) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %1 = scf.forall (%i) in (4) shared_outs(%o = %s) -> tensor<4xf32> {
    %v = tensor.extract %o[%c0] : tensor<4xf32>
    %2 = tensor.from_elements %v : tensor<1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %2 into %o[%i] [1] [1] : tensor<1xf32> into tensor<4xf32>
    }
  }
  return %1 : tensor<4xf32>
}

// -----

// State is updated where it lives and is no result any more.
// CHECK-LABEL: @state
// CHECK-SAME: (%[[X:[a-z0-9_]+]]: memref<f32>, %[[S:[a-z0-9_]+]]: memref<4xf32> {wse.kind = "state", wse.name = "cache"})
// CHECK: %[[V:[a-z0-9_]+]] = memref.load %[[X]][]
// CHECK: memref.store %[[V]], %[[S]][%c1]
// CHECK-NEXT: return
func.func @state(%x: tensor<f32>, %s: tensor<4xf32> {wse.kind = "state", wse.name = "cache"})
    -> (tensor<4xf32> {wse.kind = "state", wse.name = "cache"}) {
  %c1 = arith.constant 1 : index
  %v = tensor.extract %x[] : tensor<f32>
  %0 = tensor.insert %v into %s[%c1] : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// The old state is still needed, as the output: it is copied out before it is overwritten.
// CHECK-LABEL: @old_state
// CHECK-SAME: %[[S:[a-z0-9_]+]]: memref<4xf32> {{.*}}, %[[R:[a-z0-9_]+]]: memref<4xf32>
// CHECK: %[[T:[a-z0-9_]+]] = memref.alloc
// CHECK: linalg.generic {{.*}} ins(%[[S]] : {{.*}}) outs(%[[T]] :
// CHECK: memref.store %{{.*}}, %[[T]][%c1]
// CHECK: linalg.generic {{.*}} ins(%[[S]] : {{.*}}) outs(%[[R]] :
// CHECK: linalg.generic {{.*}} ins(%[[T]] : {{.*}}) outs(%[[S]] :
func.func @old_state(%v: f32, %s: tensor<4xf32> {wse.kind = "state", wse.name = "cache"})
    -> (tensor<4xf32>, tensor<4xf32> {wse.kind = "state", wse.name = "cache"}) {
  %c1 = arith.constant 1 : index
  %0 = tensor.insert %v into %s[%c1] : tensor<4xf32>
  return %s, %0 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Not in place: an argument, a constant, a value that is read later. Equal constants share one global.
// CHECK: memref.global "private" constant @[[G:[a-z0-9_]+]] : memref<4xf32> = dense<[1.{{.*}}, 2.{{.*}}, 3.{{.*}}, 4.{{.*}}]>
// CHECK-NOT: memref.global
// CHECK-LABEL: @copies
// CHECK-SAME: %[[A:[a-z0-9_]+]]: memref<4xf32>, %[[V:[a-z0-9_]+]]: f32, %[[R0:[a-z0-9_]+]]: memref<4xf32> {{.*}}, %[[R1:[a-z0-9_]+]]: memref<4xf32> {{.*}}, %[[R2:[a-z0-9_]+]]: memref<4xf32>
// CHECK: %[[C:[a-z0-9_]+]] = memref.get_global @[[G]]
// CHECK: linalg.generic {{.*}} ins(%[[A]] : {{.*}}) outs(%[[R0]] :
// CHECK: memref.store %[[V]], %[[R0]]
// CHECK: linalg.generic {{.*}} ins(%[[C]] : {{.*}}) outs(%[[R1]] :
// CHECK: memref.store %[[V]], %[[R1]]
// CHECK: linalg.generic {{.*}} ins(%[[R1]] : {{.*}}) outs(%[[R2]] :
// CHECK: linalg.exp ins(%{{.*}}) outs(%[[R2]] :
func.func @copies(%a: tensor<4xf32>, %v: f32) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %c1 = arith.constant 1 : index
  %cst = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %again = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %0 = tensor.insert %v into %a[%c1] : tensor<4xf32>
  %1 = tensor.insert %v into %cst[%c1] : tensor<4xf32>
  %2 = tensor.insert %v into %1[%c1] : tensor<4xf32>
  %3 = linalg.exp ins(%again : tensor<4xf32>) outs(%2 : tensor<4xf32>) -> tensor<4xf32>
  return %0, %1, %3 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// -----

// A splat constant is filled in rather than copied, and old contents that nothing reads are not copied at all.
// CHECK-LABEL: @unread
// CHECK-SAME: %[[A:[a-z0-9_]+]]: memref<4xf32>, %[[R0:[a-z0-9_]+]]: memref<4xf32> {{.*}}, %[[R1:[a-z0-9_]+]]: memref<f32>
// CHECK: linalg.exp ins(%[[A]] : {{.*}}) outs(%[[R0]] :
// CHECK: linalg.fill {{.*}} outs(%[[R1]] :
// CHECK-NEXT: linalg.dot
func.func @unread(%a: tensor<4xf32>) -> (tensor<4xf32>, tensor<f32>) {
  %zeros = arith.constant dense<0.0> : tensor<f32>
  %0 = linalg.exp ins(%a : tensor<4xf32>) outs(%a : tensor<4xf32>) -> tensor<4xf32>
  %1 = linalg.dot ins(%a, %a : tensor<4xf32>, tensor<4xf32>) outs(%zeros : tensor<f32>) -> tensor<f32>
  return %0, %1 : tensor<4xf32>, tensor<f32>
}

// -----

// Temporaries are freed after their last use; in an arena, those that do not live at once share bytes.
// CHECK-LABEL: @lifetimes
// CHECK: %[[T:[a-z0-9_]+]] = memref.alloc() {{.*}} : memref<4x4xf32>
// CHECK: linalg.transpose {{.*}} outs(%[[T]] :
// CHECK: %[[U:[a-z0-9_]+]] = memref.alloc() {{.*}} : memref<4x4xf32>
// CHECK: linalg.transpose ins(%[[T]] : {{.*}}) outs(%[[U]] :
// CHECK-NEXT: memref.dealloc %[[T]]
// CHECK: linalg.transpose ins(%[[U]] :
// CHECK: memref.dealloc
func.func @lifetimes(%a: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %0 = linalg.transpose ins(%a : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) permutation = [1, 0]
  %1 = linalg.transpose ins(%0 : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) permutation = [1, 0]
  %2 = linalg.transpose ins(%1 : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) permutation = [1, 0]
  %3 = linalg.transpose ins(%2 : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) permutation = [1, 0]
  return %3 : tensor<4x4xf32>
}

// -----

// An elementwise operation works in the buffer of an input that nothing reads any more, but not in one that is.
// CHECK-LABEL: @reuse
// CHECK-SAME: %[[A:[a-z0-9_]+]]: memref<4xf32>, %[[R0:[a-z0-9_]+]]: memref<4xf32> {{.*}}, %[[R1:[a-z0-9_]+]]: memref<4xf32>
// CHECK-NOT: memref.alloc
// CHECK: linalg.exp ins(%[[A]] : {{.*}}) outs(%[[R0]] :
// CHECK: linalg.log ins(%[[R0]] : {{.*}}) outs(%[[R0]] :
// CHECK: linalg.abs ins(%[[R0]] : {{.*}}) outs(%[[R1]] :
// CHECK-NEXT: return
func.func @reuse(%a: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.exp ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %1 = linalg.log ins(%0 : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %2 = linalg.abs ins(%1 : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %1, %2 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Two matmuls that start from the same zeros fill a buffer each; nothing is copied.
// CHECK-LABEL: @shared_fill
// CHECK: linalg.fill {{.*}} outs(%[[X:[a-z0-9_]+]] :
// CHECK: linalg.matmul {{.*}} outs(%[[X]] :
// CHECK: linalg.fill {{.*}} outs(%[[Y:[a-z0-9_]+]] :
// CHECK: linalg.matmul {{.*}} outs(%[[Y]] :
// CHECK-NOT: linalg.generic
func.func @shared_fill(%a: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %0 = linalg.matmul ins(%a, %a : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = linalg.matmul ins(%0, %a : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0, %1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// Loop-carried tensors that change places go through a temporary.
// CHECK-LABEL: @swap
// CHECK-SAME: %[[A:[a-z0-9_]+]]: memref<4xf32>, %[[B:[a-z0-9_]+]]: memref<4xf32>, %[[R0:[a-z0-9_]+]]: memref<4xf32> {{.*}}, %[[R1:[a-z0-9_]+]]: memref<4xf32>
// CHECK: scf.for
// CHECK: linalg.generic {{.*}} ins(%[[R0]] : {{.*}}) outs(%[[T:[a-z0-9_]+]] :
// CHECK: linalg.generic {{.*}} ins(%[[R1]] : {{.*}}) outs(%[[R0]] :
// CHECK: linalg.generic {{.*}} ins(%[[T]] : {{.*}}) outs(%[[R1]] :
func.func @swap(%a: tensor<4xf32>, %b: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %0:2 = scf.for %i = %c0 to %c3 step %c1 iter_args(%x = %a, %y = %b) -> (tensor<4xf32>, tensor<4xf32>) {
    scf.yield %y, %x : tensor<4xf32>, tensor<4xf32>
  }
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Padding fills the destination and copies the source into its middle; a body may read other tensors.
// CHECK-LABEL: @pad_and_gather
// CHECK: linalg.fill {{.*}} outs(%[[R:[a-z0-9_]+]] : memref<6xf32>)
// CHECK: %[[M:[a-z0-9_]+]] = memref.subview %[[R]][1] [4] [1]
// CHECK: linalg.generic {{.*}} outs(%[[M]] :
// CHECK: linalg.generic
// CHECK: memref.load %{{.*}}[%{{.*}}] : memref<4xf32>
func.func @pad_and_gather(%a: tensor<4xf32>, %i: tensor<2xindex>) -> (tensor<6xf32>, tensor<2xf32>) {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.pad %a low[1] high[1] {
  ^bb0(%k: index):
    tensor.yield %zero : f32
  } : tensor<4xf32> to tensor<6xf32>
  %e = tensor.empty() : tensor<2xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
    ins(%i : tensor<2xindex>) outs(%e : tensor<2xf32>) {
  ^bb0(%k: index, %o: f32):
    %v = tensor.extract %a[%k] : tensor<4xf32>
    linalg.yield %v : f32
  } -> tensor<2xf32>
  return %0, %1 : tensor<6xf32>, tensor<2xf32>
}

// -----

// The caller makes the buffer for a callee's result.
// CHECK-LABEL: @caller
// CHECK-SAME: %[[A:[a-z0-9_]+]]: memref<4xf32>, %[[R:[a-z0-9_]+]]: memref<4xf32>
// CHECK: call @callee(%[[A]], %[[R]]) : (memref<4xf32>, memref<4xf32>) -> ()
func.func private @callee(%a: tensor<4xf32>) -> tensor<4xf32> {
  return %a : tensor<4xf32>
}
func.func @caller(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = call @callee(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// Each branch copies into one buffer, which is made before it; the unchanged value and its update share theirs.
// CHECK-LABEL: @branches
// CHECK-SAME: %[[C:[a-z0-9_]+]]: i1, %[[V:[a-z0-9_]+]]: f32, %[[S:[a-z0-9_]+]]: memref<4xf32>
// CHECK: scf.if %[[C]] {
// CHECK-NEXT: memref.store %[[V]], %[[S]][%c0]
// CHECK-NOT: memref.alloc
// CHECK: return
func.func @branches(%c: i1, %v: f32, %s: tensor<4xf32> {wse.kind = "state", wse.name = "s"})
    -> (tensor<4xf32> {wse.kind = "state", wse.name = "s"}) {
  %c0 = arith.constant 0 : index
  %0 = scf.if %c -> tensor<4xf32> {
    %1 = tensor.insert %v into %s[%c0] : tensor<4xf32>
    scf.yield %1 : tensor<4xf32>
  } else {
    scf.yield %s : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

// -----

// A function on buffers is left as it is: it frees what it allocates itself, in blocks of its own.
// CHECK-LABEL: @on_buffers
// CHECK: %[[A:.*]] = memref.alloc()
// CHECK: memref.dealloc %[[A]]
// CHECK-NOT: memref.dealloc
// CHECK: cf.cond_br
func.func @on_buffers(%c: i1, %x: f32) {
  %a = memref.alloc() : memref<4xf32>
  linalg.fill ins(%x : f32) outs(%a : memref<4xf32>)
  memref.dealloc %a : memref<4xf32>
  cf.cond_br %c, ^a, ^b
^a:
  return
^b:
  return
}
