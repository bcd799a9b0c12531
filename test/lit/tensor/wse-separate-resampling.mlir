// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-separate-resampling),canonicalize,cse)' --split-input-file | filecheck %s

// Each element twice: indices that are computed in floats become the floor of a line.
// CHECK:       #[[TWICE:.*]] = affine_map<(d0, d1) -> (d0, d1 floordiv 2)>
// CHECK-LABEL: func.func @nearest
// CHECK:         linalg.generic {indexing_maps = [#[[TWICE]], {{.*}} ins(%arg0 : tensor<4x7xf32>) outs(%{{.*}} : tensor<4x14xf32>)
// CHECK-NOT:     tensor.extract
#d = affine_map<(n, i) -> (n, i)>
func.func @nearest(%x: tensor<4x7xf32>) -> tensor<4x14xf32> {
  %two = arith.constant 2.0 : f32
  %e = tensor.empty() : tensor<4x14xf32>
  %y = linalg.generic {indexing_maps = [#d], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<4x14xf32>) {
  ^bb0(%o: f32):
    %n = linalg.index 0 : index
    %i = linalg.index 1 : index
    %int = arith.index_cast %i : index to i64
    %float = arith.sitofp %int : i64 to f32
    %half = arith.divf %float, %two : f32
    %down = arith.fptosi %half : f32 to i64
    %at = arith.index_cast %down : i64 to index
    %v = tensor.extract %x[%n, %at] : tensor<4x7xf32>
    linalg.yield %v : f32
  } -> tensor<4x14xf32>
  return %y : tensor<4x14xf32>
}

// -----

// Two neighbours with weights: a sum over accesses that are moved by one, the weights computed, NaN where a neighbour is not read;
// where `b * 0` and `a * 0` are added, zero times the sum is, so that an infinity becomes NaN; what follows stays behind it.
// CHECK-DAG:   #[[FIRST:.*]] = affine_map<(d0, d1) -> (d0, (d1 * 2 + 2) floordiv 5)>
// CHECK-DAG:   #[[SECOND:.*]] = affine_map<(d0, d1) -> (d0, (d1 * 2 + 2) floordiv 5 + 1)>
// CHECK-LABEL: func.func @linear
// CHECK-DAG:     arith.constant dense<[1.000000e+00, 5.000000e-01, 1.000000e+00, 5.000000e-01, 1.000000e+00, 5.000000e-01, 0x7FC00000]> : tensor<7xf32>
// CHECK:         %[[SUM:.*]] = linalg.generic {indexing_maps = [#[[FIRST]], #[[SECOND]], {{.*}} ins(%arg0, %arg0,
// CHECK:           arith.cmpf ord
// CHECK:           arith.select
// CHECK:           %[[T:.*]] = arith.addf
// CHECK:           %[[Z:.*]] = arith.mulf %[[T]],
// CHECK:           arith.addf %[[T]], %[[Z]]
// CHECK:           arith.select
// CHECK:         linalg.generic {{.*}} ins(%arg1, %[[SUM]] :
// CHECK:           arith.addf
#d = affine_map<(n, i) -> (n, i)>
#w = affine_map<(n, i) -> (i)>
func.func @linear(%x: tensor<4x4xf32>, %r: tensor<4x7xf32>) -> tensor<4x7xf32> {
  %one = arith.constant 1 : index
  %last = arith.constant 3 : index
  %low = arith.constant dense<[0, 0, 1, 1, 2, 2, 3]> : tensor<7xindex>
  %frac = arith.constant dense<[0.0, 0.5, 0.0, 0.5, 0.0, 0.5, 0.0]> : tensor<7xf32>
  %e = tensor.empty() : tensor<4x7xf32>
  %y = linalg.generic {indexing_maps = [#w, #w, #d, #d], iterator_types = ["parallel", "parallel"]} ins(%low, %frac, %r : tensor<7xindex>, tensor<7xf32>, tensor<4x7xf32>) outs(%e : tensor<4x7xf32>) {
  ^bb0(%at: index, %f: f32, %add: f32, %o: f32):
    %n = linalg.index 0 : index
    %above = arith.addi %at, %one : index
    %next = arith.minsi %above, %last : index
    %a = tensor.extract %x[%n, %at] : tensor<4x4xf32>
    %b = tensor.extract %x[%n, %next] : tensor<4x4xf32>
    %step = arith.subf %b, %a : f32
    %part = arith.mulf %step, %f : f32
    %s = arith.addf %a, %part : f32
    %t = arith.addf %s, %add : f32
    linalg.yield %t : f32
  } -> tensor<4x7xf32>
  return %y : tensor<4x7xf32>
}

// -----

// The first rows of a table are a slice of it.
// CHECK-LABEL: func.func @slice
// CHECK-NEXT:    %[[S:.*]] = tensor.extract_slice %arg0[0, 0] [3, 5] [1, 1]
// CHECK-NEXT:    return %[[S]]
#d = affine_map<(n, i) -> (n, i)>
func.func @slice(%x: tensor<8x5xf32>) -> tensor<3x5xf32> {
  %e = tensor.empty() : tensor<3x5xf32>
  %y = linalg.generic {indexing_maps = [#d], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<3x5xf32>) {
  ^bb0(%o: f32):
    %n = linalg.index 0 : index
    %i = linalg.index 1 : index
    %v = tensor.extract %x[%n, %i] : tensor<8x5xf32>
    linalg.yield %v : f32
  } -> tensor<3x5xf32>
  return %y : tensor<3x5xf32>
}

// -----

// Indices that are known at run time only stay where they are.
// CHECK-LABEL: func.func @unknown
// CHECK:         tensor.extract
#d = affine_map<(i) -> (i)>
func.func @unknown(%x: tensor<8xf32>, %at: tensor<3xindex>) -> tensor<3xf32> {
  %e = tensor.empty() : tensor<3xf32>
  %y = linalg.generic {indexing_maps = [#d, #d], iterator_types = ["parallel"]} ins(%at : tensor<3xindex>) outs(%e : tensor<3xf32>) {
  ^bb0(%k: index, %o: f32):
    %v = tensor.extract %x[%k] : tensor<8xf32>
    linalg.yield %v : f32
  } -> tensor<3xf32>
  return %y : tensor<3xf32>
}

// -----

// Indices on no line stay, too, and so do sums of narrow floats.
// CHECK-LABEL: func.func @crooked
// CHECK:         tensor.extract
#d = affine_map<(i) -> (i)>
func.func @crooked(%x: tensor<8xf32>) -> tensor<3xf32> {
  %at = arith.constant dense<[0, 7, 1]> : tensor<3xindex>
  %e = tensor.empty() : tensor<3xf32>
  %y = linalg.generic {indexing_maps = [#d, #d], iterator_types = ["parallel"]} ins(%at : tensor<3xindex>) outs(%e : tensor<3xf32>) {
  ^bb0(%k: index, %o: f32):
    %v = tensor.extract %x[%k] : tensor<8xf32>
    linalg.yield %v : f32
  } -> tensor<3xf32>
  return %y : tensor<3xf32>
}

// CHECK-LABEL: func.func @narrow
// CHECK:         tensor.extract
func.func @narrow(%x: tensor<5xf16>) -> tensor<4xf16> {
  %half = arith.constant 0.5 : f16
  %one = arith.constant 1 : index
  %e = tensor.empty() : tensor<4xf16>
  %y = linalg.generic {indexing_maps = [#d], iterator_types = ["parallel"]} outs(%e : tensor<4xf16>) {
  ^bb0(%o: f16):
    %i = linalg.index 0 : index
    %next = arith.addi %i, %one : index
    %a = tensor.extract %x[%i] : tensor<5xf16>
    %b = tensor.extract %x[%next] : tensor<5xf16>
    %ah = arith.mulf %a, %half : f16
    %bh = arith.mulf %b, %half : f16
    %s = arith.addf %ah, %bh : f16
    linalg.yield %s : f16
  } -> tensor<4xf16>
  return %y : tensor<4xf16>
}
