// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-pad-in-place))' --split-input-file | filecheck %s
// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-pad-in-place),wse-bufferize,canonicalize,cse)' --split-input-file | filecheck %s --check-prefix=BUFFER

// A border of one line on both sides is one slice a dimension; corners are filled once. On buffers, the producer writes the
// interior and its other user reads it there: nothing is copied.
// CHECK-LABEL: func.func @convolution
// CHECK:         %[[X:.*]] = linalg.generic
// CHECK:           math.exp
// CHECK:         %[[P:.*]] = tensor.empty() : tensor<6x7x8xf32>
// CHECK:         %[[A:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<2x7x8xf32>)
// CHECK:         %[[Q:.*]] = tensor.insert_slice %[[A]] into %[[P]][0, 0, 0] [2, 7, 8] [5, 1, 1]
// CHECK:         %[[B:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<4x2x8xf32>)
// CHECK:         %[[R:.*]] = tensor.insert_slice %[[B]] into %[[Q]][1, 0, 0] [4, 2, 8] [1, 6, 1]
// CHECK:         tensor.insert_slice %[[X]] into %[[R]][1, 1, 0] [4, 5, 8] [1, 1, 1]
// CHECK-NOT:     tensor.pad
// BUFFER-LABEL: func.func @convolution
// BUFFER:         %[[P:.*]] = memref.alloc() {{.*}} : memref<6x7x8xf32>
// BUFFER:         %[[ROWS:.*]] = memref.subview %[[P]][0, 0, 0] [2, 7, 8] [5, 1, 1]
// BUFFER:         linalg.generic {{.*}} ins(%cst : f32) outs(%[[ROWS]]
// BUFFER:         %[[COLUMNS:.*]] = memref.subview %[[P]][1, 0, 0] [4, 2, 8] [1, 6, 1]
// BUFFER:         linalg.generic {{.*}} ins(%cst : f32) outs(%[[COLUMNS]]
// BUFFER:         %[[X:.*]] = memref.subview %[[P]][1, 1, 0] [4, 5, 8] [1, 1, 1]
// BUFFER:         linalg.generic {{.*}} ins(%arg0 : memref<4x5x8xf32>) outs(%[[X]]
// BUFFER:           math.exp
// BUFFER:         linalg.generic {{.*}} ins(%[[P]], %arg1 : memref<6x7x8xf32>, memref<3x3x8xf32>)
// BUFFER:         linalg.generic {{.*}} ins(%{{.*}}, %[[X]]
// BUFFER-NOT:     linalg.generic
// BUFFER:         return
#p = affine_map<(y, x, c) -> (y, x, c)>
func.func @convolution(%a: tensor<4x5x8xf32>, %w: tensor<3x3x8xf32>) -> tensor<4x5x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x5x8xf32>
  %x = linalg.generic {indexing_maps = [#p, #p], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a : tensor<4x5x8xf32>) outs(%e : tensor<4x5x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<4x5x8xf32>
  %pad = tensor.pad %x low[1, 1, 0] high[1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index):
    tensor.yield %zero : f32
  } : tensor<4x5x8xf32> to tensor<6x7x8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<4x5x8xf32>) -> tensor<4x5x8xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(y, x, c, i, j) -> (y + i, x + j, c)>, affine_map<(y, x, c, i, j) -> (i, j, c)>,
      affine_map<(y, x, c, i, j) -> (y, x, c)>], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%pad, %w : tensor<6x7x8xf32>, tensor<3x3x8xf32>) outs(%z : tensor<4x5x8xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %m = arith.mulf %i, %j : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<4x5x8xf32>
  %r = linalg.generic {indexing_maps = [#p, #p, #p], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%c, %x : tensor<4x5x8xf32>, tensor<4x5x8xf32>) outs(%e : tensor<4x5x8xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %s = arith.addf %i, %j : f32
    linalg.yield %s : f32
  } -> tensor<4x5x8xf32>
  return %r : tensor<4x5x8xf32>
}

// -----

// Open sizes: only what is padded must be known. Lines before and behind are slices of their own; an argument is copied once.
// CHECK-LABEL: func.func @open
// CHECK:         %[[P:.*]] = tensor.empty(%{{.*}}) : tensor<?x8xf32>
// CHECK:         tensor.insert_slice %{{.*}} into %[[P]][0, 0] [%{{.*}}, 2] [1, 1]
// CHECK:         tensor.insert_slice %{{.*}}[0, 7] [%{{.*}}, 1] [1, 1]
// CHECK:         tensor.insert_slice %arg0 into %{{.*}}[0, 2] [%{{.*}}, 5] [1, 1]
// CHECK-NOT:     tensor.pad
// BUFFER-LABEL: func.func @open
// BUFFER-COUNT-3: linalg.generic
// BUFFER-NOT:     linalg.generic
func.func @open(%a: tensor<?x5xf32>) -> tensor<?x8xf32> {
  %one = arith.constant 1.0 : f32
  %pad = tensor.pad %a low[0, 2] high[0, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %one : f32
  } : tensor<?x5xf32> to tensor<?x8xf32>
  return %pad : tensor<?x8xf32>
}

// -----

// A padding that depends on the position and a pad of unknown width stay.
// CHECK-LABEL: func.func @kept
// CHECK-COUNT-2: tensor.pad
// BUFFER-LABEL: func.func @kept
func.func @kept(%a: tensor<5xindex>, %n: index) -> (tensor<7xindex>, tensor<?xindex>) {
  %c0 = arith.constant 0 : index
  %p = tensor.pad %a low[1] high[1] {
  ^bb0(%i: index):
    tensor.yield %i : index
  } : tensor<5xindex> to tensor<7xindex>
  %q = tensor.pad %a low[%n] high[0] {
  ^bb0(%i: index):
    tensor.yield %c0 : index
  } : tensor<5xindex> to tensor<?xindex>
  return %p, %q : tensor<7xindex>, tensor<?xindex>
}
