// Each print in a file of its own: a folder an operation, the count of prints of each of them in the name.
// RUN: rm -rf %t && mlir-opt %s -mlir-print-ir-tree-dir=%t -pass-pipeline='builtin.module(func.func(cse),builtin.module(func.func(canonicalize)),canonicalize,func.func(cse))' -mlir-print-ir-after-all -mlir-disable-threading 2>&1 | FileCheck %s
// RUN: FileCheck %s --check-prefix=FILE --input-file=%t/builtin_module_top/func_func_one/0_0_cse.mlir
// RUN: test -f %t/builtin_module_top/builtin_module_inner/func_func_two/0_0_0_canonicalize.mlir
// RUN: test -f %t/builtin_module_top/1_canonicalize.mlir
// RUN: test -f %t/builtin_module_top/func_func_one/1_1_cse.mlir

// CHECK-NOT: IR Dump
// FILE: // -----// IR Dump After CSEPass: cse //----- //
// FILE-NEXT: func.func @one()

// Times as JSON, and the operations of a failure in their own form.
// RUN: mlir-opt %s -cse -mlir-timing -mlir-output-format=json -mlir-timing-display=tree -o /dev/null 2>&1 | FileCheck %s --check-prefix=JSON
// JSON: "name": "Parser"
// JSON: "name": "CSE
// JSON: "name": "Rest"
// JSON: "name": "Total"
// RUN: not mlir-opt %s -pass-pipeline='builtin.module(builtin.module(transform-interpreter))' -mlir-print-ir-after-failure -mlir-unsafe-print-assume-verified 2>&1 | FileCheck %s --check-prefix=FAILED
// FAILED: IR Dump After {{.*}} Failed: transform-interpreter
// FAILED: func.func @two()

module @top {
  func.func @one() { return }
  module @inner {
    func.func @two() { return }
  }
}
