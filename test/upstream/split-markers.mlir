// Lines that are nearly a marker are pointed out, all but the last of them.
// RUN: mlir-opt %s --split-input-file 2>&1 >%t.out | FileCheck %s
// RUN: FileCheck %s --input-file=%t.out --check-prefix=OUT
// RUN: mlir-opt %s -split-input-file="// ===""==" -output-split-marker="// =*=*=" | FileCheck %s --check-prefix=OTHER

func.func @first() { return }

// CHECK: split-markers.mlir:[[# @LINE + 1]]:7: warning: near miss with file split marker
// ----
func.func @second() { return }

// -----

// OUT: @first
// OUT: @second
// OUT: // -----
// OUT: @third
func.func @third() { return }
// CHECK-NOT: near miss
// ----

// =====

// OTHER: @third
// OTHER: // =*=*=
// OTHER: @fourth
func.func @fourth() { return }
