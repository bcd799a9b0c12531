// RUN: rm -rf %t && mkdir -p %t
// RUN: echo "module {}" > %t/precious.mlir
// RUN: wse-opt %s --cse --mlir-generate-reproducer=%t/failed.mlir
// RUN: not wse-opt %s --load %S/Inputs/example_passes.py --pass-pipeline='builtin.module(cse,func.func(canonicalize,example-misbehave{how=fail message="a quoted reason"}),symbol-dce)' --mlir-pass-pipeline-crash-reproducer=%t/failed.mlir 2> %t/first.txt
// RUN: filecheck %s --input-file=%t/first.txt --check-prefix=FIRST
// RUN: filecheck %s --input-file=%t/failed.mlir --check-prefix=FILE
// RUN: not wse-opt --run-reproducer %t/failed.mlir 2>&1 | filecheck %s --check-prefix=REPLAY
// RUN: not wse-opt %s --load %S/Inputs/example_passes.py --example-misbehave=how=fail --mlir-pass-pipeline-crash-reproducer=%t/precious.mlir 2>&1 | filecheck %s --check-prefix=KEPT
// RUN: filecheck %s --input-file=%t/failed.mlir --check-prefix=FILE
// RUN: wse-opt %s --cse --mlir-generate-reproducer=%t/whole.mlir
// RUN: wse-opt --run-reproducer %t/whole.mlir | filecheck %s --check-prefix=WHOLE
// RUN: not wse-opt --run-reproducer %s 2>&1 | filecheck %s --check-prefix=NONE

// The first failure says where its reproducer is.
// FIRST: reproducer.mlir:[[# @LINE + 25]]:8: error: a quoted reason
// FIRST: note: wse-opt --run-reproducer {{.*}}failed.mlir repeats this failure

// The file holds the IR as the failing pass found it, and what was still to run; passes before it are gone.
// FILE-COUNT-1: arith.constant
// FILE-NOT: arith.constant
// FILE: pipeline: "builtin.module(func.func(canonicalize,example-misbehave{{.*}}),symbol-dce)"

// Replaying it fails at the same place with the same words.
// REPLAY: reproducer.mlir:{{[0-9]+}}:8: error: a quoted reason

// Another reproducer is written over, any other file never is.
// KEPT: the reproducer was not written: '{{.*}}precious.mlir' exists and is none

// A run that succeeds can be kept too.
// WHOLE: func.func @f

// Without the flag the section is passed over in silence.
// RUN: wse-opt %t/whole.mlir 2>&1 | filecheck %s --check-prefix=IGNORED
// IGNORED-NOT: warning
// IGNORED: func.func @f
// NONE: error: the file holds no reproducer

func.func @f() -> (i32, i32) {
  // Two constants, of which cse leaves one.
  %a = arith.constant 1 : i32
  %b = arith.constant 1 : i32
  return %a, %b : i32, i32
}
