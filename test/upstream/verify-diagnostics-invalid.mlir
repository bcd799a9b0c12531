// What is announced and wrong, or wrong and not announced.
// RUN: not mlir-opt %s --split-input-file --verify-diagnostics 2>&1 | FileCheck %s
// RUN: not mlir-opt %s --split-input-file --verify-diagnostics=only-expected 2>&1 | FileCheck %s --check-prefix=ONLY
// RUN: mlir-opt %s --split-input-file 2>&1 | FileCheck %s --check-prefix=WITHOUT
// WITHOUT-NOT: not produced
// ONLY-NOT: unexpected

// CHECK: verify-diagnostics-invalid.mlir:[[# @LINE + 1]]:4: error: found start of regex with no end '}}'
// expected-error-re {{open {{}}

// -----

// CHECK: error: invalid regex: parentheses not balanced
// expected-error-re {{a {{(}} b}}

// -----

// CHECK: error: expected warning "from nowhere" was not produced
// ONLY: error: expected warning "from nowhere" was not produced
// expected-warning @unknown {{from nowhere}}

// -----

// CHECK: error: expected remark "a remark" was not produced
// expected-remark @+1 {{a remark}}
module {}
