// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-stream-interface{rows=1,-1})' --mlir-print-local-scope | filecheck %s

// Everybody reads what has come in; what is handed on without being read goes through both operations.
// CHECK-LABEL: func.func @main(
// CHECK: %[[A:.*]] = "wse.stream_in"(%arg0) {rows = 1 : i64}
// CHECK: %[[B:.*]] = "wse.stream_in"(%arg2) {rows = -1 : i64}
// CHECK: %[[C:.*]] = linalg.generic {{.*}} ins(%[[A]], %arg1 :
// CHECK-DAG: %[[P:.*]] = "wse.stream_out"(%[[B]])
// CHECK-DAG: %[[Q:.*]] = "wse.stream_out"(%[[C]])
// CHECK: return %[[P]], %[[Q]], %[[C]]
#id = affine_map<(i, j) -> (i, j)>
func.func @main(%x: tensor<4x8xf32> {wse.kind = "stream"}, %w: tensor<4x8xf32> {wse.kind = "parameter"}, %y: tensor<3xf32> {wse.kind = "stream"})
    -> (tensor<3xf32> {wse.kind = "stream"}, tensor<4x8xf32> {wse.kind = "stream"}, tensor<4x8xf32> {wse.kind = "output"}) {
  %e = tensor.empty() : tensor<4x8xf32>
  %a = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %w : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %r = arith.mulf %p, %q : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  return %y, %a, %a : tensor<3xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}
