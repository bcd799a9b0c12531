// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-fold-constants),wse-dce)' | filecheck %s
// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-fold-constants{max-elements=4}),wse-dce)' | filecheck %s --check-prefix=SMALL
// RUN: wse-opt %s --split-input-file --mlir-print-debuginfo --mlir-print-local-scope --wse-fold-constants | filecheck %s --check-prefix=LOC

#id = affine_map<(d0, d1) -> (d0, d1)>
#swap = affine_map<(d0, d1) -> (d1, d0)>
#row = affine_map<(d0, d1) -> (d0)>

// A transposed constant and arithmetic on it, unless the result is larger than allowed; the location stays.
// CHECK-LABEL: func.func @transpose
// CHECK-NEXT: %[[C:.*]] = arith.constant dense<{{\[}}[2.000000e+00, 6.000000e+00, 1.000000e+01], [4.000000e+00, 8.000000e+00, 1.200000e+01]]> : tensor<2x3xf32>
// CHECK-NEXT: return %[[C]]
// SMALL-LABEL: func.func @transpose
// SMALL: linalg.generic
// LOC: dense<{{.*}}> : tensor<2x3xf32> loc("table")
func.func @transpose() -> tensor<2x3xf32> {
  %c = arith.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %e = tensor.empty() : tensor<2x3xf32>
  %0 = linalg.generic {indexing_maps = [#swap, #id], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<3x2xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.addf %in, %in : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32> loc("table")
  return %0 : tensor<2x3xf32>
}

// Uniform operands give a fill, of any size.
// CHECK-LABEL: func.func @uniform
// CHECK: %[[C:.*]] = arith.constant 4.000000e+00 : f32
// CHECK: linalg.fill ins(%[[C]] : f32) outs(%{{.*}} : tensor<1000x1000xf32>)
// CHECK-NOT: linalg.generic
func.func @uniform() -> tensor<1000x1000xf32> {
  %c = arith.constant dense<2.0> : tensor<1000x1000xf32>
  %two = arith.constant 2.0 : f32
  %e = tensor.empty() : tensor<1000x1000xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<1000x1000xf32>) outs(%e : tensor<1000x1000xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.mulf %in, %two : f32
    linalg.yield %s : f32
  } -> tensor<1000x1000xf32>
  return %0 : tensor<1000x1000xf32>
}

// -----

// A reduction is summed in the order of its loops in f16, so that 2048 + 1 + 1 is 2048, not 2050.
// CHECK-LABEL: func.func @reduction
// CHECK: arith.constant dense<[2.048000e+03, 3.000000e+00]> : tensor<2xf16>
func.func @reduction() -> tensor<2xf16> {
  %c = arith.constant dense<[[2048.0, 1.0, 1.0], [1.0, 1.0, 1.0]]> : tensor<2x3xf16>
  %zero = arith.constant dense<0.0> : tensor<2xf16>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%c : tensor<2x3xf16>) outs(%zero : tensor<2xf16>) {
  ^bb0(%in: f16, %out: f16):
    %s = arith.addf %out, %in : f16
    linalg.yield %s : f16
  } -> tensor<2xf16>
  return %0 : tensor<2xf16>
}

// A table of positions; i8 arithmetic wraps.
// CHECK-LABEL: func.func @positions
// CHECK: dense<[0, 100, -56]> : tensor<3xi8>
func.func @positions() -> tensor<3xi8> {
  %e = tensor.empty() : tensor<3xi8>
  %hundred = arith.constant 100 : i8
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%e : tensor<3xi8>) {
  ^bb0(%out: i8):
    %i = linalg.index 0 : index
    %j = arith.index_cast %i : index to i8
    %s = arith.muli %j, %hundred : i8
    linalg.yield %s : i8
  } -> tensor<3xi8>
  return %0 : tensor<3xi8>
}

// -----

// Not folded: an operand that is an argument, and a division that may have no defined result.
// CHECK-LABEL: func.func @unknown
// CHECK-COUNT-2: linalg.generic
func.func @unknown(%x: tensor<2xi32>) -> (tensor<2xi32>, tensor<2xi32>) {
  %c = arith.constant dense<[1, 0]> : tensor<2xi32>
  %e = tensor.empty() : tensor<2xi32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x, %c : tensor<2xi32>, tensor<2xi32>) outs(%e : tensor<2xi32>) {
  ^bb0(%a: i32, %b: i32, %out: i32):
    %s = arith.addi %a, %b : i32
    linalg.yield %s : i32
  } -> tensor<2xi32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%c : tensor<2xi32>) outs(%e : tensor<2xi32>) {
  ^bb0(%a: i32, %out: i32):
    %s = arith.divsi %a, %a : i32
    linalg.yield %s : i32
  } -> tensor<2xi32>
  return %0, %1 : tensor<2xi32>, tensor<2xi32>
}
