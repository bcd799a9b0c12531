// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-lower-tm-tensor),canonicalize,cse)' --split-input-file | filecheck %s

// One row that overwrites, as a KV cache is written: a single slice, no loop, its position made to fit.
// CHECK-LABEL: func.func @overwrite_row
// CHECK-SAME:    %[[ROW:[a-z0-9_]+]]: tensor<1x1x4xf32>, %[[AT:[a-z0-9_]+]]: tensor<1x1xi64>, %[[CACHE:[a-z0-9_]+]]: tensor<5x4xf32>
// CHECK-NOT:     scf.for
// CHECK:         %[[E:[a-z0-9_]+]] = tensor.extract %[[AT]]
// CHECK:         %[[I:[a-z0-9_]+]] = arith.index_cast %[[E]] : i64 to index
// CHECK:         %[[NEG:[a-z0-9_]+]] = arith.cmpi slt, %[[I]]
// CHECK:         %[[END:[a-z0-9_]+]] = arith.addi %[[I]], %c5
// CHECK:         %[[W:[a-z0-9_]+]] = arith.select %[[NEG]], %[[END]], %[[I]]
// CHECK:         %[[LOW:[a-z0-9_]+]] = arith.maxsi %[[W]], %c0
// CHECK:         %[[POS:[a-z0-9_]+]] = arith.minsi %[[LOW]], %c4
// CHECK:         %[[SLICE:[a-z0-9_]+]] = tensor.extract_slice %[[ROW]][0, 0, 0] [1, 1, 4] [1, 1, 1] : tensor<1x1x4xf32> to tensor<1x4xf32>
// CHECK:         %[[R:[a-z0-9_]+]] = tensor.insert_slice %[[SLICE]] into %[[CACHE]][%[[POS]], 0] [1, 4] [1, 1]
// CHECK:         return %[[R]]
func.func @overwrite_row(%row: tensor<1x1x4xf32>, %at: tensor<1x1xi64>, %cache: tensor<5x4xf32>) -> tensor<5x4xf32> {
  %0 = tm_tensor.scatter {dimension_map = array<i64: 0>} unique_indices(true)
      ins(%row, %at : tensor<1x1x4xf32>, tensor<1x1xi64>) outs(%cache : tensor<5x4xf32>) {
  ^bb0(%new: f32, %old: f32):
    tm_tensor.yield %new : f32
  } -> tensor<5x4xf32>
  return %0 : tensor<5x4xf32>
}

// -----

// Updates that are added to what is there are made element by element, since rows may repeat.
// CHECK-LABEL: func.func @accumulate
// CHECK:         scf.for %[[U:[a-z0-9_]+]] = %c0 to %c2 step %c1
// CHECK:           scf.for %[[J:[a-z0-9_]+]] = %c0 to %c5 step %c1 iter_args(%[[T:[a-z0-9_]+]] =
// CHECK:             %[[NEW:[a-z0-9_]+]] = tensor.extract %{{.*}}[%[[U]], %c0, %[[J]]] : tensor<2x1x5xf32>
// CHECK:             %[[OLD:[a-z0-9_]+]] = tensor.extract %[[T]]
// CHECK:             %[[SUM:[a-z0-9_]+]] = arith.addf %[[OLD]], %[[NEW]]
// CHECK:             tensor.insert %[[SUM]] into %[[T]]
// CHECK-NOT:     tm_tensor
func.func @accumulate(%rows: tensor<2x1x5xf32>, %at: tensor<2x1xi64>, %x: tensor<3x5xf32>) -> tensor<3x5xf32> {
  %0 = tm_tensor.scatter {dimension_map = array<i64: 0>} unique_indices(false)
      ins(%rows, %at : tensor<2x1x5xf32>, tensor<2x1xi64>) outs(%x : tensor<3x5xf32>) {
  ^bb0(%new: f32, %old: f32):
    %sum = arith.addf %old, %new : f32
    tm_tensor.yield %sum : f32
  } -> tensor<3x5xf32>
  return %0 : tensor<3x5xf32>
}

// -----

