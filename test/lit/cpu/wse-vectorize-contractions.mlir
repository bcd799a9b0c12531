// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-vectorize{vector-bits=512}),canonicalize,cse)' --split-input-file | filecheck %s

// The fill before and the stages after a product with packed columns run on its sums in registers: the buffer between
// them is gone, panels of 32 columns are the outer loop, and only the result is stored.
// CHECK-LABEL: func.func @linear
// CHECK-NOT:     memref.alloc
// CHECK:         scf.for
// CHECK:           scf.for
// CHECK:             scf.for {{.*}} iter_args({{.*}} = %cst
// CHECK:               math.fma
// CHECK:               scf.yield
// CHECK:             vector.load %arg2
// CHECK:             arith.addf
// CHECK:             arith.maximumf
// CHECK:             vector.store {{.*}} %arg3
// CHECK:           wse.parallel = 0
// CHECK:         wse.parallel = 0
// CHECK-NOT:     memref.dealloc
// CHECK:         return
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>
#c = affine_map<(m, n, k) -> (m, n)>
#s = affine_map<(m, n) -> ()>
#v = affine_map<(m, n) -> (n)>
#i = affine_map<(m, n) -> (m, n)>
func.func @linear(%a: memref<128x1024xf32>, %b: memref<4x1024x32xf32>, %v: memref<128xf32>, %y: memref<128x128xf32>) {
  %zero = arith.constant 0.0 : f32
  %t = memref.alloc() : memref<128x128xf32>
  linalg.generic {indexing_maps = [#s, #i], iterator_types = ["parallel", "parallel"]}
      ins(%zero : f32) outs(%t : memref<128x128xf32>) {
  ^bb0(%x: f32, %old: f32):
    linalg.yield %x : f32
  }
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<128x1024xf32>, memref<4x1024x32xf32>) outs(%t : memref<128x128xf32>) {
  ^bb0(%x: f32, %w: f32, %z: f32):
    %p = arith.mulf %x, %w : f32
    %q = arith.addf %z, %p : f32
    linalg.yield %q : f32
  }
  linalg.generic {indexing_maps = [#i, #v, #i], iterator_types = ["parallel", "parallel"]}
      ins(%t, %v : memref<128x128xf32>, memref<128xf32>) outs(%t : memref<128x128xf32>) {
  ^bb0(%x: f32, %w: f32, %old: f32):
    %p = arith.addf %x, %w : f32
    linalg.yield %p : f32
  }
  linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel", "parallel"]}
      ins(%t : memref<128x128xf32>) outs(%y : memref<128x128xf32>) {
  ^bb0(%x: f32, %old: f32):
    %p = arith.maximumf %x, %zero : f32
    linalg.yield %p : f32
  }
  memref.dealloc %t : memref<128x128xf32>
  return
}

// -----

// A tile fetches what the next panel has in place of what it loads itself, the first tile of rows the first vectors.
// CHECK-LABEL: func.func @next_panel
// CHECK:         scf.for %[[N:[^ ]+]] = %c0 to %c128 step %c32
// CHECK:           %[[BEHIND:.+]] = arith.addi %[[N]], %c32
// CHECK:           arith.cmpi ult, %[[BEHIND]], %c128
// CHECK:           scf.for %[[M:[^ ]+]] = %c0
// CHECK-DAG:         arith.select {{.*}}, %c32768, %c0
// CHECK-DAG:         %[[TILE:.+]] = arith.divui %[[M]], %c5
// CHECK-DAG:         arith.minui %[[TILE]], %c1
// CHECK:             scf.for
// CHECK-COUNT-2:       vector.load {{.*}} vector<16xf32>
// CHECK:               memref.prefetch {{.*}} read, locality<3>, data : memref<131072xf32>
// CHECK-NOT:           memref.prefetch
// CHECK:               scf.yield
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @next_panel(%a: memref<120x1024xf32>, %b: memref<4x1024x32xf32>, %y: memref<120x128xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<120x1024xf32>, memref<4x1024x32xf32>) outs(%y : memref<120x128xf32>) {
  ^bb0(%x: f32, %w: f32, %z: f32):
    %p = arith.mulf %x, %w : f32
    %q = arith.addf %z, %p : f32
    linalg.yield %q : f32
  }
  return
}

// -----

// Nothing is fetched for others where there are few rows, and weights may well be in a cache.
// CHECK-LABEL: func.func @few_rows
// CHECK-NOT:     memref.prefetch
// CHECK:         return
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n floordiv 64, k, n mod 64)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @few_rows(%a: memref<4x1024xf32>, %b: memref<4x1024x64xf32>, %y: memref<4x256xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<4x1024xf32>, memref<4x1024x64xf32>) outs(%y : memref<4x256xf32>) {
  ^bb0(%x: f32, %w: f32, %z: f32):
    %p = arith.mulf %x, %w : f32
    %q = arith.addf %z, %p : f32
    linalg.yield %q : f32
  }
  return
}

