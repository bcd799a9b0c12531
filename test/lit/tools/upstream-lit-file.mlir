// RUN: mlir-opt -allow-unregistered-dialect %s -pass-pipeline="builtin.module(func.func(sccp,canonicalize{region-simplify=aggressive}))" -split-input-file -mlir-disable-threading=true | FileCheck %s
// RUN: mlir-opt %s -allow-unregistered-dialect -split-input-file -pass-pipeline='any(inline,cse)' -mlir-print-ir-before=cse -mlir-print-ir-module-scope -o /dev/null 2>&1 | FileCheck --check-prefix=BEFORE %s
// RUN: mlir-opt %s -allow-unregistered-dialect -split-input-file -convert-scf-to-cf -reconcile-unrealized-casts -verify-each=0 | FileCheck --check-prefixes=SHORT %s

/// A file with the command lines that upstream's tests use runs as it stands.

// CHECK-LABEL: func @decided_branch(
// SHORT-LABEL: func @decided_branch(
func.func @decided_branch(%arg0 : i32) -> i32 {
  // CHECK: %[[ONE:.*]] = arith.constant 1 : i32
  // CHECK-NOT: scf.if
  // CHECK: return %[[ONE]] : i32
  // SHORT: cf.cond_br
  %cond = arith.constant true
  %res = scf.if %cond -> (i32) {
    %1 = arith.constant 1 : i32
    scf.yield %1 : i32
  } else {
    scf.yield %arg0 : i32
  }
  return %res : i32
}

// -----

// BEFORE: // -----// IR Dump Before CSEPass: cse ('builtin.module' operation) //----- //
// CHECK-LABEL: func @opaque
func.func @opaque() {
  // CHECK: "unknown.op"
  "unknown.op"() {value = 1 : i32} : () -> ()
  return
}
