// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-outline-parts)' --mlir-print-local-scope | filecheck %s
// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-outline-parts)' --mlir-print-local-scope | wse-opt --split-input-file --pass-pipeline='builtin.module(canonicalize)' | filecheck %s --check-prefix=AGAIN
// AGAIN: call @wafer_0
// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-outline-parts{programs=3})' --mlir-print-local-scope | filecheck %s --check-prefix=TURNS
// RUN: not wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-outline-parts{fallback=false})' 2>&1 | filecheck %s --check-prefix=REFUSED

// One program of each part can be cut no further; what has no lowering is refused where there is no fallback.
// TURNS-LABEL: func.func @main(
// TURNS: call @wafer_0
// TURNS: call @cpu_1
// TURNS: call @wafer_2
// TURNS-NOT: call @wafer_3
// TURNS: return
// REFUSED: error: 'tensor.extract_slice' at an offset known only at run time

// A slice at an offset that data tells, between two operations of the wafer; constants are made where they are needed.
// CHECK-LABEL: func.func private @wafer_0(
// CHECK-SAME: %arg0: tensor<8xf32> {wse.kind = "input", wse.name = "0"}, %arg1: tensor<8xf32> {wse.kind = "parameter", wse.name = "w"})
// CHECK-SAME: attributes {wse.part = "wafer"}
// CHECK: arith.mulf
// CHECK-LABEL: func.func private @cpu_1(
// CHECK-SAME: tensor<i64> {wse.kind = "input", wse.name = "0"}, %arg1: tensor<8xf32> {wse.kind = "input", wse.name = "1"})
// CHECK-SAME: attributes {wse.part = "cpu"}
// CHECK: tensor.extract_slice %arg1[%{{.*}}] [2] [1]
// CHECK-LABEL: func.func private @wafer_2(
// CHECK: arith.constant dense<[1.000000e+00, 2.000000e+00]>
// CHECK: arith.addf
// CHECK-LABEL: func.func @main(
// CHECK: %[[Y:.*]] = call @wafer_0(%arg0, %arg2)
// CHECK: %[[Z:.*]] = call @cpu_1(%arg1, %[[Y]])
// CHECK: %[[R:.*]] = call @wafer_2(%[[Z]])
// CHECK: return %[[R]] : tensor<2xf32>
func.func @main(%x: tensor<8xf32> {wse.kind = "input", wse.name = "0"}, %i: tensor<i64> {wse.kind = "input", wse.name = "1"},
    %w: tensor<8xf32> {wse.kind = "parameter", wse.name = "w"}) -> (tensor<2xf32> {wse.kind = "output", wse.name = "0"}) {
  %e = tensor.empty() : tensor<8xf32>
  %c = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x, %w : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.mulf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  %n = tensor.extract %i[] : tensor<i64>
  %at = arith.index_cast %n : i64 to index
  %z = tensor.extract_slice %y[%at] [2] [1] : tensor<8xf32> to tensor<2xf32>
  %f = tensor.empty() : tensor<2xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%z, %c : tensor<2xf32>, tensor<2xf32>) outs(%f : tensor<2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// -----

// What the wafer can run as a whole stays.
// CHECK-LABEL: func.func @main(
// CHECK-NOT: call
// CHECK: arith.negf
// CHECK-NOT: @cpu
func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.negf %a : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// -----

// A number and an index that a later part needs travel as tensors; the counter in between goes with the CPU, and an
// assertion about what the CPU has is kept.
// CHECK-LABEL: func.func private @cpu_0(
// CHECK-SAME: -> (tensor<i64> {{.*}}, tensor<4xf32>
// CHECK: cf.assert
// CHECK: %[[N:.*]]:2 = scf.while
// CHECK: %[[AS:.*]] = arith.index_cast %[[N]]#0 : index to i64
// CHECK: tensor.from_elements %[[AS]] : tensor<i64>
// CHECK-LABEL: func.func private @wafer_1(
// CHECK: math.exp
// CHECK-LABEL: func.func private @cpu_2(
// CHECK: %[[BACK:.*]] = tensor.extract %arg0[] : tensor<i64>
// CHECK: %[[INDEX:.*]] = arith.index_cast %[[BACK]] : i64 to index
// CHECK: tensor.extract_slice %arg1[%[[INDEX]]]
func.func @main(%x: tensor<4xf32>, %limit: tensor<f32>) -> tensor<1xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %zero = arith.constant 0.0 : f32
  %bound = tensor.extract %limit[] : tensor<f32>
  %is = arith.cmpf ogt, %bound, %zero : f32
  cf.assert %is, "a limit above zero"
  %n:2 = scf.while (%k = %c0, %v = %x) : (index, tensor<4xf32>) -> (index, tensor<4xf32>) {
    %first = tensor.extract %v[%c0] : tensor<4xf32>
    %more = arith.cmpf olt, %first, %bound : f32
    %left = arith.cmpi slt, %k, %c3 : index
    %both = arith.andi %more, %left : i1
    scf.condition(%both) %k, %v : index, tensor<4xf32>
  } do {
  ^bb0(%k: index, %v: tensor<4xf32>):
    %next = arith.addi %k, %c1 : index
    %w = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%v : tensor<4xf32>) {
    ^bb0(%o: f32):
      %s = arith.addf %o, %o : f32
      linalg.yield %s : f32
    } -> tensor<4xf32>
    scf.yield %next, %w : index, tensor<4xf32>
  }
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%n#1 : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = math.exp %a : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  %z = tensor.extract_slice %y[%n#0] [1] [1] : tensor<4xf32> to tensor<1xf32>
  return %z : tensor<1xf32>
}

