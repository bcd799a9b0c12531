// RUN: wse-opt %s --cse --canonicalize --mlir-print-ir-before=cse --mlir-print-ir-after=canonicalize 2>&1 >/dev/null | filecheck %s --check-prefix=NAMED
// RUN: wse-opt %s --cse --canonicalize --mlir-print-ir-after-all 2>&1 >/dev/null | filecheck %s --check-prefix=AFTER
// RUN: wse-opt %s --cse --symbol-dce --mlir-print-ir-before-all 2>&1 >/dev/null | filecheck %s --check-prefix=BEFORE
// RUN: wse-opt %s --cse --symbol-dce --mlir-print-ir-after-all --mlir-print-ir-after-change 2>&1 >/dev/null | filecheck %s --check-prefix=CHANGE
// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(cse))' --mlir-print-ir-after-all 2>&1 >/dev/null | filecheck %s --check-prefix=NESTED
// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(cse))' --mlir-print-ir-after-all --mlir-print-ir-module-scope --mlir-disable-threading 2>&1 >/dev/null | filecheck %s --check-prefix=MODULE
// RUN: not wse-opt %s --load %S/Inputs/example_passes.py --cse --example-misbehave=how=fail --mlir-print-ir-after-failure 2>&1 >/dev/null | filecheck %s --check-prefix=FAILURE
// RUN: wse-opt %s --load %S/Inputs/example_passes.py --example-misbehave=how=rename --mlir-print-ir-after=example-misbehave 2>&1 >/dev/null | filecheck %s --check-prefix=PYTHON
// RUN: wse-opt %s --wse-form-kernels --mlir-print-ir-after=wse-form-kernels 2>&1 >/dev/null | filecheck %s --check-prefix=WHOLE
// RUN: wse-opt %s --wse-form-kernels --mlir-print-ir-after=wse-form-kernels --mlir-print-ir-module-scope 2>&1 >/dev/null | filecheck %s --check-prefix=SCOPE

// Passes are titled as mlir-opt titles them; Python passes by their class.
// NAMED: // -----// IR Dump Before CSEPass: cse //----- //
// NAMED-NOT: After CSEPass
// NAMED: // -----// IR Dump After CanonicalizerPass: canonicalize{{.*}} //----- //
// AFTER: // -----// IR Dump After CSEPass: cse //----- //
// AFTER-NEXT: module {
// AFTER: // -----// IR Dump After CanonicalizerPass
// BEFORE: IR Dump Before CSEPass
// BEFORE: IR Dump Before SymbolDCE{{.*}}
// CHANGE: IR Dump After CSEPass
// CHANGE-NOT: IR Dump
// NESTED: // -----// IR Dump After CSEPass: cse //----- //
// NESTED-NEXT: func.func @f
// MODULE: // -----// IR Dump After CSEPass: cse ('func.func' operation: @f) //----- //
// MODULE-NEXT: module {
// FAILURE-NOT: IR Dump After CSEPass
// FAILURE: // -----// IR Dump After Misbehave Failed: example-misbehave{how=fail} //----- //
// FAILURE-NEXT: "func.func"()
// PYTHON: // -----// IR Dump After Misbehave: example-misbehave{how=rename} //----- //
// PYTHON-NEXT: func.func @renamed
// A Python pass on the whole module, around which there is nothing.
// WHOLE: // -----// IR Dump After FormKernels: wse-form-kernels{{.*}} //----- //
// WHOLE-NEXT: module {
// SCOPE: // -----// IR Dump After FormKernels: wse-form-kernels{{.*}} ('builtin.module' operation) //----- //
// SCOPE-NEXT: module {
func.func @f() -> (i32, i32) {
  %a = arith.constant 1 : i32
  %b = arith.constant 1 : i32
  return %a, %b : i32, i32
}
