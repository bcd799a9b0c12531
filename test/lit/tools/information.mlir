// RUN: wse-opt --list-passes --load %S/Inputs/example_passes.py | filecheck %s --check-prefix=LIST
// RUN: wse-opt --help --load %S/Inputs/example_passes.py | filecheck %s --check-prefix=HELP
// RUN: wse-opt -h | filecheck %s --check-prefix=USAGE
// RUN: wse-opt --print-pipeline | filecheck %s --check-prefix=NAMES
// RUN: wse-opt --print-pipeline=tensor | filecheck %s --check-prefix=TABLE
// RUN: wse-opt %s --dump-pass-pipeline --cse --affine-loop-tile 2>&1 | filecheck %s --check-prefix=DUMP
// RUN: wse-opt --version | filecheck %s --check-prefix=VERSION

// Python passes come with their documentation, upstream's by name.
// LIST: --example-misbehave {{ *}}Does what it is told to, on each function.
// LIST: --wse-check-stage {{ *}}Checks that the IR holds only what its stage allows
// LIST: --canonicalize
// LIST: --transform-interpreter
// USAGE: usage: wse-opt [FLAGS] [PASSES] [FILE]
// USAGE: --pass-pipeline=TEXT
// HELP: --example-misbehave   (runs on func.func)
// HELP-NEXT: Does what it is told to
// HELP: Before: `func.func @f()`
// HELP: Options:
// HELP-NEXT: how=<nothing|rename|fail|crash|invalidate>
// HELP-NEXT: what to do (default nothing)
// HELP-NEXT: message=<str>
// NAMES: tensor
// TABLE: -> tensor
// TABLE: builtin.module({{.*}}wse-check-stage{stage=tensor}
// DUMP: Pass Manager with 2 passes:
// DUMP-NEXT: {{^}}builtin.module(
// DUMP-NEXT: {{^}}  cse,
// DUMP-NEXT: {{^}}  func.func(
// DUMP-NEXT: {{^}}    affine-loop-tile{cache-size=512
// VERSION: wse-mlir {{[0-9.]+}}
module {}
