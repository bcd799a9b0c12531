// RUN: wse-opt %s --split-input-file --wse-permute-insertions --canonicalize --cse | filecheck %s

// A row goes to its place in the cache; transposing it and back leaves nothing, and other readers read the cache transposed.
#to = affine_map<(l, h, d) -> (h, l, d)>
#id = affine_map<(l, h, d) -> (l, h, d)>
// CHECK-LABEL: func.func @row
// CHECK-SAME: (%[[CACHE:.*]]: tensor<4x128x64xf32>, %[[ROW:.*]]: tensor<1x4x64xf32>, %[[P:.*]]: index)
// CHECK: %[[S:.*]] = tensor.collapse_shape %[[ROW]] {{\[\[}}0, 1], [2]] : tensor<1x4x64xf32> into tensor<4x64xf32>
// CHECK: tensor.insert_slice %[[S]] into %[[CACHE]][0, %[[P]], 0] [4, 1, 64] [1, 1, 1] : tensor<4x64xf32> into tensor<4x128x64xf32>
func.func @row(%cache: tensor<4x128x64xf32>, %row: tensor<1x4x64xf32>, %p: index) -> tensor<4x128x64xf32> {
  %e = tensor.empty() : tensor<128x4x64xf32>
  %t = linalg.generic {indexing_maps = [#to, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%cache : tensor<4x128x64xf32>) outs(%e : tensor<128x4x64xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<128x4x64xf32>
  %i = tensor.insert_slice %row into %t[%p, 0, 0] [1, 4, 64] [1, 1, 1] : tensor<1x4x64xf32> into tensor<128x4x64xf32>
  %f = tensor.empty() : tensor<4x128x64xf32>
  %r = linalg.generic {indexing_maps = [#to, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%i : tensor<128x4x64xf32>) outs(%f : tensor<4x128x64xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<4x128x64xf32>
  return %r : tensor<4x128x64xf32>
}

// -----

// Several rows in a loop, of open sizes: the loop carries the cache itself, and elements are read there.
#to = affine_map<(l, h, d) -> (h, l, d)>
#id = affine_map<(l, h, d) -> (l, h, d)>
// CHECK-LABEL: func.func @loop
// CHECK-SAME: (%[[CACHE:.*]]: tensor<?x?x8xf32>,
// CHECK: scf.for %[[K:.*]] = {{.*}} iter_args(%[[C:.*]] = %[[CACHE]]) -> (tensor<?x?x8xf32>)
// CHECK: tensor.extract %[[C]][%{{c1.*}}, %[[K]], %{{c0.*}}]
// CHECK: %[[S:.*]] = tensor.collapse_shape
// CHECK: tensor.insert_slice %[[S]] into %[[C]][0, %[[K]], 0] [%{{.*}}, 1, 8] [1, 1, 1] : tensor<?x8xf32> into tensor<?x?x8xf32>
// CHECK: tensor.insert %{{.*}} into %{{.*}}[%{{c0.*}}, %[[K]], %{{c1.*}}]
func.func @loop(%cache: tensor<?x?x8xf32>, %row: tensor<1x?x8xf32>, %h: index, %l: index) -> tensor<?x?x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %e = tensor.empty(%l, %h) : tensor<?x?x8xf32>
  %t = linalg.generic {indexing_maps = [#to, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%cache : tensor<?x?x8xf32>) outs(%e : tensor<?x?x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<?x?x8xf32>
  %i = scf.for %k = %c0 to %l step %c1 iter_args(%x = %t) -> (tensor<?x?x8xf32>) {
    %old = tensor.extract %x[%k, %c1, %c0] : tensor<?x?x8xf32>
    %y = tensor.insert_slice %row into %x[%k, 0, 0] [1, %h, 8] [1, 1, 1] : tensor<1x?x8xf32> into tensor<?x?x8xf32>
    %z = tensor.insert %old into %y[%k, %c0, %c1] : tensor<?x?x8xf32>
    scf.yield %z : tensor<?x?x8xf32>
  }
  %f = tensor.empty(%h, %l) : tensor<?x?x8xf32>
  %r = linalg.generic {indexing_maps = [#to, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%i : tensor<?x?x8xf32>) outs(%f : tensor<?x?x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<?x?x8xf32>
  return %r : tensor<?x?x8xf32>
}

// -----

// What is inserted is transposed where its own dimensions change places.
#to = affine_map<(i, j) -> (j, i)>
#id = affine_map<(i, j) -> (i, j)>
// CHECK: #[[T:.*]] = affine_map<(d0, d1) -> (d1, d0)>
// CHECK-LABEL: func.func @window
// CHECK-SAME: (%[[X:.*]]: tensor<8x9xf32>, %[[W:.*]]: tensor<2x3xf32>)
// CHECK: %[[S:.*]] = linalg.generic {indexing_maps = [#[[T]],{{.*}} ins(%[[W]] : tensor<2x3xf32>) outs(%{{.*}} : tensor<3x2xf32>)
// CHECK: tensor.insert_slice %[[S]] into %[[X]][5, 4] [3, 2] [1, 2] : tensor<3x2xf32> into tensor<8x9xf32>
func.func @window(%x: tensor<8x9xf32>, %w: tensor<2x3xf32>) -> tensor<8x9xf32> {
  %e = tensor.empty() : tensor<9x8xf32>
  %t = linalg.generic {indexing_maps = [#to, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x9xf32>) outs(%e : tensor<9x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<9x8xf32>
  %i = tensor.insert_slice %w into %t[4, 5] [2, 3] [2, 1] : tensor<2x3xf32> into tensor<9x8xf32>
  %f = tensor.empty() : tensor<8x9xf32>
  %r = linalg.generic {indexing_maps = [#to, #id], iterator_types = ["parallel", "parallel"]}
      ins(%i : tensor<9x8xf32>) outs(%f : tensor<8x9xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<8x9xf32>
  return %r : tensor<8x9xf32>
}

// -----

// A transposed tensor that nobody transposes back keeps its copy.
#to = affine_map<(i, j) -> (j, i)>
#id = affine_map<(i, j) -> (i, j)>
// CHECK-LABEL: func.func @stays
// CHECK: %[[T:.*]] = linalg.generic
// CHECK: tensor.insert_slice %{{.*}} into %[[T]][4, 5] [2, 3] [1, 1]
func.func @stays(%x: tensor<8x9xf32>, %w: tensor<2x3xf32>) -> tensor<9x8xf32> {
  %e = tensor.empty() : tensor<9x8xf32>
  %t = linalg.generic {indexing_maps = [#to, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x9xf32>) outs(%e : tensor<9x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<9x8xf32>
  %i = tensor.insert_slice %w into %t[4, 5] [2, 3] [1, 1] : tensor<2x3xf32> into tensor<9x8xf32>
  return %i : tensor<9x8xf32>
}

// -----

// A loop that reads the whole tensor keeps the order that its body expects.
#to = affine_map<(i, j) -> (j, i)>
#id = affine_map<(i, j) -> (i, j)>
// CHECK-LABEL: func.func @read_whole
// CHECK: scf.for {{.*}} -> (tensor<9x8xf32>)
func.func @read_whole(%x: tensor<8x9xf32>, %n: index) -> tensor<8x9xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %e = tensor.empty() : tensor<9x8xf32>
  %t = linalg.generic {indexing_maps = [#to, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x9xf32>) outs(%e : tensor<9x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<9x8xf32>
  %i = scf.for %k = %c0 to %n step %c1 iter_args(%y = %t) -> (tensor<9x8xf32>) {
    %s = tensor.extract_slice %y[%k, 0] [1, 8] [1, 1] : tensor<9x8xf32> to tensor<1x8xf32>
    %z = tensor.insert_slice %s into %y[0, 0] [1, 8] [1, 1] : tensor<1x8xf32> into tensor<9x8xf32>
    scf.yield %z : tensor<9x8xf32>
  }
  %f = tensor.empty() : tensor<8x9xf32>
  %r = linalg.generic {indexing_maps = [#to, #id], iterator_types = ["parallel", "parallel"]}
      ins(%i : tensor<9x8xf32>) outs(%f : tensor<8x9xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<8x9xf32>
  return %r : tensor<8x9xf32>
}
