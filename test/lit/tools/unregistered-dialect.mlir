// RUN: wse-opt %s -allow-unregistered-dialect | filecheck %s
// RUN: not wse-opt %s 2>&1 | filecheck %s --check-prefix=REFUSED

// CHECK: "unknown.op"() : () -> ()
// REFUSED: unregistered-dialect.mlir:[[# @LINE + 4]]:15: error: operation being parsed with an unregistered dialect
// REFUSED-NEXT: "unknown.op"()
// REFUSED-NEXT: {{^              \^}}
"builtin.module"() ({
  "unknown.op"() : () -> ()
}) : () -> ()