// -----

// A long reduction goes part by part for all rows; sums wait in the result, and what follows the product is computed
// with the last part. Threads share panels alone then.
// CHECK-LABEL: func.func @parts
// CHECK:         scf.for {{.*}} to %c128 step %c32
// CHECK:           scf.for
// CHECK:             scf.for {{.*}} to %c1024 {{.*}} iter_args({{.*}} = %cst
// CHECK:             vector.store {{.*}} %arg3
// CHECK-NOT:       wse.cost
// CHECK:           scf.for
// CHECK:             vector.load %arg3
// CHECK:             scf.for {{.*}} to %c1024
// CHECK:             vector.load %arg2
// CHECK:             vector.store {{.*}} %arg3
// CHECK-NOT:       wse.parallel
// CHECK:         wse.cost = 62914560
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>
#c = affine_map<(m, n, k) -> (m, n)>
#s = affine_map<(m, n) -> ()>
#v = affine_map<(m, n) -> (n)>
#i = affine_map<(m, n) -> (m, n)>
func.func @parts(%a: memref<120x2048xf32>, %b: memref<4x2048x32xf32>, %v: memref<128xf32>, %y: memref<120x128xf32>) {
  %zero = arith.constant 0.0 : f32
  %t = memref.alloc() : memref<120x128xf32>
  linalg.generic {indexing_maps = [#s, #i], iterator_types = ["parallel", "parallel"]}
      ins(%zero : f32) outs(%t : memref<120x128xf32>) {
  ^bb0(%x: f32, %old: f32):
    linalg.yield %x : f32
  }
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<120x2048xf32>, memref<4x2048x32xf32>) outs(%t : memref<120x128xf32>) {
  ^bb0(%x: f32, %w: f32, %z: f32):
    %p = arith.mulf %x, %w : f32
    %q = arith.addf %z, %p : f32
    linalg.yield %q : f32
  }
  linalg.generic {indexing_maps = [#i, #v, #i], iterator_types = ["parallel", "parallel"]}
      ins(%t, %v : memref<120x128xf32>, memref<128xf32>) outs(%y : memref<120x128xf32>) {
  ^bb0(%x: f32, %w: f32, %old: f32):
    %p = arith.addf %x, %w : f32
    linalg.yield %p : f32
  }
  memref.dealloc %t : memref<120x128xf32>
  return
}

// -----

// What is added is read from the result's own buffer: there is no place for sums to wait, and no part.
// CHECK-LABEL: func.func @nowhere_to_wait
// CHECK:         scf.for {{.*}} to %c2048 {{.*}} iter_args
// CHECK-NOT:     scf.for
// CHECK:         return
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>
#c = affine_map<(m, n, k) -> (m, n)>
#s = affine_map<(m, n) -> ()>
#i = affine_map<(m, n) -> (m, n)>
func.func @nowhere_to_wait(%a: memref<120x2048xf32>, %b: memref<4x2048x32xf32>, %y: memref<120x128xf32>) {
  %zero = arith.constant 0.0 : f32
  %t = memref.alloc() : memref<120x128xf32>
  linalg.generic {indexing_maps = [#s, #i], iterator_types = ["parallel", "parallel"]}
      ins(%zero : f32) outs(%t : memref<120x128xf32>) {
  ^bb0(%x: f32, %old: f32):
    linalg.yield %x : f32
  }
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<120x2048xf32>, memref<4x2048x32xf32>) outs(%t : memref<120x128xf32>) {
  ^bb0(%x: f32, %w: f32, %z: f32):
    %p = arith.mulf %x, %w : f32
    %q = arith.addf %z, %p : f32
    linalg.yield %q : f32
  }
  linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel", "parallel"]}
      ins(%t : memref<120x128xf32>) outs(%y : memref<120x128xf32>) {
  ^bb0(%x: f32, %old: f32):
    %p = arith.addf %x, %old : f32
    linalg.yield %p : f32
  }
  memref.dealloc %t : memref<120x128xf32>
  return
}

// -----

// A lhs that the third-level cache would not keep goes through all panels in blocks of rows, which threads may share as
// they may share panels; the last row has no block, but all panels.
// CHECK-LABEL: func.func @blocks
// CHECK:         scf.for %[[BLOCK:[^ ]+]] = %c0 to %c1205
// CHECK:           %[[END:.+]] = arith.addi %[[BLOCK]], %[[ROWS:.+]] :
// CHECK:           %[[STOP:.+]] = arith.minui %[[END]], %c1205
// CHECK:           scf.for {{.*}} to %c128 step %c32
// CHECK:             scf.for %{{.*}} = %[[BLOCK]] to %[[STOP]]
// CHECK:           } {wse.cost = {{.*}}, wse.parallel = 0
// CHECK:         } {wse.cost = {{.*}}, wse.parallel = 0
// CHECK:         scf.for {{.*}} to %c128 step %c32
// CHECK:         } {wse.cost = {{.*}}, wse.parallel = 0
// CHECK:         return
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @blocks(%a: memref<1206x1024xf32>, %b: memref<4x1024x32xf32>, %y: memref<1206x128xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<1206x1024xf32>, memref<4x1024x32xf32>) outs(%y : memref<1206x128xf32>) {
  ^bb0(%x: f32, %w: f32, %z: f32):
    %p = arith.mulf %x, %w : f32
    %q = arith.addf %z, %p : f32
    linalg.yield %q : f32
  }
  return
}

// -----

// A bias that the sums begin with is read, not the buffer; columns that do not fill a vector are stored under a mask;
// a view of the result with a dimension of one element more is the same result.
// CHECK-LABEL: func.func @bias_and_edge
// CHECK:         vector.maskedload %arg2
// CHECK-NOT:     memref.alloc
// CHECK:         math.fma
// CHECK:         math.sqrt
// CHECK:         vector.maskedstore %arg3
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
#v = affine_map<(m, n) -> (n)>
#i = affine_map<(m, n) -> (m, n)>
#j = affine_map<(u, m, n) -> (u, m, n)>
func.func @bias_and_edge(%a: memref<4x8xf32>, %b: memref<8x10xf32>, %v: memref<10xf32>, %y: memref<1x4x10xf32>) {
  %t = memref.alloc() : memref<4x10xf32>
  linalg.generic {indexing_maps = [#v, #i], iterator_types = ["parallel", "parallel"]}
      ins(%v : memref<10xf32>) outs(%t : memref<4x10xf32>) {
  ^bb0(%x: f32, %old: f32):
    linalg.yield %x : f32
  }
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<4x8xf32>, memref<8x10xf32>) outs(%t : memref<4x10xf32>) {
  ^bb0(%x: f32, %w: f32, %z: f32):
    %p = arith.mulf %x, %w : f32
    %q = arith.addf %z, %p : f32
    linalg.yield %q : f32
  }
  %u = memref.expand_shape %t [[0, 1], [2]] output_shape [1, 4, 10] : memref<4x10xf32> into memref<1x4x10xf32>
  linalg.generic {indexing_maps = [#j, #j], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%u : memref<1x4x10xf32>) outs(%y : memref<1x4x10xf32>) {
  ^bb0(%x: f32, %old: f32):
    %p = math.sqrt %x : f32
    linalg.yield %p : f32
  }
  memref.dealloc %t : memref<4x10xf32>
  return
}

// -----

// A stage that writes what the product still reads stays behind it.
// CHECK-LABEL: func.func @overwrites_an_operand
// CHECK:         math.fma
// CHECK:         vector.store {{.*}} %arg2
// CHECK:         vector.load
// CHECK:         arith.addf
// CHECK:         vector.store
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
#i = affine_map<(m, n) -> (m, n)>
func.func @overwrites_an_operand(%a: memref<16x16xf32>, %b: memref<16x16xf32>, %t: memref<16x16xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<16x16xf32>, memref<16x16xf32>) outs(%t : memref<16x16xf32>) {
  ^bb0(%x: f32, %w: f32, %z: f32):
    %p = arith.mulf %x, %w : f32
    %q = arith.addf %z, %p : f32
    linalg.yield %q : f32
  }
  linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel", "parallel"]}
      ins(%t : memref<16x16xf32>) outs(%a : memref<16x16xf32>) {
  ^bb0(%x: f32, %old: f32):
    %p = arith.addf %x, %x : f32
    linalg.yield %p : f32
  }
  return
}

// -----

// A stage that reads another element than the one it belongs to stays behind the product as well.
// CHECK-LABEL: func.func @transposed_sum
// CHECK:         math.fma
// CHECK:         vector.store {{.*}} %arg2
// CHECK:         arith.addf
// CHECK:         return
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
#i = affine_map<(m, n) -> (m, n)>
#r = affine_map<(m, n) -> (n, m)>
func.func @transposed_sum(%a: memref<16x16xf32>, %b: memref<16x16xf32>, %t: memref<16x16xf32>, %y: memref<16x16xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<16x16xf32>, memref<16x16xf32>) outs(%t : memref<16x16xf32>) {
  ^bb0(%x: f32, %w: f32, %z: f32):
    %p = arith.mulf %x, %w : f32
    %q = arith.addf %z, %p : f32
    linalg.yield %q : f32
  }
  linalg.generic {indexing_maps = [#i, #r, #i], iterator_types = ["parallel", "parallel"]}
      ins(%t, %t : memref<16x16xf32>, memref<16x16xf32>) outs(%y : memref<16x16xf32>) {
  ^bb0(%x: f32, %w: f32, %old: f32):
    %p = arith.addf %x, %w : f32
    linalg.yield %p : f32
  }
  return
}

// -----

// A convolution: three reduction loops become two where neighbours along the image's rows and the channels lie side by
// side in both operands, and half precision is widened in registers.
// CHECK-LABEL: func.func @convolution
// CHECK:         scf.for {{.*}} to %c3 step %c1 iter_args
// CHECK-NEXT:      arith.muli
// CHECK:           scf.for {{.*}} to %c24 step
// CHECK-NOT:       scf.for
// CHECK:           arith.extf {{.*}} : vector<16xf16> to vector<16xf32>
// CHECK:           memref.load {{.*}} : memref<392xf16>
// CHECK:           arith.extf {{.*}} : f16 to f32
#a = affine_map<(h, w, f, y, x, c) -> (h + y, w + x, c)>
#b = affine_map<(h, w, f, y, x, c) -> (f floordiv 16, y, x, c, f mod 16)>
#c = affine_map<(h, w, f, y, x, c) -> (h, w, f)>
func.func @convolution(%a: memref<7x7x8xf16>, %b: memref<1x3x3x8x16xf16>, %t: memref<5x5x16xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c],
                  iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%a, %b : memref<7x7x8xf16>, memref<1x3x3x8x16xf16>) outs(%t : memref<5x5x16xf32>) {
  ^bb0(%x: f16, %w: f16, %z: f32):
    %u = arith.extf %x : f16 to f32
    %v = arith.extf %w : f16 to f32
    %p = arith.mulf %u, %v : f32
    %q = arith.addf %z, %p : f32
    linalg.yield %q : f32
  }
  return
}

// -----

// Rows of a number that is known only at run time: whole tiles first, then fewer and fewer rows.
// CHECK-LABEL: func.func @open_rows
// CHECK:         %[[M:[a-z0-9_]+]] = memref.dim %arg0, %c0
// CHECK:         arith.remui %[[M]], %c14
// CHECK:         scf.for {{.*}} step %c14
// CHECK:         scf.for {{.*}} step %c8
// CHECK:         scf.for {{.*}} step %c4
// CHECK:         scf.for {{.*}} step %c2
// CHECK:         scf.for {{.*}} to %[[M]] step %c1
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @open_rows(%a: memref<?x64xf32>, %b: memref<64x32xf32>, %t: memref<?x32xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<?x64xf32>, memref<64x32xf32>) outs(%t : memref<?x32xf32>) {
  ^bb0(%x: f32, %w: f32, %z: f32):
    %p = arith.mulf %x, %w : f32
    %q = arith.addf %z, %p : f32
    linalg.yield %q : f32
  }
  return
}
