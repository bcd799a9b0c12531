// RUN: wse-opt %s --pass-pipeline='builtin.module(wse-split-parameters{constants=false})' | filecheck %s
// RUN: wse-opt %s --pass-pipeline='builtin.module(wse-split-parameters)' | filecheck %s --check-prefix=ALL

// A mask of positions stays in the call where only what needs a parameter is to be moved; what is computed of a parameter
// goes in both cases.
// CHECK-LABEL: func.func private @prepare(
// CHECK:         math.exp
// CHECK-NOT:     linalg.index
// CHECK-LABEL: func.func @main(
// CHECK:         linalg.index
// CHECK-NOT:     math.exp
// ALL-LABEL: func.func @main(
// ALL-NOT:     linalg.index
#m = affine_map<(d0) -> (d0)>
func.func @main(%x: tensor<8xf32> {wse.kind = "input"}, %w: tensor<8xf32> {wse.kind = "parameter"}) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %mask = linalg.generic {indexing_maps = [#m], iterator_types = ["parallel"]} outs(%e : tensor<8xf32>) {
  ^bb0(%q: f32):
    %i = linalg.index 0 : index
    %n = arith.index_cast %i : index to i32
    %s = arith.sitofp %n : i32 to f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  %t = linalg.generic {indexing_maps = [#m, #m], iterator_types = ["parallel"]} ins(%w : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%p: f32, %q: f32):
    %s = math.exp %p : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  %y = linalg.generic {indexing_maps = [#m, #m, #m, #m], iterator_types = ["parallel"]}
      ins(%x, %t, %mask : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%p: f32, %q: f32, %r: f32, %o: f32):
    %s = arith.addf %p, %q : f32
    %u = arith.mulf %s, %r : f32
    linalg.yield %u : f32
  } -> tensor<8xf32>
  return %y : tensor<8xf32>
}
