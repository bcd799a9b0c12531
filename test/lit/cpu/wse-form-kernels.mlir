// RUN: wse-opt %s --pass-pipeline='builtin.module(wse-form-kernels)' --split-input-file | filecheck %s

// Two layers of the same shape share a kernel: fill, product and activation. The buffer that only the group uses is
// allocated inside; what others need comes as an argument.
// CHECK-LABEL: func.func @layers
// CHECK:         %[[T:.*]] = memref.alloc() : memref<8x64xf32>
// CHECK-NEXT:    call @kernel_0(%arg0, %arg1, %arg2, %[[T]])
// CHECK-NEXT:    call @kernel_0(%[[T]], %arg3, %arg4, %arg5)
// CHECK-NEXT:    memref.dealloc %[[T]]
// CHECK-NEXT:    return
// CHECK:       func.func private @kernel_0(%arg0: memref<8x64xf32>, %arg1: memref<64x64xf32>, %arg2: memref<64xf32>, %arg3: memref<8x64xf32>)
// CHECK-SAME:    attributes {passthrough = ["noinline"], wse.kernel}
// CHECK:         %[[ACC:.*]] = memref.alloc() : memref<8x64xf32>
// CHECK-COUNT-3: linalg.generic
// CHECK:         memref.dealloc %[[ACC]]
// CHECK-NEXT:    return
// CHECK-NOT:   @kernel_1
#scalar = affine_map<(m, n) -> ()>
#all = affine_map<(m, n) -> (m, n)>
#column = affine_map<(m, n) -> (n)>
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @layers(%x: memref<8x64xf32>, %w: memref<64x64xf32>, %b: memref<64xf32>, %w2: memref<64x64xf32>, %b2: memref<64xf32>, %out: memref<8x64xf32>) {
  %zero = arith.constant 0.0 : f32
  %acc = memref.alloc() : memref<8x64xf32>
  linalg.generic {indexing_maps = [#scalar, #all], iterator_types = ["parallel", "parallel"]} ins(%zero : f32) outs(%acc : memref<8x64xf32>) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %in : f32
  }
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : memref<8x64xf32>, memref<64x64xf32>) outs(%acc : memref<8x64xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  %h = memref.alloc() : memref<8x64xf32>
  linalg.generic {indexing_maps = [#all, #column, #all], iterator_types = ["parallel", "parallel"]} ins(%acc, %b : memref<8x64xf32>, memref<64xf32>) outs(%h : memref<8x64xf32>) {
  ^bb0(%in: f32, %bias: f32, %o: f32):
    %s = arith.addf %in, %bias : f32
    linalg.yield %s : f32
  }
  memref.dealloc %acc : memref<8x64xf32>
  %acc2 = memref.alloc() : memref<8x64xf32>
  linalg.generic {indexing_maps = [#scalar, #all], iterator_types = ["parallel", "parallel"]} ins(%zero : f32) outs(%acc2 : memref<8x64xf32>) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %in : f32
  }
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%h, %w2 : memref<8x64xf32>, memref<64x64xf32>) outs(%acc2 : memref<8x64xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#all, #column, #all], iterator_types = ["parallel", "parallel"]} ins(%acc2, %b2 : memref<8x64xf32>, memref<64xf32>) outs(%out : memref<8x64xf32>) {
  ^bb0(%in: f32, %bias: f32, %o: f32):
    %s = arith.addf %in, %bias : f32
    linalg.yield %s : f32
  }
  memref.dealloc %h : memref<8x64xf32>
  memref.dealloc %acc2 : memref<8x64xf32>
  return
}

// -----

// Slices at different offsets have one type as arguments; other constants make another kernel.
// CHECK-LABEL: func.func @slices
// CHECK:         %[[A:.*]] = memref.cast %{{.*}} : memref<32x8xf32, strided<[32, 1]>> to memref<32x8xf32, strided<[32, 1], offset: ?>>
// CHECK:         call @kernel_0(%{{.*}}, %arg1)
// CHECK:         call @kernel_0(%{{.*}}, %arg2)
// CHECK:         call @kernel_1(%{{.*}}, %arg3)
// CHECK:       func.func private @kernel_0(%arg0: memref<32x8xf32, strided<[32, 1], offset: ?>>, %arg1: memref<32x8xf32>)
// CHECK:         arith.constant 2.0
// CHECK:       func.func private @kernel_1
// CHECK:         arith.constant 3.0
#id = affine_map<(m, n) -> (m, n)>
func.func @slices(%x: memref<32x32xf32>, %a: memref<32x8xf32>, %b: memref<32x8xf32>, %c: memref<32x8xf32>) {
  %two = arith.constant 2.0 : f32
  %three = arith.constant 3.0 : f32
  %x0 = memref.subview %x[0, 0] [32, 8] [1, 1] : memref<32x32xf32> to memref<32x8xf32, strided<[32, 1]>>
  %x1 = memref.subview %x[0, 8] [32, 8] [1, 1] : memref<32x32xf32> to memref<32x8xf32, strided<[32, 1], offset: 8>>
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x0 : memref<32x8xf32, strided<[32, 1]>>) outs(%a : memref<32x8xf32>) {
  ^bb0(%in: f32, %o: f32):
    %s = math.powf %in, %two : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x1 : memref<32x8xf32, strided<[32, 1], offset: 8>>) outs(%b : memref<32x8xf32>) {
  ^bb0(%in: f32, %o: f32):
    %s = math.powf %in, %two : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x1 : memref<32x8xf32, strided<[32, 1], offset: 8>>) outs(%c : memref<32x8xf32>) {
  ^bb0(%in: f32, %o: f32):
    %s = math.powf %in, %three : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// The parts of a softmax share their rows and are one group. An unrelated operation in between, which nothing in the
// group waits for, stands before or after the call.
// CHECK-LABEL: func.func @softmax
// CHECK-COUNT-2: call @kernel_
// CHECK-NEXT:    return
// CHECK:       func.func private @kernel_1
// CHECK-COUNT-6: linalg.generic
// CHECK-NOT:     linalg.generic
// CHECK:         return
#id = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (m)>
#one = affine_map<(m) -> ()>
#rows = affine_map<(m) -> (m)>
func.func @softmax(%x: memref<64x100xf32>, %y: memref<64x100xf32>, %z: memref<64x100xf32>) {
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %max = memref.alloc() : memref<64xf32>
  %sum = memref.alloc() : memref<64xf32>
  linalg.generic {indexing_maps = [#one, #rows], iterator_types = ["parallel"]} ins(%low : f32) outs(%max : memref<64xf32>) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %in : f32
  }
  linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : memref<64x100xf32>) outs(%max : memref<64xf32>) {
  ^bb0(%in: f32, %o: f32):
    %m = arith.maximumf %in, %o : f32
    linalg.yield %m : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<64x100xf32>) outs(%z : memref<64x100xf32>) {
  ^bb0(%in: f32, %o: f32):
    %m = arith.negf %in : f32
    linalg.yield %m : f32
  }
  linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %max : memref<64x100xf32>, memref<64xf32>) outs(%y : memref<64x100xf32>) {
  ^bb0(%in: f32, %m: f32, %o: f32):
    %d = arith.subf %in, %m : f32
    %e = math.exp %d : f32
    linalg.yield %e : f32
  }
  linalg.generic {indexing_maps = [#one, #rows], iterator_types = ["parallel"]} ins(%zero : f32) outs(%sum : memref<64xf32>) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %in : f32
  }
  linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%y : memref<64x100xf32>) outs(%sum : memref<64xf32>) {
  ^bb0(%in: f32, %o: f32):
    %m = arith.addf %in, %o : f32
    linalg.yield %m : f32
  }
  linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]} ins(%sum : memref<64xf32>) outs(%y : memref<64x100xf32>) {
  ^bb0(%s: f32, %o: f32):
    %q = arith.divf %o, %s : f32
    linalg.yield %q : f32
  }
  memref.dealloc %max : memref<64xf32>
  memref.dealloc %sum : memref<64xf32>
  return
}

