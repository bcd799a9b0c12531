// RUN: wse-opt %s -split-input-file -verify-diagnostics -allow-unregistered-dialect --load %S/Inputs/example_passes.py --example-misbehave="how=fail message='cannot do 42 things'"

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
