// RUN: wse-opt %s -split-input-file --cse | filecheck %s
// RUN: wse-opt %s --split-input-file='// -----' --output-split-marker='// =====' | filecheck %s --check-prefix=MARKER
// RUN: not wse-opt %s --pass-pipeline='builtin.module(func.func(transform-interpreter))' -split-input-file 2>&1 | filecheck %s --check-prefix=FAIL

// Chunks are processed on their own, and equal names do not clash.
// CHECK: func.func @f
// CHECK: // -----
// CHECK: func.func @f
// MARKER: // =====
func.func @f() { return }

// -----

// Diagnostics count lines from the beginning of the file.
// FAIL: split-input-file.mlir:10:1: error: could not find a nested named sequence
// FAIL: split-input-file.mlir:17:1: error: could not find a nested named sequence
func.func @f() { return }
