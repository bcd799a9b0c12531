// A pass of upstream's that crashes fails: the other chunks are processed, and nothing stands for this one.
// RUN: not mlir-opt %s -split-input-file -allow-unregistered-dialect -remove-dead-values > %t.out 2> %t.err
// RUN: FileCheck %s --input-file=%t.err --check-prefix=ERROR
// RUN: FileCheck %s --input-file=%t.out

// ERROR: crash.mlir:[[# @LINE + 2]]:1: error: the pass crashes on this input: segmentation fault (SIGSEGV)
// ERROR: pass 'remove-dead-values' failed
"nobody.knows"() ({
  "nobody.knows.end"() : () -> ()
}) : () -> ()

// -----

// CHECK: // -----
// CHECK: func.func @f
func.func @f() { return }