// -----

// A state that one part for the wafer has to itself is that part's.
// CHECK-LABEL: func.func private @wafer_0(
// CHECK-SAME: %arg1: tensor<4xf32> {wse.kind = "state", wse.name = "total"})
// CHECK-SAME: -> (tensor<4xf32> {wse.kind = "output", wse.name = "0"}, tensor<4xf32> {wse.kind = "state", wse.name = "total"})
// CHECK-LABEL: func.func private @cpu_1(
// CHECK: return %{{.*}} : tensor<1xf32>
// CHECK-LABEL: func.func @main(
// CHECK: %[[M:.*]]:2 = call @wafer_0(%arg0, %arg2)
// CHECK: %[[Z:.*]] = call @cpu_1(%arg1, %[[M]]#0)
// CHECK: return %[[Z]], %[[M]]#1
func.func @main(%x: tensor<4xf32> {wse.kind = "input", wse.name = "0"}, %i: tensor<i64> {wse.kind = "input", wse.name = "1"},
    %t: tensor<4xf32> {wse.kind = "state", wse.name = "total"})
    -> (tensor<1xf32> {wse.kind = "output", wse.name = "0"}, tensor<4xf32> {wse.kind = "state", wse.name = "total"}) {
  %e = tensor.empty() : tensor<4xf32>
  %y:2 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x, %t : tensor<4xf32>, tensor<4xf32>) outs(%e, %e : tensor<4xf32>, tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32, %p: f32):
    %s = arith.addf %a, %b : f32
    %d = arith.mulf %s, %s : f32
    linalg.yield %d, %s : f32, f32
  } -> (tensor<4xf32>, tensor<4xf32>)
  %n = tensor.extract %i[] : tensor<i64>
  %at = arith.index_cast %n : i64 to index
  %z = tensor.extract_slice %y#0[%at] [1] [1] : tensor<4xf32> to tensor<1xf32>
  return %z, %y#1 : tensor<1xf32>, tensor<4xf32>
}

// -----

// Two programs that take turns, if asked for: what the first makes is an argument of the second.
// CHECK-LABEL: func.func @main(
// CHECK-NOT: call
// CHECK: math.sin
// TURNS-LABEL: func.func private @wafer_0(
// TURNS: math.exp
// TURNS-LABEL: func.func private @wafer_1(
// TURNS: math.sin
// TURNS-LABEL: func.func @main(
// TURNS: %[[E:.*]] = call @wafer_0(%arg0) : (tensor<8xf32>) -> tensor<8xf32>
// TURNS: %[[S:.*]] = call @wafer_1(%[[E]]) : (tensor<8xf32>) -> tensor<8xf32>
// TURNS: return %[[E]], %[[S]]
func.func @main(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %e = tensor.empty() : tensor<8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = math.exp %a : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%y : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = math.sin %a : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  return %y, %z : tensor<8xf32>, tensor<8xf32>
}
