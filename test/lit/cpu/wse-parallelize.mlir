// RUN: wse-opt %s --wse-parallelize='threads=2' --canonicalize | filecheck %s
// RUN: wse-opt %s --wse-parallelize --canonicalize | filecheck %s --check-prefix=ONE
// RUN: wse-opt %s --wse-parallelize='threads=2' --remarks 2>&1 >/dev/null | filecheck %s --check-prefix=REMARK
// RUN: wse-opt %s --wse-parallelize='threads=6 minimal-cost=200000' | filecheck %s --check-prefix=SIX

// With one thread nothing becomes a function.
// ONE-NOT: wse.fork

// An outer loop is divided in the middle; what the loop uses are arguments, constants are made anew.
// CHECK-LABEL: func.func private @rows_nest_0_chunk
// CHECK-SAME: (%[[CHUNK:.*]]: index, %[[X:.*]]: memref<8xf32>, %[[Y:.*]]: memref<8xf32>)
// CHECK-DAG: %[[STEP:.*]] = arith.constant 1 : index
// CHECK-DAG: %[[LAST:.*]] = arith.constant 8 : index
// CHECK-DAG: %[[FACTOR:.*]] = arith.constant 2.000000e+00 : f32
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %{{.*}} step %[[STEP]] {
// CHECK-NEXT: memref.load %[[X]][%[[I]]]
// CHECK-NEXT: arith.mulf %{{.*}}, %[[FACTOR]]
// CHECK-NEXT: memref.store %{{.*}}, %[[Y]][%[[I]]]
// CHECK-NOT: wse.parallel
// CHECK-LABEL: func.func private @rows_nest_0(
// CHECK-SAME: wse.chunks = 2 : i64, wse.fork = @rows_nest_0_chunk, wse.threads = 2 : i64
// CHECK: scf.for %[[K:.*]] = %c0 to %c2 step %c1 {
// CHECK-NEXT: call @rows_nest_0_chunk(%[[K]], %{{.*}}, %{{.*}})
// CHECK-LABEL: func.func @rows(
// CHECK-NOT: scf.for
// CHECK: call @rows_nest_0(%{{.*}}, %{{.*}})
// REMARK: divided into 2 chunks, balance 100%
// SIX-LABEL: func.func private @rows_nest_0(
// SIX-SAME: wse.chunks = 5 : i64, wse.fork = @rows_nest_0_chunk, wse.threads = 6 : i64
func.func @rows(%x: memref<8xf32>, %y: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %two = arith.constant 2.0 : f32
  scf.for %i = %c0 to %c8 step %c1 {
    %v = memref.load %x[%i] : memref<8xf32>
    %w = arith.mulf %v, %two : f32
    memref.store %w, %y[%i] : memref<8xf32>
  } {wse.parallel = 0 : i64, wse.cost = 1000000 : i64}
  return
}

// Seven panels of 64 rows do not go in two, but 448 rows do: the first chunk has panels 0 to 3, of the last one the
// first half.
// CHECK-LABEL: func.func private @panels_nest_0_chunk
// CHECK: %[[LENGTH:.*]] = arith.muli %{{.*}}, %c448
// CHECK: arith.divui %[[LENGTH]], %c2
// CHECK: scf.for %[[P:.*]] = %{{.*}} to %{{.*}} step %c1 {
// CHECK: %[[BEFORE:.*]] = arith.muli %[[P]], %c64
// CHECK: arith.subi %{{.*}}, %[[BEFORE]]
// CHECK: %[[BIAS:.*]] = memref.load
// CHECK: scf.for %{{.*}} = %{{.*}} to %{{.*}} step %c1 {
// CHECK-NEXT: memref.store %[[BIAS]]
// REMARK: divided into 2 chunks, balance 100%
func.func @panels(%x: memref<7xf32>, %y: memref<7x64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %c64 = arith.constant 64 : index
  scf.for %p = %c0 to %c7 step %c1 {
    %bias = memref.load %x[%p] : memref<7xf32>
    scf.for %i = %c0 to %c64 step %c1 {
      memref.store %bias, %y[%p, %i] : memref<7x64xf32>
    } {wse.parallel = 0 : i64, wse.cost = 1000000 : i64}
  } {wse.parallel = 0 : i64, wse.cost = 1000000 : i64}
  return
}

// Where one line is uneven, each outer iteration is cut: two rows of two tiles, and a row of two small ones.
// CHECK-LABEL: func.func private @rows_of_tiles_nest_0_chunk
// CHECK: scf.for %{{.*}} = %c0 to %c2 step %c1 {
// CHECK: %[[LENGTH:.*]] = arith.muli %{{.*}}, %c32
// CHECK: arith.divui %[[LENGTH]], %c2
// CHECK: scf.for
// CHECK: %[[LENGTH_OF_SMALL:.*]] = arith.muli %{{.*}}, %c22
// CHECK: arith.divui %[[LENGTH_OF_SMALL]], %c2
// CHECK: scf.for
// CHECK-LABEL: func.func @rows_of_tiles(
// REMARK: divided into 2 chunks, balance 100%
func.func @rows_of_tiles(%y: memref<3x2xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  scf.for %i = %c0 to %c2 step %c1 {
    scf.for %j = %c0 to %c2 step %c1 {
      memref.store %zero, %y[%i, %j] : memref<3x2xf32>
    } {wse.parallel = 0 : i64, wse.cost = 2000000 : i64}
  } {wse.parallel = 0 : i64, wse.cost = 2000000 : i64}
  scf.for %j = %c0 to %c2 step %c1 {
    memref.store %zero, %y[%c2, %j] : memref<3x2xf32>
  } {wse.parallel = 0 : i64, wse.cost = 700000 : i64}
  return
}

// Bounds of inner loops that are computed in the outer one are known before it: open sizes are divided together, too.
// CHECK-LABEL: func.func private @open_nest_0_chunk
// CHECK-SAME: (%[[PART:.*]]: index, %[[N:.*]]: index, %[[M:.*]]: index, %{{.*}}: memref<?x?xf32>)
// CHECK: arith.subi %[[M]], %{{.*}}
// CHECK: arith.muli %{{.*}}, %c4
// CHECK-NEXT: %[[STEP:.*]] = arith.addi %{{.*}}, %{{.*}} : index
// CHECK-NEXT: %[[LENGTH:.*]] = arith.muli %{{.*}}, %[[STEP]]
// CHECK: arith.muli %[[LENGTH]], %[[PART]]
// CHECK: scf.for
// CHECK: scf.for
// CHECK: scf.for
// CHECK: return
// REMARK: divided into 2 chunks, balance 90%
func.func @open(%y: memref<?x?xf32>, %n: index, %m: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %zero = arith.constant 0.0 : f32
  scf.for %i = %c0 to %n step %c1 {
    %rest = arith.remui %m, %c4 : index
    %whole = arith.subi %m, %rest : index
    scf.for %j = %c0 to %whole step %c4 {
      memref.store %zero, %y[%i, %j] : memref<?x?xf32>
    } {wse.parallel = 0 : i64, wse.cost = 1000000 : i64}
    scf.for %j = %whole to %m step %c1 {
      memref.store %zero, %y[%i, %j] : memref<?x?xf32>
    } {wse.parallel = 0 : i64, wse.cost = 1 : i64}
  } {wse.parallel = 0 : i64, wse.cost = 1000000 : i64}
  return
}

// Whole tiles and the edge are one nest: the code between them is moved away, and the first of two chunks has all of
// the edge's cost but one tile less.
// CHECK-LABEL: func.func private @edges_nest_0_chunk
// CHECK: scf.for
// CHECK: scf.for
// CHECK-LABEL: func.func @edges(
// CHECK: call @edges_nest_0
// CHECK-NOT: call
// CHECK: return
func.func @edges(%y: memref<?xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %rest = arith.remui %n, %c4 : index
  %whole = arith.subi %n, %rest : index
  scf.for %i = %c0 to %whole step %c4 {
    memref.store %zero, %y[%i] : memref<?xf32>
  } {wse.parallel = 0 : i64, wse.cost = 1000000 : i64}
  %again = arith.addi %whole, %c0 : index
  scf.for %i = %again to %n step %c1 {
    memref.store %zero, %y[%i] : memref<?xf32>
  } {wse.parallel = 0 : i64, wse.cost = 1000 : i64}
  return
}

// A buffer on the stack that only the loop uses belongs to each chunk; one that is used later does not.
// CHECK-LABEL: func.func private @buffers_nest_0_chunk
// CHECK-SAME: memref<2xf32>
// CHECK: memref.alloca() : memref<1xf32>
// CHECK-LABEL: func.func @buffers(
// CHECK: memref.alloca() : memref<2xf32>
// CHECK-NOT: memref.alloca
// CHECK: memref.load
func.func @buffers(%x: memref<8xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %own = memref.alloca() : memref<1xf32>
  %shared = memref.alloca() : memref<2xf32>
  scf.for %i = %c0 to %c8 step %c1 {
    %v = memref.load %shared[%c0] : memref<2xf32>
    memref.store %v, %own[%c0] : memref<1xf32>
    %w = memref.load %own[%c0] : memref<1xf32>
    memref.store %w, %x[%i] : memref<8xf32>
  } {wse.parallel = 0 : i64, wse.cost = 1000000 : i64}
  %r = memref.load %shared[%c1] : memref<2xf32>
  return %r : f32
}

// A view that stands outside of the loop belongs to it with its buffer: the chunk makes both.
// CHECK-LABEL: func.func private @views_nest_0_chunk
// CHECK: %[[OWN:.*]] = memref.alloca() : memref<2x2xf32>
// CHECK: memref.collapse_shape %[[OWN]]
// CHECK-LABEL: func.func @views(
// CHECK-NOT: memref.alloca
// CHECK: return
func.func @views(%x: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %own = memref.alloca() : memref<2x2xf32>
  %flat = memref.collapse_shape %own [[0, 1]] : memref<2x2xf32> into memref<4xf32>
  scf.for %i = %c0 to %c8 step %c1 {
    %v = memref.load %x[%i] : memref<8xf32>
    memref.store %v, %flat[%c1] : memref<4xf32>
    %w = memref.load %own[%c0, %c1] : memref<2x2xf32>
    memref.store %w, %x[%i] : memref<8xf32>
  } {wse.parallel = 0 : i64, wse.cost = 1000000 : i64}
  return
}

// A buffer whose same places every iteration writes is scratch: each chunk has its own, though the last rows, after the
// nest, use it as theirs. What iterations write in places of their own is shared.
// CHECK-LABEL: func.func private @scratch_nest_0_chunk
// CHECK-SAME: (%{{.*}}: index, %{{.*}}: memref<9xf32>, %[[SUMS:.*]]: memref<9xf32>)
// CHECK: %[[OWN:.*]] = memref.alloca() : memref<2xf32>
// CHECK: scf.for %[[I:[a-z0-9]+]]
// CHECK: memref.store %{{.*}}, %[[OWN]][%c1]
// CHECK: memref.store %{{.*}}, %[[SUMS]][%[[I]]]
// CHECK-LABEL: func.func @scratch(
// CHECK: %[[LAST:.*]] = memref.alloca() : memref<2xf32>
// CHECK: call @scratch_nest_0(
// CHECK: memref.store %{{.*}}, %[[LAST]][%c1]
func.func @scratch(%x: memref<9xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %t = memref.alloca() : memref<2xf32>
  %sums = memref.alloca() : memref<9xf32>
  scf.for %i = %c0 to %c8 step %c1 {
    %v = memref.load %x[%i] : memref<9xf32>
    memref.store %v, %t[%c1] : memref<2xf32>
    %w = memref.load %t[%c1] : memref<2xf32>
    memref.store %w, %sums[%i] : memref<9xf32>
  } {wse.parallel = 0 : i64, wse.cost = 1000000 : i64}
  %v = memref.load %x[%c8] : memref<9xf32>
  memref.store %v, %t[%c1] : memref<2xf32>
  %w = memref.load %t[%c1] : memref<2xf32>
  memref.store %w, %sums[%c8] : memref<9xf32>
  memref.copy %sums, %x : memref<9xf32> to memref<9xf32>
  return
}

// Scratch on the heap belongs to one thread.
// CHECK-LABEL: func.func @heap
// CHECK-NOT: call
// CHECK: return
// REMARK: left to one thread: its iterations share scratch memory
func.func @heap(%x: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %t = memref.alloc() : memref<2xf32>
  scf.for %i = %c0 to %c8 step %c1 {
    %v = memref.load %x[%i] : memref<8xf32>
    memref.store %v, %t[%c1] : memref<2xf32>
    %w = memref.load %t[%c1] : memref<2xf32>
    memref.store %w, %x[%i] : memref<8xf32>
  } {wse.parallel = 0 : i64, wse.cost = 1000000 : i64}
  memref.dealloc %t : memref<2xf32>
  return
}

// What is too cheap, takes memory from the heap, or is not marked, stays where it is.
// CHECK-LABEL: func.func @left
// CHECK-NOT: call
// CHECK: return
// REMARK: left to one thread: it allocates memory
func.func @left(%x: memref<8xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  scf.for %i = %c0 to %c8 step %c1 {
    memref.store %zero, %x[%i] : memref<8xf32>
  } {wse.parallel = 0 : i64, wse.cost = 1000 : i64}
  scf.for %i = %c0 to %c8 step %c1 {
    %t = memref.alloc(%n) : memref<?xf32>
    memref.store %zero, %t[%c0] : memref<?xf32>
    %v = memref.load %t[%c0] : memref<?xf32>
    memref.store %v, %x[%i] : memref<8xf32>
    memref.dealloc %t : memref<?xf32>
  } {wse.parallel = 1 : i64, wse.cost = 1000000 : i64}
  scf.for %i = %c0 to %c8 step %c1 {
    memref.store %zero, %x[%i] : memref<8xf32>
  }
  return
}
