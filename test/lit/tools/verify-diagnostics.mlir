// RUN: wse-opt %s -split-input-file -verify-diagnostics -allow-unregistered-dialect --load %S/Inputs/example_passes.py --example-misbehave="how=fail message='cannot do 42 things'"

// RUN: wse-opt %S/reports.mlir -verify-diagnostics --load %S/Inputs/example_passes.py --example-misbehave
// RUN: not wse-opt %S/reports.mlir -verify-diagnostics --remarks --load %S/Inputs/example_passes.py --example-misbehave 2>&1 | filecheck %s --check-prefix=REMARK

// Remarks are diagnostics once they are asked for.
// REMARK: reports.mlir:{{[0-9]+}}:1: error: unexpected remark: [example-misbehave] seen

// An error on the same line, counted from the comment.
func.func @same_line() {
  return // expected-error {{cannot do 42 things}}
}

// -----

func.func @counted() {
  // expected-error @+1 {{cannot do}}
  return
  // -
}

// -----

func.func @backwards() {
  return
  // expected-error @-1 {{things}}
}

// -----

func.func @below() {
  // expected-error @below {{cannot do 42}}
  return
}

// -----

func.func @above() {
  return
  // expected-error @above {{42 things}}
}

// -----

// Parts in double braces are regular expressions when the comment says so.
func.func @regex() {
  // expected-error-re @+1 {{cannot do {{[0-9]+}} things}}
  return
}

// -----

// Notes are diagnostics too.
// expected-note @+1 {{prior use here}}
func.func @note(%a: i32) {
  // expected-error @+1 {{expects different type than prior uses}}
  "foo.bar"(%a) : (f32) -> ()
  return
}
