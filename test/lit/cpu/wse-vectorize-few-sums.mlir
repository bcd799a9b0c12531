// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-vectorize{vector-bits=512}),canonicalize,cse)' --split-input-file | filecheck %s

#row = affine_map<(n, k) -> (k)>
#matrix = affine_map<(n, k) -> (k, n)>
#result = affine_map<(n, k) -> (n)>

// One vector of sums would wait for each multiply-add: four steps add to sums of their own, which are added up at last.
// CHECK-LABEL: func.func @one_vector
// CHECK: %[[SUMS:.*]]:4 = scf.for {{.*}} iter_args({{.*}}, {{.*}}, {{.*}}, {{.*}}) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK-COUNT-4: math.fma
// CHECK-COUNT-3: arith.addf
func.func @one_vector(%x: memref<1024xf32>, %w: memref<1024x16xf32>, %y: memref<16xf32>) {
  linalg.generic {indexing_maps = [#row, #matrix, #result], iterator_types = ["parallel", "reduction"]} ins(%x, %w : memref<1024xf32>, memref<1024x16xf32>) outs(%y : memref<16xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %c, %m : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#row = affine_map<(n, k) -> (k)>
#matrix = affine_map<(n, k) -> (k, n)>
#result = affine_map<(n, k) -> (n)>

// Rows of a long matrix that is not packed are read from one end to the other, eight at once: panels are inside of parts
// of the reduction, whose sums wait in the result; the columns behind the last panel go through all of it.
// CHECK-LABEL: func.func @strips
// CHECK: scf.for %{{.*}} = %c0 to %c448 step %c112
// CHECK: scf.for %{{.*}} = %c0 to %c8
// CHECK: scf.for %[[PART:.*]] = %c8 to %c992 step %c8
// CHECK: scf.for %[[N:.*]] = %c0 to %c448 step %c112
// CHECK: vector.load %arg2[%[[N]]]
// CHECK: scf.for %{{.*}} = %c0 to %c8
// CHECK: vector.store %{{.*}}, %arg2[%[[N]]]
// CHECK: scf.for %{{.*}} = %c0 to %c448 step %c112
// CHECK: scf.for %{{.*}} = %c0 to %c8
// CHECK: scf.for %{{.*}} = %c0 to %c1000
// CHECK-NOT: scf.for
func.func @strips(%x: memref<1000xf32>, %w: memref<1000x520xf32>, %y: memref<520xf32>) {
  linalg.generic {indexing_maps = [#row, #matrix, #result], iterator_types = ["parallel", "reduction"]} ins(%x, %w : memref<1000xf32>, memref<1000x520xf32>) outs(%y : memref<520xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %c, %m : f32
    linalg.yield %s : f32
  }
  return
}
