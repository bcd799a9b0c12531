// RUN: not wse-opt %s --canonicalise 2>&1 | filecheck %s --check-prefix=NEAR
// RUN: not wse-opt %s --verify-diagnostic 2>&1 | filecheck %s --check-prefix=FLAG
// RUN: not wse-opt %s --verify-each=maybe 2>&1 | filecheck %s --check-prefix=TRUTH
// RUN: not wse-opt %s --pass-pipeline 2>&1 | filecheck %s --check-prefix=VALUE
// RUN: not wse-opt %s %s 2>&1 | filecheck %s --check-prefix=TWO
// RUN: not wse-opt %s --cse --pass-pipeline='builtin.module(cse)' 2>&1 | filecheck %s --check-prefix=BOTH
// RUN: not wse-opt %s.missing -o %t.none 2>&1 | filecheck %s --check-prefix=MISSING
// RUN: not ls %t.none
// RUN: not wse-opt %s --pipeline=tensr 2>&1 | filecheck %s --check-prefix=NAMED
// RUN: not wse-opt %s --load nowhere.py 2>&1 | filecheck %s --check-prefix=LOAD
// RUN: not wse-opt %s -mlir-timing-display=cake 2>&1 | filecheck %s --check-prefix=CHOICE

// RUN: not wse-opt %s --cse --mlir-print-ir-before=csee 2>&1 | filecheck %s --check-prefix=AROUND

// AROUND: error: --mlir-print-ir-before: no pass is named 'csee'

// Every mistake on the command line gets one message and exit code 1.
// NEAR: wse-opt: error: unknown flag or pass '--canonicalise'
// NEAR-NEXT: hint: did you mean --canonicalize
// FLAG: hint: did you mean --verify-diagnostics
// TRUTH: error: --verify-each: expected true or false, got 'maybe'
// VALUE: error: --pass-pipeline needs a value
// TWO: error: more than one input file
// BOTH: error: --pass-pipeline and --cse exclude each other
// MISSING: error: cannot open input file '{{.*}}.missing': No such file or directory
// NAMED: error: no pipeline is named 'tensr'
// NAMED: hint: did you mean tensor?
// LOAD: error: cannot load plugin '{{.*}}nowhere.py': no such file
// CHOICE: error: --mlir-timing-display: expected tree or list, got 'cake'
module {}
