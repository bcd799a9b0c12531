// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-vectorize{cpu=x86-64-v4}),canonicalize,cse)' --split-input-file | filecheck %s

// Windows of five by five: nine of a row's elements are the columns of five windows. Twelve windows look at sixteen
// columns of five elements (the loop), and come to fifteen pairs, thirteen fours and twelve results.
// CHECK-LABEL: func.func @greatest
// CHECK:         %[[COLUMNS:.*]]:16 = scf.for
// CHECK-COUNT-16:  arith.maximumf
// CHECK:           scf.yield
// CHECK-COUNT-52:  arith.maximumf
// CHECK-NOT:     arith.maximumf
// CHECK:         vector.store
#x = affine_map<(h, w, c, i, j) -> (h + i, w + j, c)>
#k = affine_map<(h, w, c, i, j) -> (i, j)>
#y = affine_map<(h, w, c, i, j) -> (h, w, c)>
func.func @greatest(%x: memref<28x28x16xf32>, %k: memref<5x5xf32>, %y: memref<24x24x16xf32>) {
  linalg.generic {indexing_maps = [#x, #k, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%x, %k : memref<28x28x16xf32>, memref<5x5xf32>) outs(%y : memref<24x24x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.maximumf %o, %a : f32
    linalg.yield %v : f32
  }
  return
}

// -----

// Sums count each element once: they are added up one window at a time.
// CHECK-LABEL: func.func @sums
// CHECK-NOT:     arith.maximumf
// CHECK:         arith.addf
#x = affine_map<(h, w, c, i, j) -> (h + i, w + j, c)>
#k = affine_map<(h, w, c, i, j) -> (i, j)>
#y = affine_map<(h, w, c, i, j) -> (h, w, c)>
func.func @sums(%x: memref<28x28x16xf32>, %k: memref<5x5xf32>, %y: memref<24x24x16xf32>) {
  linalg.generic {indexing_maps = [#x, #k, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%x, %k : memref<28x28x16xf32>, memref<5x5xf32>) outs(%y : memref<24x24x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.addf %o, %a : f32
    linalg.yield %v : f32
  }
  return
}

// -----

// Windows that do not overlap have no columns in common.
// CHECK-LABEL: func.func @apart
// CHECK-NOT:     iter_args
// CHECK:         arith.maximumf
#x = affine_map<(h, w, c, i, j) -> (h * 2 + i, w * 2 + j, c)>
#k = affine_map<(h, w, c, i, j) -> (i, j)>
#y = affine_map<(h, w, c, i, j) -> (h, w, c)>
func.func @apart(%x: memref<48x48x16xf32>, %k: memref<2x2xf32>, %y: memref<24x24x16xf32>) {
  linalg.generic {indexing_maps = [#x, #k, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%x, %k : memref<48x48x16xf32>, memref<2x2xf32>) outs(%y : memref<24x24x16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %v = arith.maximumf %o, %a : f32
    linalg.yield %v : f32
  }
  return
}
