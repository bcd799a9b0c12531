// RUN: wse-opt %s --pass-pipeline="builtin.module(wse-partition{grid=2x1},wse-place,wse-emit-programs)" | filecheck %s
// RUN: wse-opt %s --pass-pipeline="builtin.module(wse-partition{grid=2x1},wse-place,wse-emit-programs{keep-states=false})" | filecheck %s --check-prefix=TRAVEL

// A state is brought once; its next value is copied to where it is, and the host looks at it when somebody asks.

// CHECK-DAG: "wse.host_scatter"() {{{.*}}buffer = @[[STATE:state_total_[0-9]+]], {{.*}}resident = 1 : i64, {{.*}}tensor = 1
// CHECK-DAG: "wse.host_scatter"() {{{.*}}resident = 0 : i64, {{.*}}tensor = 0
// CHECK-DAG: "wse.host_gather"() {{{.*}}resident = 0 : i64, {{.*}}tensor = 0
// CHECK-DAG: "wse.host_gather"() {{{.*}}buffer = @[[STATE]], {{.*}}resident = 1 : i64, {{.*}}tensor = 1
// CHECK: "wse.phase"() {label = "state"}
// CHECK-NEXT: "wse.vector"{{.*}}kind = "copy"

// TRAVEL-NOT: resident = 1
// TRAVEL-NOT: label = "state"
func.func @main(%x: tensor<6xf32> {wse.kind = "input", wse.name = "0"}, %total: tensor<6xf32> {wse.kind = "state", wse.name = "total"})
    -> (tensor<6xf32> {wse.kind = "output", wse.name = "0"}, tensor<6xf32> {wse.kind = "state", wse.name = "total"}) {
  %empty = tensor.empty() : tensor<6xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x, %total : tensor<6xf32>, tensor<6xf32>) outs(%empty : tensor<6xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<6xf32>
  %double = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%sum : tensor<6xf32>) outs(%empty : tensor<6xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.addf %a, %a : f32
    linalg.yield %0 : f32
  } -> tensor<6xf32>
  return %double, %sum : tensor<6xf32>, tensor<6xf32>
}
