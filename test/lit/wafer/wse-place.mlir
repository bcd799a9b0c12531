// RUN: wse-opt %s --pass-pipeline='builtin.module(wse-place{origin=2,1})' | filecheck %s
// RUN: not wse-opt %s --pass-pipeline='builtin.module(wse-place{origin=5,0})' 2>&1 | filecheck %s --check-prefix=OUTSIDE

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 2 : i64>

// Every layout moves to the rectangle's place.
// CHECK-LABEL: func.func @main
// CHECK-SAME: wse.rect = #wse.rect<2 : i64, 1 : i64, 4 : i64, 2 : i64>
// CHECK: wse.scatter{{.*}} on x:4; y:2 at (2, 1)">
// CHECK: wse.gather{{.*}} on x:4; y:2 at (2, 1)">

// A rectangle has to stay on the machine.
// OUTSIDE: 4 x 2 at (5, 0) leaves the 8 x 8 PEs of machine 'tiny'
func.func @main(%a: tensor<6x10xf32>) -> tensor<6x10xf32> attributes {wse.machine = "tiny", wse.rect = #rect} {
  %0 = "wse.scatter"(%a) {layout = #wse.layout<"[y:2/3, x:4/3] on x:4; y:2 at (0, 0)">} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  %1 = "wse.gather"(%0) {layout = #wse.layout<"[y:2/3, x:4/3] on x:4; y:2 at (0, 0)">} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  return %1 : tensor<6x10xf32>
}