// A destination of unknown size is clamped by its size at run time, and takes nothing where that is zero.
// CHECK-LABEL: func.func @dynamic
// CHECK-SAME:    %{{.*}}: tensor<?x1x4xf32>, %{{.*}}: tensor<?x1xi64>, %[[X:[a-z0-9_]+]]: tensor<?x4xf32>
// CHECK:         %[[SIZE:[a-z0-9_]+]] = tensor.dim %[[X]], %c0
// CHECK:         %[[EMPTY:.*]] = arith.cmpi eq, %[[SIZE]], %c0
// CHECK:         %[[COUNT:.*]] = arith.select %[[EMPTY]], %c0, %{{.*}} : index
// CHECK:         scf.for %{{.*}} = %c0 to %[[COUNT]]
// CHECK:           %[[LAST:[a-z0-9_]+]] = arith.subi %[[SIZE]], %c1
// CHECK:           arith.minsi %{{.*}}, %[[LAST]]
// CHECK:           tensor.insert_slice
func.func @dynamic(%rows: tensor<?x1x4xf32>, %at: tensor<?x1xi64>, %x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = tm_tensor.scatter {dimension_map = array<i64: 0>} unique_indices(true)
      ins(%rows, %at : tensor<?x1x4xf32>, tensor<?x1xi64>) outs(%x : tensor<?x4xf32>) {
  ^bb0(%new: f32, %old: f32):
    tm_tensor.yield %new : f32
  } -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// An inclusive scan starts with the first element and carries the running value as a scalar.
// CHECK-LABEL: func.func @cumulative_sum
// CHECK-SAME:    %[[X:[a-z0-9_]+]]: tensor<3x5xf32>
// CHECK:         scf.for %[[I:[a-z0-9_]+]] = %c0 to %c3 step %c1
// CHECK:           %[[FIRST:[a-z0-9_]+]] = tensor.extract %[[X]][%[[I]], %c0]
// CHECK:           scf.for %[[J:[a-z0-9_]+]] = %c0 to %c4 step %c1 iter_args(%[[OUT:[a-z0-9_]+]] = %{{.*}}, %[[TOTAL:[a-z0-9_]+]] = %[[FIRST]])
// CHECK:             %[[NEXT:[a-z0-9_]+]] = arith.addi %[[J]], %c1
// CHECK:             %[[E:[a-z0-9_]+]] = tensor.extract %[[X]][%[[I]], %[[NEXT]]]
// CHECK:             %[[S:[a-z0-9_]+]] = arith.addf %[[TOTAL]], %[[E]]
// CHECK:             tensor.insert %[[S]] into %[[OUT]][%[[I]], %[[NEXT]]]
func.func @cumulative_sum(%x: tensor<3x5xf32>, %out: tensor<3x5xf32>, %last: tensor<3xf32>) -> tensor<3x5xf32> {
  %0:2 = tm_tensor.scan dimension(1) inclusive(true)
      ins(%x : tensor<3x5xf32>) outs(%out, %last : tensor<3x5xf32>, tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32):
    %sum = arith.addf %a, %b : f32
    tm_tensor.yield %sum : f32
  } -> tensor<3x5xf32>, tensor<3xf32>
  return %0#0 : tensor<3x5xf32>
}

// -----

// An exclusive scan starts with the accumulator and reads one element behind.
// CHECK-LABEL: func.func @exclusive_sum
// CHECK-SAME:    %[[X:[a-z0-9_]+]]: tensor<5xf32>, %{{.*}}: tensor<5xf32>, %[[ACC:[a-z0-9_]+]]: tensor<f32>
// CHECK:         %[[FIRST:[a-z0-9_]+]] = tensor.extract %[[ACC]][]
// CHECK:         scf.for %[[J:[a-z0-9_]+]] = %c0 to %c4 step %c1
// CHECK:           tensor.extract %[[X]][%[[J]]]
func.func @exclusive_sum(%x: tensor<5xf32>, %out: tensor<5xf32>, %acc: tensor<f32>) -> (tensor<5xf32>, tensor<f32>) {
  %0:2 = tm_tensor.scan dimension(0) inclusive(false)
      ins(%x : tensor<5xf32>) outs(%out, %acc : tensor<5xf32>, tensor<f32>) {
  ^bb0(%a: f32, %b: f32):
    %sum = arith.addf %a, %b : f32
    tm_tensor.yield %sum : f32
  } -> tensor<5xf32>, tensor<f32>
  return %0#0, %0#1 : tensor<5xf32>, tensor<f32>
}

// -----

