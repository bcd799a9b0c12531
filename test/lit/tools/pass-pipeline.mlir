// RUN: wse-opt %s --load %S/Inputs/example_passes.py --pass-pipeline='builtin.module(func.func(example-misbehave{how=rename},cse),canonicalize{max-iterations=3 region-simplify=disabled},example-misbehave)' | filecheck %s
// RUN: wse-opt %s --load %S/Inputs/example_passes.py -pass-pipeline "builtin.module( example-misbehave{ how=rename } , func.func(cse) )" | filecheck %s
// RUN: wse-opt --load=%S/Inputs/example_passes.py --example-misbehave='how=rename message="with spaces, {braces} and (all)"' --cse - < %s | filecheck %s

// Python and upstream's passes mix, nested or not; a Python pass for functions may stand at module level.
// CHECK: func.func @renamed
// CHECK-NOT: arith.constant
func.func @original() {
  %unused = arith.constant 1 : i32
  return
}
