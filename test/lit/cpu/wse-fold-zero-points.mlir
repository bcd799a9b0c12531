// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-fold-zero-points{cpu=x86-64-v4}),canonicalize,cse)' --split-input-file | filecheck %s --check-prefixes=CHECK,PLAIN
// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-fold-zero-points{cpu=znver4}),canonicalize,cse)' --split-input-file | filecheck %s --check-prefixes=CHECK,DOT

// What an activation's zero point adds is a sum of the weights; sums in i64 that are truncated are sums in i32.
// CHECK-LABEL: func.func @quantised
// CHECK-DAG:     %[[Z:.*]] = arith.constant -3 : i32
// CHECK:         %[[S:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]} ins(%arg1 : tensor<64x48xi8>)
// CHECK:           %[[W:.*]] = arith.extsi
// CHECK:           arith.muli %[[W]], %[[Z]]
// CHECK:         %[[I:.*]] = linalg.generic {{.*}} ins(%{{.*}}, %[[S]] : i32, tensor<48xi32>)
// CHECK:         linalg.generic {{.*}} ins(%arg0, %arg1 : tensor<32x64xi8>, tensor<64x48xi8>) outs(%[[I]] : tensor<32x48xi32>)
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      arith.extui
// CHECK-NEXT:      arith.extsi
// CHECK-NOT:     i64
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(m, n) -> (m, n)>
#scalar = affine_map<(m, n) -> ()>
func.func @quantised(%x: tensor<32x64xi8>, %w: tensor<64x48xi8> {wse.kind = "parameter"}) -> tensor<32x48xi32> {
  %three = arith.constant 3 : i32
  %zero = arith.constant 0 : i64
  %e0 = tensor.empty() : tensor<32x64xi32>
  %q = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<32x64xi8>) outs(%e0 : tensor<32x64xi32>) {
  ^bb0(%p: i8, %o: i32):
    %0 = arith.extui %p : i8 to i32
    %1 = arith.subi %0, %three : i32
    linalg.yield %1 : i32
  } -> tensor<32x64xi32>
  %e1 = tensor.empty() : tensor<32x48xi64>
  %i = linalg.generic {indexing_maps = [#scalar, #id], iterator_types = ["parallel", "parallel"]} ins(%zero : i64) outs(%e1 : tensor<32x48xi64>) {
  ^bb0(%p: i64, %o: i64):
    linalg.yield %p : i64
  } -> tensor<32x48xi64>
  %y = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %w : tensor<32x64xi32>, tensor<64x48xi8>) outs(%i : tensor<32x48xi64>) {
  ^bb0(%p: i32, %r: i8, %o: i64):
    %0 = arith.extsi %p : i32 to i64
    %1 = arith.extsi %r : i8 to i64
    %2 = arith.muli %0, %1 : i64
    %3 = arith.addi %o, %2 : i64
    linalg.yield %3 : i64
  } -> tensor<32x48xi64>
  %e2 = tensor.empty() : tensor<32x48xi32>
  %t = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<32x48xi64>) outs(%e2 : tensor<32x48xi32>) {
  ^bb0(%p: i64, %o: i32):
    %0 = arith.trunci %p : i64 to i32
    linalg.yield %0 : i32
  } -> tensor<32x48xi32>
  return %t : tensor<32x48xi32>
}

// -----

// Two signed operands: for a dot product the left-hand side is flipped to 128 more, and the weights' sums make up for it.
// CHECK-LABEL: func.func @signed
// PLAIN-NOT:     arith.xori
// PLAIN:         arith.extsi
// PLAIN-NEXT:    arith.extsi
// DOT:           arith.muli %{{.*}}, %c-128_i32
// DOT:           linalg.generic {{.*}} ins(%arg0, %arg1 : tensor<32x64xi8>, tensor<48x64xi8>)
// DOT:             %[[F:.*]] = arith.xori %{{.*}}, %c-128_i8 : i8
// DOT-NEXT:        arith.extui %[[F]]
// DOT-NEXT:        arith.extsi
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n, k)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @signed(%x: tensor<32x64xi8>, %w: tensor<48x64xi8> {wse.kind = "parameter"}, %i: tensor<32x48xi32>) -> tensor<32x48xi32> {
  %y = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<32x64xi8>, tensor<48x64xi8>) outs(%i : tensor<32x48xi32>) {
  ^bb0(%p: i8, %r: i8, %o: i32):
    %0 = arith.extsi %p : i8 to i32
    %1 = arith.extsi %r : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %o, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<32x48xi32>
  return %y : tensor<32x48xi32>
}

// -----

// Weights whose zero point is 128 are signed ones with their first bit flipped: they are flipped once.
// CHECK-LABEL: func.func @unsigned_weights
// CHECK:         linalg.generic {{.*}} ins(%arg1 : tensor<48x64xi8>)
// CHECK:           arith.xori
// CHECK:         linalg.generic {{.*}} ins(%arg0, %{{.*}} : tensor<32x64xi8>, tensor<48x64xi8>)
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      arith.extui
// CHECK-NEXT:      arith.extsi
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n, k)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @unsigned_weights(%x: tensor<32x64xi8>, %w: tensor<48x64xi8> {wse.kind = "parameter"}, %i: tensor<32x48xi32>) -> tensor<32x48xi32> {
  %z = arith.constant 128 : i32
  %y = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<32x64xi8>, tensor<48x64xi8>) outs(%i : tensor<32x48xi32>) {
  ^bb0(%p: i8, %r: i8, %o: i32):
    %0 = arith.extui %p : i8 to i32
    %1 = arith.extui %r : i8 to i32
    %4 = arith.subi %1, %z : i32
    %2 = arith.muli %0, %4 : i32
    %3 = arith.addi %o, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<32x48xi32>
  return %y : tensor<32x48xi32>
}

// -----

// Zero points of two operands that are known only in the call stay, and so do sums of which all 64 bits are used.
// CHECK-LABEL: func.func @unknown
// CHECK-COUNT-2: linalg.generic
// CHECK-NOT:     linalg.generic
// CHECK:         return
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n, k)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @unknown(%x: tensor<32x64xi8>, %w: tensor<48x64xi8>, %p: tensor<48x64xi8> {wse.kind = "parameter"}, %i: tensor<32x48xi32>, %j: tensor<32x48xi64>) -> (tensor<32x48xi32>, tensor<32x48xi64>) {
  %z = arith.constant 5 : i32
  %y = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<32x64xi8>, tensor<48x64xi8>) outs(%i : tensor<32x48xi32>) {
  ^bb0(%a: i8, %r: i8, %o: i32):
    %0 = arith.extui %a : i8 to i32
    %4 = arith.subi %0, %z : i32
    %1 = arith.extui %r : i8 to i32
    %2 = arith.muli %4, %1 : i32
    %3 = arith.addi %o, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<32x48xi32>
  %v = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %p : tensor<32x64xi8>, tensor<48x64xi8>) outs(%j : tensor<32x48xi64>) {
  ^bb0(%a: i8, %r: i8, %o: i64):
    %0 = arith.extui %a : i8 to i64
    %1 = arith.extsi %r : i8 to i64
    %2 = arith.muli %0, %1 : i64
    %3 = arith.addi %o, %2 : i64
    linalg.yield %3 : i64
  } -> tensor<32x48xi64>
  return %y, %v : tensor<32x48xi32>, tensor<32x48xi64>
}
