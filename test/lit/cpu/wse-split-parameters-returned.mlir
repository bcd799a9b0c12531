// RUN: wse-opt %s --pass-pipeline='builtin.module(wse-split-parameters{returned=false})' | filecheck %s
// RUN: wse-opt %s --pass-pipeline='builtin.module(wse-split-parameters)' | filecheck %s --check-prefix=ALL

// What the function returns stays in the call, so that no argument is returned.
// CHECK-NOT: @prepare
// CHECK:     math.exp
// ALL:       func.func private @prepare(
#m = affine_map<(d0) -> (d0)>
func.func @main(%x: tensor<8xf32> {wse.kind = "input"}, %w: tensor<8xf32> {wse.kind = "parameter"}) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %t = linalg.generic {indexing_maps = [#m, #m], iterator_types = ["parallel"]} ins(%w : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%p: f32, %q: f32):
    %s = math.exp %p : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  %r = tensor.expand_shape %t [[0, 1]] output_shape [2, 4] : tensor<8xf32> into tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}
