// RUN: not wse-opt %s -split-input-file -verify-diagnostics 2>&1 | filecheck %s
// RUN: not wse-opt %s -split-input-file -verify-diagnostics=only-expected 2>&1 | filecheck %s --check-prefix=ONLY --allow-empty

// ONLY-NOT: unexpected error

// An announced error that does not come.
// CHECK: verify-diagnostics-errors.mlir:[[# @LINE + 1]]:4: error: expected error "never" was not produced
// expected-error @+1 {{never}}
func.func @f() { return }

// -----

// An error that nobody announced.
// CHECK: verify-diagnostics-errors.mlir:[[# @LINE + 1]]:18: error: unexpected error: custom op 'retur' is unknown
func.func @f() { retur }

// -----

// The right text with the wrong severity.
// CHECK: verify-diagnostics-errors.mlir:[[# @LINE + 1]]:4: error: 'error' diagnostic emitted when expecting a 'warning'
// expected-warning @+1 {{custom op}}
func.func @f() { retur }
