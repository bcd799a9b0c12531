// RUN: not wse-opt %s --load %S/Inputs/example_passes.py --example-misbehave=how=invalidate 2>&1 | filecheck %s
// RUN: wse-opt %s --load %S/Inputs/example_passes.py --example-misbehave=how=invalidate -verify-each=false | filecheck %s --check-prefix=OFF
// RUN: not wse-opt %s --load %S/Inputs/example_passes.py --example-misbehave=how=crash 2>&1 | filecheck %s --check-prefix=CRASH
// RUN: not wse-opt %s --load %S/Inputs/example_passes.py --example-misbehave=how=crash --trace 2>&1 | filecheck %s --check-prefix=TRACE

// IR that does not verify is blamed on the pass that left it; a defect of a pass is one message without a trace.
// CHECK: verify-each.mlir:[[# @LINE + 8]]:1: error: 'func.func' op requires attribute 'function_type'
// CHECK: wse-opt: pass 'example-misbehave' failed
// OFF: "func.func"() <{sym_name = "f"}>
// CRASH-NOT: Traceback
// CRASH: error: internal error: KeyError: 'unexpected'
// CRASH: hint: this is a defect of the pass
// TRACE: Traceback
// TRACE: example_passes.py
func.func @f() { return }