// A sort counts who goes before each element (an earlier one on a tie: stable), then moves keys and payload there.
// NaN goes before all others in a descending order, as it is the greatest.
// CHECK-DAG:   #[[HERE:[a-z0-9_]+]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-DAG:   #[[THERE:[a-z0-9_]+]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-LABEL: func.func @sort_descending
// CHECK-SAME:    %[[K:[a-z0-9_]+]]: tensor<3x5xf32>, %[[P:[a-z0-9_]+]]: tensor<3x5xi64>
// CHECK:         %[[RANK:[a-z0-9_]+]] = linalg.generic {indexing_maps = [#[[HERE]], #[[THERE]], #[[HERE]]], iterator_types = ["parallel", "parallel", "reduction"]} ins(%[[K]], %[[K]]
// CHECK-SAME:      wse.ranks = [1, 1, 0]
// CHECK:         ^bb0(%[[MINE:[a-z0-9_]+]]: f32, %[[OTHER:[a-z0-9_]+]]: f32, %[[COUNT:[a-z0-9_]+]]: i32):
// CHECK:           %[[FIRST:.*]] = arith.cmpi slt
// CHECK:           %[[LE:.*]] = arith.cmpf ole, %[[MINE]], %[[OTHER]]
// CHECK:           %[[NAN:.*]] = arith.cmpf uno, %[[OTHER]], %[[OTHER]]
// CHECK:           %[[MAY:.*]] = arith.ori %[[LE]], %[[NAN]]
// CHECK:           %[[LT:.*]] = arith.cmpf ult, %[[MINE]], %[[OTHER]]
// CHECK:           %[[NUM:.*]] = arith.cmpf ord, %[[MINE]], %[[MINE]]
// CHECK:           %[[MUST:.*]] = arith.andi %[[LT]], %[[NUM]]
// CHECK:           arith.select %[[FIRST]], %[[MAY]], %[[MUST]]
// CHECK:         linalg.generic {indexing_maps = [#[[THERE]], #[[THERE]], #[[HERE]]]{{.*}} ins(%[[RANK]], %[[K]]
// CHECK:         linalg.generic {indexing_maps = [#[[THERE]], #[[THERE]], #[[HERE]]]{{.*}} ins(%[[RANK]], %[[P]]
func.func @sort_descending(%k: tensor<3x5xf32>, %p: tensor<3x5xi64>) -> (tensor<3x5xf32>, tensor<3x5xi64>) {
  %0:2 = tm_tensor.sort dimension(1) outs(%k, %p : tensor<3x5xf32>, tensor<3x5xi64>) {
  ^bb0(%a: f32, %b: f32, %pa: i64, %pb: i64):
    %ordered = arith.cmpf oge, %a, %b : f32
    tm_tensor.yield %ordered : i1
  } -> tensor<3x5xf32>, tensor<3x5xi64>
  return %0#0, %0#1 : tensor<3x5xf32>, tensor<3x5xi64>
}

// -----

// Top-k without given indices returns positions; places beyond the last element keep their initial value.
// CHECK-LABEL: func.func @smallest_two
// CHECK-SAME:    %[[X:[a-z0-9_]+]]: tensor<3x5xf32>, %[[V:[a-z0-9_]+]]: tensor<3x2xf32>, %[[I:[a-z0-9_]+]]: tensor<3x2xi32>
// CHECK:         linalg.generic {{.*}} ins(%[[X]], %[[X]]
// CHECK:         linalg.generic {{.*}} outs(%[[V]] : tensor<3x2xf32>)
// CHECK:         linalg.generic {{.*}} outs(%[[I]] : tensor<3x2xi32>)
// CHECK:           linalg.index 2
func.func @smallest_two(%x: tensor<3x5xf32>, %v: tensor<3x2xf32>, %i: tensor<3x2xi32>) -> (tensor<3x2xf32>, tensor<3x2xi32>) {
  %0:2 = tm_tensor.topk dimension(1) ins(%x : tensor<3x5xf32>) outs(%v, %i : tensor<3x2xf32>, tensor<3x2xi32>) {
  ^bb0(%a: f32, %b: f32):
    %less = arith.cmpf olt, %a, %b : f32
    tm_tensor.yield %less : i1
  } -> tensor<3x2xf32>, tensor<3x2xi32>
  return %0#0, %0#1 : tensor<3x2xf32>, tensor<3x2xi32>
}

// -----

