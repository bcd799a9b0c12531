// RUN: wse-opt %s --split-input-file --wse-shape-interface | filecheck %s

// What all readers see in one shape has that shape, and what is reshaped last as well; names and kinds stay.
// CHECK: func.func @main(%[[W:.*]]: tensor<3x4xf32> {wse.host_type = tensor<12xf32>, wse.kind = "parameter", wse.name = "w"}) -> (tensor<3x4xf32> {wse.host_type = tensor<12xf32>})
// CHECK-NOT: tensor.
// CHECK: return
#id = affine_map<(i, j) -> (i, j)>
func.func @main(%w: tensor<12xf32> {wse.kind = "parameter", wse.name = "w"}) -> tensor<12xf32> {
  %v = tensor.expand_shape %w [[0, 1]] output_shape [3, 4] : tensor<12xf32> into tensor<3x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%v : tensor<3x4xf32>) outs(%v : tensor<3x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.negf %a : f32
    linalg.yield %s : f32
  } -> tensor<3x4xf32>
  %c = tensor.collapse_shape %r [[0, 1]] : tensor<3x4xf32> into tensor<12xf32>
  return %c : tensor<12xf32>
}

// -----

// Not where readers differ.
// CHECK: func.func @main(%{{.*}}: tensor<12xf32>) -> (tensor<3x4xf32>, tensor<12xf32>)
func.func @main(%w: tensor<12xf32>) -> (tensor<3x4xf32>, tensor<12xf32>) {
  %v = tensor.expand_shape %w [[0, 1]] output_shape [3, 4] : tensor<12xf32> into tensor<3x4xf32>
  %s = math.exp %w : tensor<12xf32>
  %t = math.exp %v : tensor<3x4xf32>
  return %t, %s : tensor<3x4xf32>, tensor<12xf32>
}

// -----

// Nor where it is handed back.
// CHECK: func.func @main(%{{.*}}: tensor<12xf32>) -> (tensor<12xf32>, tensor<12xf32> {wse.host_type = tensor<3x4xf32>})
func.func @main(%w: tensor<12xf32>) -> (tensor<12xf32>, tensor<3x4xf32>) {
  %v = tensor.expand_shape %w [[0, 1]] output_shape [3, 4] : tensor<12xf32> into tensor<3x4xf32>
  return %w, %v : tensor<12xf32>, tensor<3x4xf32>
}