// -----

// An operation that has to run between two others keeps them apart, though the second works on the first's result.
// CHECK-LABEL: func.func @between
// CHECK-DAG:     call @kernel_0
// CHECK:         scf.for
// CHECK:         call @kernel_1
// CHECK:       func.func private @kernel_0
#id = affine_map<(m, n) -> (m, n)>
func.func @between(%x: memref<64x100xf32>, %y: memref<64x100xf32>, %z: memref<64x100xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<64x100xf32>) outs(%y : memref<64x100xf32>) {
  ^bb0(%in: f32, %o: f32):
    %m = math.exp %in : f32
    linalg.yield %m : f32
  }
  scf.for %i = %c0 to %n step %c1 {
    memref.store %zero, %y[%c0, %i] : memref<64x100xf32>
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : memref<64x100xf32>) outs(%z : memref<64x100xf32>) {
  ^bb0(%in: f32, %o: f32):
    %m = arith.negf %in : f32
    linalg.yield %m : f32
  }
  return
}

// -----

// A few elements are no reason for a call, and operations in loops form groups there; scalars are handed over.
// CHECK-LABEL: func.func @small_and_in_a_loop
// CHECK-NOT:     call
// CHECK:         linalg.generic
// CHECK:         scf.for
// CHECK:           memref.subview
// CHECK:           call @kernel_0(%{{.*}}, %{{.*}}) : (memref<1x100xf32, strided<[100, 1], offset: ?>>, f32) -> ()
#id = affine_map<(m, n) -> (m, n)>
#line = affine_map<(m) -> (m)>
func.func @small_and_in_a_loop(%x: memref<64x100xf32>, %v: memref<8xf32>, %n: index, %by: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  linalg.generic {indexing_maps = [#line], iterator_types = ["parallel"]} outs(%v : memref<8xf32>) {
  ^bb0(%o: f32):
    %m = arith.negf %o : f32
    linalg.yield %m : f32
  }
  scf.for %i = %c0 to %n step %c1 {
    %line = memref.subview %x[%i, 0] [1, 100] [1, 1] : memref<64x100xf32> to memref<1x100xf32, strided<[100, 1], offset: ?>>
    linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%line : memref<1x100xf32, strided<[100, 1], offset: ?>>) {
    ^bb0(%o: f32):
      %m = arith.mulf %o, %by : f32
      linalg.yield %m : f32
    }
  }
  return
}
