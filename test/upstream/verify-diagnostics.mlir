// Diagnostics are checked and the output is printed all the same, of chunks that fail too: nothing stands for them.
// RUN: mlir-opt %s --split-input-file -verify-diagnostics -cse -allow-unregistered-dialect | FileCheck %s

// CHECK-LABEL: func.func @twice
// CHECK-COUNT-1: arith.constant 7
// CHECK-NOT: arith.constant
func.func @twice() -> (i32, i32) {
  %a = arith.constant 7 : i32
  %b = arith.constant 7 : i32
  return %a, %b : i32, i32
}

// -----

// The parser's own message, below, above and beside the place.
// CHECK: // -----
func.func @unfinished() {
  // expected-error @below {{custom op 'retrun' is unknown}}
  retrun
}

// -----

// A message with its note, each at its own line; regular expressions of POSIX's classes.
// expected-note@+1 {{see existing symbol definition here}}
func.func private @same()
// expected-error-re@below {{redefinition of symbol named '{{[[:alpha:]]+}}'}}
func.func private @same()

// -----

// A verifier's message; the place comes from the operation's own location, here of another file or of none.
func.func @elsewhere() -> i32 {
  // expected-error @unknown {{has 0 operands, but enclosing function (@elsewhere) returns 1}}
  "func.return"() : () -> () loc(unknown)
}

// -----

// The function of a call is looked up by the module around it, be it an implicit one.
func.func @caller() {
  // expected-error@+1 {{'missing' does not reference a valid function}}
  call @missing() : () -> ()
  return
}

// -----

// What an operation says of itself is not to be announced.
func.func @dominated() {
  // expected-error @below {{operand #0 does not dominate this use}}
  "any.user"(%late) : (index) -> ()
  // expected-note @below {{operand defined here (op in the same block)}}
  %late = arith.constant 1 : index
  return
}

// -----

// CHECK: func.func @last
func.func @last() { return }
