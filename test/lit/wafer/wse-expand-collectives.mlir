// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-expand-collectives)' | filecheck %s

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 2 : i64>

// An all-reduce is done by an algorithm of the library, which emission asks for.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: wse.all_reduce
func.func @main(%a: tensor<6x10xf32>) -> tensor<6x10xf32> {
  %0 = "wse.all_reduce"(%a) {axis = "x", kind = "max", algorithm = "", layout = #wse.layout<"[y:2/3, -] on x:4; y:2 at (0, 0)">} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  return %0 : tensor<6x10xf32>
}

// -----

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 2 : i64>

// The free axis y is sliced first, so that less has to be gathered along x.
// CHECK-LABEL: func.func @main
// CHECK: wse.redistribute{{.*}} {layout = #wse.layout<"[y:2/3, x:4/3]{{.*}}source_layout = #wse.layout<"[-, x:4/3]
// CHECK: wse.all_gather{{.*}}axis = "x", dim = 1 : i64, layout = #wse.layout<"[y:2/3, -]
// CHECK-NOT: wse.redistribute
func.func @main(%a: tensor<6x10xf32>) -> tensor<6x10xf32> {
  %0 = "wse.redistribute"(%a) {source_layout = #wse.layout<"[-, x:4/3] on x:4; y:2 at (0, 0)">, layout = #wse.layout<"[y:2/3, -] on x:4; y:2 at (0, 0)">} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  return %0 : tensor<6x10xf32>
}

// -----

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 2 : i64>

// Nothing happens to a layout that stays the same.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: return %arg0
func.func @main(%a: tensor<6x10xf32>) -> tensor<6x10xf32> {
  %0 = "wse.redistribute"(%a) {source_layout = #wse.layout<"[y:2/3, -] on x:4; y:2 at (0, 0)">, layout = #wse.layout<"[y:2/3, -] on x:4; y:2 at (0, 0)">} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  return %0 : tensor<6x10xf32>
}