// A function without tm_tensor is left as it is.
// CHECK-LABEL: func.func @nothing_to_do
// CHECK-NEXT:    linalg.matmul
// CHECK-NEXT:    return
func.func @nothing_to_do(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>, %c: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %0 = linalg.matmul ins(%a, %b : tensor<2x3xf32>, tensor<3x4xf32>) outs(%c : tensor<2x4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

// Along another dimension than the last one, each row is the one before it and a row of the source, side by side.
// CHECK-LABEL: func.func @rows
// CHECK-SAME:    %[[X:[a-z0-9_]+]]: tensor<2x4x?xf32>
// CHECK:         scf.for %[[I:[a-z0-9_]+]] = %c0 to %c2
// CHECK:           %[[FIRST:.*]] = tensor.extract_slice %[[X]][%[[I]], 0, 0]
// CHECK:           tensor.insert_slice %[[FIRST]] into
// CHECK:           scf.for %[[J:[a-z0-9_]+]] = %c0 to %c3 step %c1 iter_args(%[[OUT:[a-z0-9_]+]] =
// CHECK:             %[[NEXT:[a-z0-9_]+]] = arith.addi %[[J]], %c1
// CHECK-DAG:         %[[GIVEN:.*]] = tensor.extract_slice %[[X]][%[[I]], %[[NEXT]], 0]
// CHECK-DAG:         %[[BEFORE:.*]] = tensor.extract_slice %[[OUT]][%[[I]], %[[J]], 0]
// CHECK:             %[[ROW:.*]] = linalg.generic {{.*}} ins(%[[BEFORE]], %[[GIVEN]] : tensor<?xf32>, tensor<?xf32>)
// CHECK:             tensor.insert_slice %[[ROW]] into %[[OUT]][%[[I]], %[[NEXT]], 0]
func.func @rows(%x: tensor<2x4x?xf32>, %out: tensor<2x4x?xf32>, %last: tensor<2x?xf32>) -> tensor<2x4x?xf32> {
  %0:2 = tm_tensor.scan dimension(1) inclusive(true)
      ins(%x : tensor<2x4x?xf32>) outs(%out, %last : tensor<2x4x?xf32>, tensor<2x?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %sum = arith.addf %a, %b : f32
    tm_tensor.yield %sum : f32
  } -> tensor<2x4x?xf32>, tensor<2x?xf32>
  return %0#0 : tensor<2x4x?xf32>
}

// -----

// There is nothing to add up in a line without elements.
// CHECK-LABEL: func.func @empty
// CHECK-NEXT:    return %arg1
func.func @empty(%x: tensor<0x3xf32>, %out: tensor<0x3xf32>, %last: tensor<3xf32>) -> tensor<0x3xf32> {
  %0:2 = tm_tensor.scan dimension(0) inclusive(true)
      ins(%x : tensor<0x3xf32>) outs(%out, %last : tensor<0x3xf32>, tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32):
    %sum = arith.addf %a, %b : f32
    tm_tensor.yield %sum : f32
  } -> tensor<0x3xf32>, tensor<3xf32>
  return %0#0 : tensor<0x3xf32>
}

// -----

// The order of unsigned integers is told by the comparison; a boolean that is true is one.
// CHECK-LABEL: func.func @integers
// CHECK:         ^bb0(%[[U:[a-z0-9_]+]]: i8, %[[V:[a-z0-9_]+]]: i8, %{{.*}}: i32):
// CHECK:           arith.cmpi ule, %[[V]], %[[U]]
// CHECK:         ^bb0(%[[B:[a-z0-9_]+]]: i1, %[[C:[a-z0-9_]+]]: i1, %{{.*}}: i32):
// CHECK:           arith.cmpi ule, %[[C]], %[[B]]
func.func @integers(%u: tensor<5xi8>, %b: tensor<5xi1>) -> (tensor<5xi8>, tensor<5xi1>) {
  %0 = tm_tensor.sort dimension(0) outs(%u : tensor<5xi8>) {
  ^bb0(%l: i8, %r: i8):
    %ordered = arith.cmpi ule, %l, %r : i8
    tm_tensor.yield %ordered : i1
  } -> tensor<5xi8>
  %1 = tm_tensor.sort dimension(0) outs(%b : tensor<5xi1>) {
  ^bb0(%l: i1, %r: i1):
    %ordered = arith.cmpi sle, %l, %r : i1
    tm_tensor.yield %ordered : i1
  } -> tensor<5xi1>
  return %0, %1 : tensor<5xi8>, tensor<5xi1>
}

// -----

// A product that starts from one is a reduction that leaves its running values; one that starts elsewhere is a loop.
// CHECK-LABEL: func.func @products
// CHECK:         linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]
// CHECK:           %[[NEXT:.*]] = arith.mulf
// CHECK:           linalg.yield %[[NEXT]], %[[NEXT]] : f32, f32
// CHECK:         scf.for
func.func @products(%x: tensor<3x5xf32>, %given: tensor<3xf32>) -> (tensor<3x5xf32>, tensor<3x5xf32>) {
  %one = arith.constant 1.0 : f32
  %out = tensor.empty() : tensor<3x5xf32>
  %none = tensor.empty() : tensor<3xf32>
  %ones = linalg.fill ins(%one : f32) outs(%none : tensor<3xf32>) -> tensor<3xf32>
  %0:2 = tm_tensor.scan dimension(1) inclusive(true)
      ins(%x : tensor<3x5xf32>) outs(%out, %ones : tensor<3x5xf32>, tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32):
    %product = arith.mulf %a, %b : f32
    tm_tensor.yield %product : f32
  } -> tensor<3x5xf32>, tensor<3xf32>
  %1:2 = tm_tensor.scan dimension(1) inclusive(true)
      ins(%x : tensor<3x5xf32>) outs(%out, %given : tensor<3x5xf32>, tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32):
    %product = arith.mulf %a, %b : f32
    tm_tensor.yield %product : f32
  } -> tensor<3x5xf32>, tensor<3xf32>
  return %0#0, %1#0 : tensor<3x5xf32>, tensor<3x5xf32>
}
