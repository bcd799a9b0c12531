// RUN: mlir-opt %s -mlir-print-debuginfo | FileCheck %s
// RUN: mlir-opt %s -mlir-print-debuginfo -mlir-print-local-scope | FileCheck %s --check-prefix=LOCAL
// RUN: echo '"builtin.module"() ({ "func.func"() <{function_type = () -> i32, sym_name = "f"}> ({ "func.return"() : () -> () loc(callsite("a"("x.py":1:2) at callsite("y.py":3:4 at "z.py":5:6))) }) : () -> () }) : () -> ()' > %t.mlir
// RUN: not mlir-opt %t.mlir 2>&1 | FileCheck %s --check-prefix=CALLS

// A module that nobody wrote begins before the first line.
// CHECK: } loc(#loc)
// CHECK-NEXT: #loc = loc("{{.*}}locations.mlir":0:0)
// LOCAL: func.func @f(%{{.*}}: i32 loc("{{.*}}locations.mlir":[[# @LINE + 1]]:14))
func.func @f(%a: i32) -> i32 {
  // LOCAL: return %{{.*}} : i32 loc(fused["here", "model.py":7:9])
  return %a : i32 loc(fused["here", "model.py":7:9])
}

// A message at a place that was called tells from where.
// CALLS: x.py:1:2: error: 'func.return' op has 0 operands
// CALLS-NEXT: y.py:3:4: note: called from
// CALLS-NEXT: z.py:5:6: note: called from
