// RUN: wse-opt %s --pass-pipeline='builtin.module(wse-partition{machine=tiny grid=6x7})' | filecheck %s
// RUN: wse-opt %s --pass-pipeline='builtin.module(wse-partition{machine=tiny grid=2x7})' | filecheck %s --check-prefix=WHOLE

// Two rows leave two thirds of six columns idle. In factors, rows are split over the outer one and terms over the inner
// one, along which their sums are added up. On two columns rows fill the whole axis.
// CHECK: linalg.generic {{.*}}wse.iterators = #wse.layout<"[xo:2/1, y:7/13, xi:3/14] on xo:2 xi:3; y:7 at (0, 0)">, wse.layouts = [#wse.layout<"[xo:2/1, y:7/13] on xo:2 xi:3; y:7 at (0, 0), partial add over xi">]
// CHECK: wse.all_reduce{{.*}}axis = "xi", kind = "add"
// CHECK: linalg.generic {{.*}}partial add over y">]
// CHECK: wse.reduce{{.*}}axis = "y", kind = "add"
// WHOLE-NOT: xi:
#rows = affine_map<(i, j, k) -> (i, k)>
#weights = affine_map<(i, j, k) -> (j, k)>
#out = affine_map<(i, j, k) -> (i, j)>
func.func @main(%x: tensor<2x42xf32>, %v: tensor<90x42xf32> {wse.kind = "parameter", wse.name = "v"},
                %w: tensor<42x90xf32> {wse.kind = "parameter", wse.name = "w"}) -> tensor<2x42xf32> {
  %wide = arith.constant dense<0.0> : tensor<2x90xf32>
  %narrow = arith.constant dense<0.0> : tensor<2x42xf32>
  %0 = linalg.generic {indexing_maps = [#rows, #weights, #out], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %v : tensor<2x42xf32>, tensor<90x42xf32>) outs(%wide : tensor<2x90xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<2x90xf32>
  %1 = linalg.generic {indexing_maps = [#rows, #weights, #out], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%0, %w : tensor<2x90xf32>, tensor<42x90xf32>) outs(%narrow : tensor<2x42xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<2x42xf32>
  return %1 : tensor<2x42xf32>
}
