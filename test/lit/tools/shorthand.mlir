// RUN: wse-opt %s --cse -canonicalize | filecheck %s
// RUN: wse-opt --cse --canonicalize="max-iterations=5 region-simplify=disabled" < %s | FileCheck %s

// Two equal constants become one, with one dash or two, from a file and from standard input.
// CHECK-LABEL: func.func @twice
// CHECK-COUNT-1: arith.constant
// CHECK-NOT: arith.constant
func.func @twice() -> (i32, i32) {
  %a = arith.constant 1 : i32
  %b = arith.constant 1 : i32
  return %a, %b : i32, i32
}
