// A reproducer is written where a flag says so, over the one before, and reported as mlir-opt reports it.
// RUN: mlir-opt %s -verify-diagnostics -cse -transform-interpreter -mlir-pass-pipeline-crash-reproducer=%t.mlir
// RUN: mlir-opt %s -verify-diagnostics -cse -transform-interpreter -mlir-pass-pipeline-crash-reproducer=%t.mlir -mlir-pass-pipeline-local-reproducer -mlir-disable-threading
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: not mlir-opt -run-reproducer %t.mlir -mlir-print-ir-before=transform-interpreter 2>&1 | FileCheck %s --check-prefix=AGAIN

// CHECK: module @fails
// CHECK: mlir_reproducer: {
// CHECK: pipeline: "builtin.module(transform-interpreter)"
// CHECK: verify_each: true

// AGAIN: IR Dump Before {{.*}}InterpreterPass: transform-interpreter
// AGAIN: error: could not find

// expected-error@+3 {{could not find}}
// expected-error@+2 {{Failures have been detected while processing an MLIR pass pipeline}}
// expected-note@+1 {{Pipeline failed while executing}}
module @fails {}
