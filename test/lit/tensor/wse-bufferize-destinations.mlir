// RUN: wse-opt %s --pass-pipeline='builtin.module(wse-bufferize,canonicalize,cse)' --split-input-file | filecheck %s

// A concatenation's parts are computed in their places, in the order in which they are computed, and read there.
// CHECK-LABEL: func.func @concatenation
// CHECK-SAME:    (%[[A:.*]]: memref<4x5xf32>, %[[OUT:.*]]: memref<4x10xf32>
// CHECK:         %[[RIGHT:[a-z0-9_]*]] = memref.subview %[[OUT]][0, 5] [4, 5] [1, 1]
// CHECK:         linalg.generic {{.*}} ins(%[[A]] : memref<4x5xf32>) outs(%[[RIGHT]]
// CHECK:           math.exp
// CHECK:         %[[LEFT:.*]] = memref.subview %[[OUT]][0, 0] [4, 5] [1, 1]
// CHECK:         linalg.generic {{.*}} ins(%[[RIGHT]] : {{.*}} outs(%[[LEFT]]
// CHECK:           math.tanh
// CHECK-NOT:     linalg.generic
// CHECK-NOT:     memref.alloc
// CHECK:         return
#p = affine_map<(i, j) -> (i, j)>
func.func @concatenation(%a: tensor<4x5xf32>) -> tensor<4x10xf32> {
  %e = tensor.empty() : tensor<4x5xf32>
  %x = linalg.generic {indexing_maps = [#p, #p], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<4x5xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<4x5xf32>
  %y = linalg.generic {indexing_maps = [#p, #p], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x5xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<4x5xf32>
  %w = tensor.empty() : tensor<4x10xf32>
  %c = tensor.insert_slice %y into %w[0, 0] [4, 5] [1, 1] : tensor<4x5xf32> into tensor<4x10xf32>
  %d = tensor.insert_slice %x into %c[0, 5] [4, 5] [1, 1] : tensor<4x5xf32> into tensor<4x10xf32>
  return %d : tensor<4x10xf32>
}

// -----

// A part of a nested concatenation has its place in the outermost one. What is returned by itself is copied.
// CHECK-LABEL: func.func @nested
// CHECK-SAME:    (%[[A:.*]]: memref<4x5xf32>, %[[OUT:.*]]: memref<4x15xf32> {{{.*}}}, %[[PART:.*]]: memref<4x5xf32>
// CHECK:         linalg.generic {{.*}} outs(%[[PART]]
// CHECK:           math.exp
// CHECK:         %[[THIRD:.*]] = memref.subview %[[OUT]][0, 10] [4, 5] [1, 1]
// CHECK:         linalg.generic {{.*}} ins(%[[A]] : {{.*}} outs(%[[THIRD]]
// CHECK:         %[[INNER:.*]] = memref.subview %[[OUT]][0, 0] [4, 10] [1, 1]
// CHECK:         %[[FIRST:.*]] = memref.subview %[[INNER]][0, 0] [4, 5] [1, 1]
// CHECK:         linalg.generic {{.*}} ins(%[[PART]] : {{.*}} outs(%[[FIRST]]
// CHECK:         %[[SECOND:.*]] = memref.subview %[[INNER]][0, 5] [4, 5] [1, 1]
// CHECK:         linalg.generic {{.*}} ins(%[[PART]] : {{.*}} outs(%[[SECOND]]
// CHECK:           math.tanh
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     linalg.generic
// CHECK:         return
#p = affine_map<(i, j) -> (i, j)>
func.func @nested(%a: tensor<4x5xf32>) -> (tensor<4x15xf32>, tensor<4x5xf32>) {
  %e = tensor.empty() : tensor<4x5xf32>
  %x = linalg.generic {indexing_maps = [#p, #p], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<4x5xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<4x5xf32>
  %y = linalg.generic {indexing_maps = [#p, #p], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x5xf32>) outs(%e : tensor<4x5xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<4x5xf32>
  %w = tensor.empty() : tensor<4x10xf32>
  %c = tensor.insert_slice %x into %w[0, 0] [4, 5] [1, 1] : tensor<4x5xf32> into tensor<4x10xf32>
  %d = tensor.insert_slice %y into %c[0, 5] [4, 5] [1, 1] : tensor<4x5xf32> into tensor<4x10xf32>
  %v = tensor.empty() : tensor<4x15xf32>
  %f = tensor.insert_slice %d into %v[0, 0] [4, 10] [1, 1] : tensor<4x10xf32> into tensor<4x15xf32>
  %g = tensor.insert_slice %a into %f[0, 10] [4, 5] [1, 1] : tensor<4x5xf32> into tensor<4x15xf32>
  return %g, %x : tensor<4x15xf32>, tensor<4x5xf32>
}

// -----

// Two sums start from one filled tensor: it is filled twice, not copied, be the filling named or generic.
// CHECK-LABEL: func.func @shared_fill
// CHECK-COUNT-2: linalg.generic {{.*}} ins(%cst : f32)
// CHECK-NOT:     ins(%cst : f32)
// CHECK:         return
#m = affine_map<(i, j) -> (i, j)>
#v = affine_map<(i, j) -> (i)>
func.func @shared_fill(%a: tensor<4x5xf32>, %b: tensor<4x5xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(i) -> ()>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%zero : f32) outs(%e : tensor<4xf32>) {
  ^bb0(%i: f32, %o: f32):
    linalg.yield %i : f32
  } -> tensor<4xf32>
  %x = linalg.generic {indexing_maps = [#m, #v], iterator_types = ["parallel", "reduction"]} ins(%a : tensor<4x5xf32>) outs(%z : tensor<4xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = arith.addf %i, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#m, #v], iterator_types = ["parallel", "reduction"]} ins(%b : tensor<4x5xf32>) outs(%z : tensor<4xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = arith.maximumf %i, %o : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  return %x, %y : tensor<4xf32>, tensor<4xf32>
}

// -----

// The place may not be written early where its old contents are read meanwhile, nor in a buffer that is read only.
// CHECK-LABEL: func.func @read_meanwhile
// CHECK-SAME:    (%[[CACHE:.*]]: memref<8xf32> {{.*}}, %[[A:.*]]: memref<4xf32>, %[[OUT:.*]]: memref<4xf32>
// CHECK:         %[[NEW:.*]] = memref.alloc() {{.*}} : memref<4xf32>
// CHECK:         linalg.generic {{.*}} ins(%[[A]] : memref<4xf32>) outs(%[[NEW]]
// CHECK:           math.exp
// CHECK:         %[[PLACE:[a-z0-9_]*]] = memref.subview %[[CACHE]][2] [4] [1]
// CHECK:         linalg.generic {{.*}} ins(%[[NEW]], %[[PLACE]] {{.*}} outs(%[[OUT]]
// CHECK:           arith.addf
// CHECK:         linalg.generic {{.*}} ins(%[[NEW]] : {{.*}} outs(%[[PLACE]]
// CHECK:         return
#l = affine_map<(i) -> (i)>
func.func @read_meanwhile(%cache: tensor<8xf32> {wse.kind = "state", wse.name = "cache"}, %a: tensor<4xf32>)
    -> (tensor<4xf32> {wse.kind = "output", wse.name = "0"}, tensor<8xf32> {wse.kind = "state", wse.name = "cache"}) {
  %e = tensor.empty() : tensor<4xf32>
  %x = linalg.generic {indexing_maps = [#l, #l], iterator_types = ["parallel"]} ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %old = tensor.extract_slice %cache[2] [4] [1] : tensor<8xf32> to tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#l, #l, #l], iterator_types = ["parallel"]} ins(%x, %old : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %new = tensor.insert_slice %x into %cache[2] [4] [1] : tensor<4xf32> into tensor<8xf32>
  return %y, %new : tensor<4xf32>, tensor<8xf32>
}
