// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-vectorize{vector-bits=512}),canonicalize,cse)' --split-input-file | filecheck %s

#image = affine_map<(y, x, f, c, i, j) -> (c, y + i, x + j)>
#filter = affine_map<(y, x, f, c, i, j) -> (f floordiv 32, c, i, j, f mod 32)>
#result = affine_map<(y, x, f, c, i, j) -> (y, x, f)>

// Neighbouring pixels read the same elements in the steps along x, which would stay in the registers that sums need: the
// steps along y are written out, those along x are a loop that LLVM leaves alone.
// CHECK-LABEL: func.func @overlapping
// CHECK:         scf.for %[[C:[^ ]+]] = %c0 to %c16 step %c1
// CHECK:           scf.for %[[J:[^ ]+]] = %c0 to %c3 step %c1
// CHECK-NOT:         scf.for
// CHECK-COUNT-84:    math.fma
// CHECK-NOT:         math.fma
// CHECK:             scf.yield
// CHECK:           llvm.loop_annotation = #
func.func @overlapping(%x: memref<16x58x58xf32>, %w: memref<1x16x3x3x32xf32>, %y: memref<56x56x32xf32>) {
  linalg.generic {indexing_maps = [#image, #filter, #result], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%x, %w : memref<16x58x58xf32>, memref<1x16x3x3x32xf32>) outs(%y : memref<56x56x32xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %c, %m : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#image = affine_map<(x, f, c, j) -> (c, x + j)>
#filter = affine_map<(x, f, c, j) -> (f floordiv 32, c, j, f mod 32)>
#result = affine_map<(x, f, c, j) -> (x, f)>

// Along a single direction there is nothing else to write out: each step of the window is an iteration.
// CHECK-LABEL: func.func @one_direction
// CHECK:         scf.for %[[C:[^ ]+]] = %c0 to %c16 step %c1
// CHECK:           scf.for %[[J:[^ ]+]] = %c0 to %c3 step %c1
// CHECK-COUNT-28:    math.fma
// CHECK-NOT:         math.fma
// CHECK:             scf.yield
// CHECK:           llvm.loop_annotation = #
func.func @one_direction(%x: memref<16x58xf32>, %w: memref<1x16x3x32xf32>, %y: memref<56x32xf32>) {
  linalg.generic {indexing_maps = [#image, #filter, #result], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%x, %w : memref<16x58xf32>, memref<1x16x3x32xf32>) outs(%y : memref<56x32xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %c, %m : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#image = affine_map<(x, f, c, j) -> (c, 3 * x + j)>
#filter = affine_map<(x, f, c, j) -> (f floordiv 32, c, j, f mod 32)>
#result = affine_map<(x, f, c, j) -> (x, f)>

// Windows that lie side by side share nothing, and are written out as they come.
// CHECK-LABEL: func.func @side_by_side
// CHECK:         scf.for %[[C:[^ ]+]] = %c0 to %c16 step %c1
// CHECK-NOT:       scf.for
// CHECK-COUNT-84:  math.fma
// CHECK-NOT:       math.fma
// CHECK:           scf.yield
// CHECK-NOT:     llvm.loop_annotation
func.func @side_by_side(%x: memref<16x168xf32>, %w: memref<1x16x3x32xf32>, %y: memref<56x32xf32>) {
  linalg.generic {indexing_maps = [#image, #filter, #result], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%x, %w : memref<16x168xf32>, memref<1x16x3x32xf32>) outs(%y : memref<56x32xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %c, %m : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#image = affine_map<(y, x, c, i, j) -> (y + i, x + j, c)>
#filter = affine_map<(y, x, c, i, j) -> (i, j, c)>
#result = affine_map<(y, x, c, i, j) -> (y, x, c)>

// Two rows of results share what a large window reads of an image, and all of them the weights.
// CHECK-LABEL: func.func @two_rows
// CHECK:         scf.for %[[Y:[^ ]+]] = %c0 to %c14 step %c2
// CHECK:           scf.for %[[X:[^ ]+]] = %c0 to %c14 step %c7
// CHECK:             %{{.*}}:14 = scf.for
// CHECK-COUNT-14:    vector.store
func.func @two_rows(%x: memref<20x20x32xf32>, %w: memref<7x7x32xf32>, %y: memref<14x14x32xf32>) {
  linalg.generic {indexing_maps = [#image, #filter, #result], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%x, %w : memref<20x20x32xf32>, memref<7x7x32xf32>) outs(%y : memref<14x14x32xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %c, %m : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#image = affine_map<(y, x, c, i, j) -> (y + i, x + j, c)>
#filter = affine_map<(y, x, c, i, j) -> (i, j, c)>
#result = affine_map<(y, x, c, i, j) -> (y, x, c)>

// A window of three has nothing to gain from that.
// CHECK-LABEL: func.func @one_row
// CHECK:         scf.for %[[Y:[^ ]+]] = %c0 to %c14 step %c1
// CHECK:           scf.for %[[X:[^ ]+]] = %c0 to %c14 step %c7
func.func @one_row(%x: memref<16x16x32xf32>, %w: memref<3x3x32xf32>, %y: memref<14x14x32xf32>) {
  linalg.generic {indexing_maps = [#image, #filter, #result], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%x, %w : memref<16x16x32xf32>, memref<3x3x32xf32>) outs(%y : memref<14x14x32xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %c, %m : f32
    linalg.yield %s : f32
  }
  return
}
