// Flags of mlir-opt, with one dash or two, that this tool has by other means, by other names, or not at all.
// RUN: mlir-opt --show-dialects | FileCheck %s --check-prefix=DIALECTS
// DIALECTS: Available Dialects: {{.*}}affine,{{.*}}linalg,llvm,{{.*}}vector
// RUN: mlir-opt --help-hidden | FileCheck %s --check-prefix=HELP
// HELP: --pass-pipeline
// RUN: mlir-opt %s -p 'builtin.module(cse)' -dump-pass-pipeline -mlir-diagnostic-verbosity-level=errors -mlir-disable-diagnostic-notes 2>&1 | FileCheck %s --check-prefix=P
// P: builtin.module(
// RUN: not mlir-opt %s -log-actions-to=- 2>&1 | FileCheck %s --check-prefix=ACTIONS
// ACTIONS: error: --log-actions-to is mlir-opt's and not available here: actions are traced inside of native code
// ACTIONS-NEXT: hint: --mlir-print-ir-before-all
// RUN: not mlir-opt %s -debug-only=dialect-conversion 2>&1 | FileCheck %s --check-prefix=DEBUG
// DEBUG: error: --debug-only is mlir-opt's and not available here: upstream's libraries are built without it
// RUN: not mlir-opt %s -debug-onyl=dialect-conversion 2>&1 | FileCheck %s --check-prefix=MISSPELT
// MISSPELT: error: unknown flag or pass '--debug-onyl'
// RUN: echo "func.func @f( {" | not mlir-opt --color 2>&1 | FileCheck %s --check-prefix=COLOUR
// COLOUR: [1m<stdin>:1:14: {{.*}}[1;31merror:
// RUN: mlir-opt %s -emit-bytecode -emit-bytecode-version=5 | mlir-opt | FileCheck %s
// RUN: not mlir-opt %s -emit-bytecode -emit-bytecode-version=99 -o %t 2>&1 | FileCheck %s --check-prefix=VERSION
// VERSION: unsupported version requested 99

// CHECK: func.func @f
func.func @f() { return }
