// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-tile{sizes=8,16,0}),canonicalize,cse)' | filecheck %s
// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-tile{sizes=8 loops=forall fuse-producers=true only=linalg.matmul}),canonicalize,cse)' | filecheck %s --check-prefix=FORALL

// A matmul becomes two loops; the reduction stays whole, and tile sizes that divide stay static.
// CHECK-LABEL: @matmul
// CHECK-SAME: %[[A:[a-z0-9_]+]]: tensor<16x64xf32>, %[[B:[a-z0-9_]+]]: tensor<64x32xf32>, %[[C:[a-z0-9_]+]]: tensor<16x32xf32>
// CHECK: scf.for %[[I:[a-z0-9_]+]] = %c0 to %c16 step %c8 iter_args(%[[O:[a-z0-9_]+]] = %[[C]])
// CHECK: scf.for %[[J:[a-z0-9_]+]] = %c0 to %c32 step %c16 iter_args(%[[P:[a-z0-9_]+]] = %[[O]])
// CHECK-NOT: affine.min
// CHECK: tensor.extract_slice %[[A]][%[[I]], 0] [8, 64] [1, 1]
// CHECK: tensor.extract_slice %[[B]][0, %[[J]]] [64, 16] [1, 1]
// CHECK: tensor.extract_slice %[[P]][%[[I]], %[[J]]] [8, 16] [1, 1]
// CHECK: linalg.matmul {{.*}} -> tensor<8x16xf32>
// CHECK: tensor.insert_slice {{.*}} into %[[P]][%[[I]], %[[J]]] [8, 16] [1, 1]
func.func @matmul(%a: tensor<16x64xf32>, %b: tensor<64x32xf32>, %c: tensor<16x32xf32>) -> tensor<16x32xf32> {
  %r = linalg.matmul ins(%a, %b : tensor<16x64xf32>, tensor<64x32xf32>) outs(%c : tensor<16x32xf32>) -> tensor<16x32xf32>
  return %r : tensor<16x32xf32>
}

// -----

// The last tile of a dimension that 8 does not divide is cut short; one that 16 covers makes no loop.
// CHECK-DAG: affine_map<(d0) -> (-d0 + 20, 8)>
// CHECK-LABEL: @remainder
// CHECK: scf.for %[[I:[a-z0-9_]+]] = %c0 to %c20 step %c8
// CHECK-NOT: scf.for
// CHECK: %[[S:[a-z0-9_]+]] = affine.min #{{.*}}(%[[I]])
// CHECK: tensor.extract_slice %{{.*}}[%[[I]], 0] [%[[S]], 16] [1, 1]
// CHECK: linalg.exp
func.func @remainder(%a: tensor<20x16xf32>, %o: tensor<20x16xf32>) -> tensor<20x16xf32> {
  %r = linalg.exp ins(%a : tensor<20x16xf32>) outs(%o : tensor<20x16xf32>) -> tensor<20x16xf32>
  return %r : tensor<20x16xf32>
}

// -----

// Sizes that are only known at run time bound the loop and the last tile.
// CHECK-LABEL: @dynamic
// CHECK: %[[D:[a-z0-9_]+]] = tensor.dim %{{.*}}, %c0
// CHECK: scf.for %[[I:[a-z0-9_]+]] = %c0 to %[[D]] step %c8
// CHECK: affine.min #{{.*}}(%[[I]])[%[[D]]]
func.func @dynamic(%a: tensor<?xf32>, %o: tensor<?xf32>) -> tensor<?xf32> {
  %r = linalg.exp ins(%a : tensor<?xf32>) outs(%o : tensor<?xf32>) -> tensor<?xf32>
  return %r : tensor<?xf32>
}

// -----

// A convolution's tile reads a window of the image: 2 * offset, 2 * (tile - 1) + 3 long.
// CHECK-DAG: #[[TWICE:[a-z0-9_]+]] = affine_map<(d0) -> (d0 * 2)>
// CHECK-LABEL: @convolution
// CHECK: scf.for %[[I:[a-z0-9_]+]] = %c0 to %c24 step %c8
// CHECK: %[[W:[a-z0-9_]+]] = affine.apply #[[TWICE]](%[[I]])
// CHECK: tensor.extract_slice %{{.*}}[%[[W]]] [17] [1]
// CHECK: tensor.extract_slice %{{.*}}[%[[I]]] [8] [1]
func.func @convolution(%a: tensor<49xf32>, %k: tensor<3xf32>, %o: tensor<24xf32>) -> tensor<24xf32> {
  %r = linalg.generic {
    indexing_maps = [affine_map<(d0, d1) -> (d0 * 2 + d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0)>],
    iterator_types = ["parallel", "reduction"]} ins(%a, %k : tensor<49xf32>, tensor<3xf32>) outs(%o : tensor<24xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %x, %y : f32
    %q = arith.addf %p, %z : f32
    linalg.yield %q : f32
  } -> tensor<24xf32>
  return %r : tensor<24xf32>
}

// -----

