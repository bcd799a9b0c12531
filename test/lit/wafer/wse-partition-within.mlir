// RUN: wse-opt %s --pass-pipeline='builtin.module(wse-partition{machine=tiny within=3x2})' --mlir-print-local-scope | filecheck %s
// RUN: not wse-opt %s --pass-pipeline='builtin.module(wse-partition{machine=tiny within=9x2})' 2>&1 | filecheck %s --check-prefix=LARGE

// A grid is chosen that is no larger than asked, where all of the machine would be better.
// CHECK: wse.rect = #wse.rect<0 : i64, 0 : i64, 3 : i64, 2 : i64>
// LARGE: grid 9x2 does not fit the machine, which gives 8x8 PEs to a program
#id = affine_map<(i, j) -> (i, j)>
func.func @main(%x: tensor<96x96xf32>) -> tensor<96x96xf32> {
  %e = tensor.empty() : tensor<96x96xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<96x96xf32>) outs(%e : tensor<96x96xf32>) {
  ^bb0(%p: f32, %o: f32):
    %r = math.exp %p : f32
    linalg.yield %r : f32
  } -> tensor<96x96xf32>
  return %a : tensor<96x96xf32>
}
