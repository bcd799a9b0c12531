// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-outline-regions{regions=3})' --mlir-print-local-scope | filecheck %s
// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-outline-regions)' --mlir-print-local-scope | filecheck %s --check-prefix=TWO

// What the last region reads of the first one goes through the one between them, in the order in which it was made. A result
// that is handed on as well leaves twice; arguments come from the host wherever they are read.
// CHECK-LABEL: func.func private @region_0(
// CHECK-SAME: %arg0: tensor<8xf32> {wse.kind = "input", wse.name = "0"})
// CHECK-SAME: -> (tensor<8xf32> {wse.kind = "stream", wse.name = "0"}, tensor<8xf32> {wse.kind = "output", wse.name = "0"})
// CHECK-SAME: wse.work = 8 : i64
// CHECK: math.exp
// CHECK: return %[[A:.*]], %[[A]]
// CHECK-LABEL: func.func private @region_1(
// CHECK-SAME: %arg0: tensor<8xf32> {wse.kind = "stream", wse.name = "0"}, %arg1: tensor<8xf32> {wse.kind = "parameter", wse.name = "w"})
// CHECK-SAME: -> (tensor<8xf32> {wse.kind = "stream", wse.name = "0"}, tensor<8xf32> {wse.kind = "stream", wse.name = "1"})
// CHECK: %[[B:.*]] = linalg.generic
// CHECK: arith.mulf
// CHECK: return %arg0, %[[B]]
// CHECK-LABEL: func.func private @region_2(
// CHECK-SAME: %arg0: tensor<8xf32> {wse.kind = "stream", wse.name = "0"}, %arg1: tensor<8xf32> {wse.kind = "stream", wse.name = "1"}, %arg2: tensor<8xf32> {wse.kind = "parameter"
// CHECK: arith.addf
// CHECK-LABEL: func.func @main(
// CHECK: %[[F:.*]]:2 = call @region_0(%arg0)
// CHECK: %[[S:.*]]:2 = call @region_1(%[[F]]#0, %arg1)
// CHECK: %[[T:.*]] = call @region_2(%[[S]]#0, %[[S]]#1, %arg1)
// CHECK: return %[[F]]#1, %[[T]]

// Two regions have about the same work.
// TWO: func.func private @region_0({{.*}}wse.work = 16
// TWO: func.func private @region_1({{.*}}wse.work = 16
// TWO-NOT: @region_2
#id = affine_map<(d0) -> (d0)>
func.func @main(%x: tensor<8xf32> {wse.kind = "input", wse.name = "0"}, %w: tensor<8xf32> {wse.kind = "parameter", wse.name = "w"})
    -> (tensor<8xf32> {wse.kind = "output", wse.name = "0"}, tensor<8xf32> {wse.kind = "output", wse.name = "1"}) {
  %e = tensor.empty() : tensor<8xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%p: f32, %o: f32):
    %r = math.exp %p : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %b = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a, %w : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %r = arith.mulf %p, %q : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %c = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel"]} ins(%a, %b, %w : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%p: f32, %q: f32, %v: f32, %o: f32):
    %r = arith.addf %p, %q : f32
    %s = arith.addf %r, %v : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  return %a, %c : tensor<8xf32>, tensor<8xf32>
}

// -----

// A state stays in the region that has it to itself.
// CHECK-LABEL: func.func private @region_1(
// CHECK-SAME: %arg0: tensor<8xf32> {wse.kind = "stream", wse.name = "0"}, %arg1: tensor<8xf32> {wse.kind = "state", wse.name = "s"})
// CHECK-SAME: -> (tensor<8xf32> {wse.kind = "output", wse.name = "0"}, tensor<8xf32> {wse.kind = "state", wse.name = "s"})
#id = affine_map<(d0) -> (d0)>
func.func @main(%x: tensor<8xf32> {wse.kind = "input", wse.name = "0"}, %s: tensor<8xf32> {wse.kind = "state", wse.name = "s"})
    -> (tensor<8xf32> {wse.kind = "output", wse.name = "0"}, tensor<8xf32> {wse.kind = "state", wse.name = "s"}) {
  %e = tensor.empty() : tensor<8xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%p: f32, %o: f32):
    %r = math.exp %p : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %b:2 = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel"]} ins(%a, %s : tensor<8xf32>, tensor<8xf32>) outs(%e, %e : tensor<8xf32>, tensor<8xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32, %u: f32):
    %r = arith.mulf %p, %q : f32
    %t = arith.addf %p, %q : f32
    linalg.yield %r, %t : f32, f32
  } -> (tensor<8xf32>, tensor<8xf32>)
  return %b#0, %b#1 : tensor<8xf32>, tensor<8xf32>
}