// An index inside the body still counts from the start of the whole operation.
// CHECK-LABEL: @index
// CHECK: scf.for %[[I:[a-z0-9_]+]] =
// CHECK: %[[L:[a-z0-9_]+]] = linalg.index 0
// CHECK: arith.addi %[[L]], %[[I]]
func.func @index(%o: tensor<32xindex>) -> tensor<32xindex> {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%o : tensor<32xindex>) {
  ^bb0(%z: index):
    %i = linalg.index 0 : index
    linalg.yield %i : index
  } -> tensor<32xindex>
  return %r : tensor<32xindex>
}

// -----

// On buffers the tiles are subviews and the loop carries nothing.
// CHECK-LABEL: @buffers
// CHECK: scf.for %[[I:[a-z0-9_]+]] = %c0 to %c32 step %c8 {
// CHECK: memref.subview %{{.*}}[%[[I]]] [8] [1]
// CHECK: linalg.exp
func.func @buffers(%a: memref<32xf32>, %o: memref<32xf32>) {
  linalg.exp ins(%a : memref<32xf32>) outs(%o : memref<32xf32>)
  return
}

// -----

// Nothing to tile: no iterators, a tile as large as the dimension, an access that runs backwards.
// CHECK-LABEL: @whole
// CHECK-NOT: scf.for
// CHECK: return
func.func @whole(%s: tensor<f32>, %a: tensor<8x16xf32>, %v: tensor<32xf32>) -> (tensor<f32>, tensor<8x16xf32>, tensor<32xf32>) {
  %0 = linalg.exp ins(%s : tensor<f32>) outs(%s : tensor<f32>) -> tensor<f32>
  %1 = linalg.exp ins(%a : tensor<8x16xf32>) outs(%a : tensor<8x16xf32>) -> tensor<8x16xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0) -> (-d0 + 31)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
    ins(%v : tensor<32xf32>) outs(%v : tensor<32xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  } -> tensor<32xf32>
  return %0, %1, %2 : tensor<f32>, tensor<8x16xf32>, tensor<32xf32>
}

// -----

// Producers that only this matmul uses are computed tile by tile, in the tile's own size.
// FORALL-LABEL: @fuse
// FORALL-NOT: linalg.exp
// FORALL: scf.forall (%[[I:[a-z0-9_]+]]) = (0) to (32) step (8) shared_outs(%[[O:[a-z0-9_]+]] = %{{.*}})
// FORALL: %[[E:[a-z0-9_]+]] = tensor.empty() : tensor<8x64xf32>
// FORALL: linalg.exp {{.*}} outs(%[[E]] : tensor<8x64xf32>)
// FORALL: %[[S:[a-z0-9_]+]] = tensor.extract_slice %[[O]][%[[I]], 0] [8, 16] [1, 1]
// FORALL: %[[F:[a-z0-9_]+]] = linalg.fill {{.*}} outs(%[[S]] : tensor<8x16xf32>)
// FORALL: linalg.matmul {{.*}} outs(%[[F]] : tensor<8x16xf32>)
// FORALL: tensor.parallel_insert_slice %{{.*}} into %[[O]][%[[I]], 0] [8, 16] [1, 1]
func.func @fuse(%a: tensor<32x64xf32>, %b: tensor<64x16xf32>) -> tensor<32x16xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.empty() : tensor<32x64xf32>
  %1 = linalg.exp ins(%a : tensor<32x64xf32>) outs(%0 : tensor<32x64xf32>) -> tensor<32x64xf32>
  %2 = tensor.empty() : tensor<32x16xf32>
  %3 = linalg.fill ins(%zero : f32) outs(%2 : tensor<32x16xf32>) -> tensor<32x16xf32>
  %4 = linalg.matmul ins(%1, %b : tensor<32x64xf32>, tensor<64x16xf32>) outs(%3 : tensor<32x16xf32>) -> tensor<32x16xf32>
  return %4 : tensor<32x16xf32>
}

// -----

// Not fused: a producer whose result is used elsewhere, and one that every tile needs whole.
// FORALL-LABEL: @keep
// FORALL: %[[A:[a-z0-9_]+]] = linalg.exp
// FORALL: %[[B:[a-z0-9_]+]] = linalg.log
// FORALL: scf.forall
// FORALL-NOT: linalg.exp
// FORALL-NOT: linalg.log
// FORALL: linalg.matmul ins(%{{.*}}, %[[B]] :
// FORALL: return %{{.*}}, %[[A]]
func.func @keep(%a: tensor<32x64xf32>, %b: tensor<64x16xf32>, %c: tensor<32x16xf32>) -> (tensor<32x16xf32>, tensor<32x64xf32>) {
  %0 = tensor.empty() : tensor<32x64xf32>
  %1 = linalg.exp ins(%a : tensor<32x64xf32>) outs(%0 : tensor<32x64xf32>) -> tensor<32x64xf32>
  %2 = tensor.empty() : tensor<64x16xf32>
  %3 = linalg.log ins(%b : tensor<64x16xf32>) outs(%2 : tensor<64x16xf32>) -> tensor<64x16xf32>
  %4 = linalg.matmul ins(%1, %3 : tensor<32x64xf32>, tensor<64x16xf32>) outs(%c : tensor<32x16xf32>) -> tensor<32x16xf32>
  return %4, %1 : tensor<32x16xf32>, tensor<32x64xf32>
}
