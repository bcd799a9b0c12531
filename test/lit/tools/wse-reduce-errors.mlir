// RUN: not wse-reduce %s --test 'grep -q math.sin' -o %t.none 2>&1 | filecheck %s --check-prefix=DULL
// RUN: not wse-reduce %s --test no-such-command -o %t.none 2>&1 | filecheck %s --check-prefix=COMMAND
// RUN: not wse-reduce %s -o %t.none 2>&1 | filecheck %s --check-prefix=NOTHING
// RUN: not wse-reduce %S/Inputs/planted_bugs.py --test true -o %t.none 2>&1 | filecheck %s --check-prefix=IR
// RUN: not ls %t.none
// RUN: wse-reduce -h | filecheck %s --check-prefix=HELP
// RUN: wse-reduce --version | filecheck %s --check-prefix=VERSION

// Every mistake gets one message and exit code 1, and nothing is written (more of them: test/reduction).
// HELP: Usage: wse-reduce [OPTIONS]
// VERSION: wse-mlir {{[0-9]}}
// DULL: error: the input is not interesting: the command exits with code 1: grep -q math.sin
// DULL-NEXT: hint: it has to exit with 0 when the file shows what is looked for
// COMMAND: error: there is no command 'no-such-command'
// NOTHING: error: nothing says what is interesting, and the file is no reproducer
// NOTHING-NEXT: hint: --test COMMAND, or --pass-pipeline=TEXT for a pipeline that fails
// IR: error: {{.*}}planted_bugs.py:1:1: this cannot be parsed as MLIR

func.func @f(%x: f32) -> f32 {
  %0 = math.exp %x : f32
  return %0 : f32
}
