// RUN: wse-opt %s --pipeline=tensor | filecheck %s
// RUN: wse-opt %s --pipeline=tensor --override='fuse=func.func(wse-generalize)' --override='fold=canonicalize{max-iterations=1}' --dump-pass-pipeline 2>&1 | filecheck %s --check-prefix=OVERRIDE
// RUN: not wse-opt %s --pipeline=tensor --override='fuse=canonicalize' 2>&1 | filecheck %s --check-prefix=CONTRACT
// RUN: not wse-opt %s --pipeline=tensor --override='polish=cse' 2>&1 | filecheck %s --check-prefix=UNKNOWN
// RUN: not wse-opt %s --pipeline=tensor --override=fuse 2>&1 | filecheck %s --check-prefix=NOTHING

// A named pipeline runs with its stage checks; a stage may be given other passes.
// CHECK: linalg.generic
// CHECK-NOT: linalg.matmul
// OVERRIDE: max-iterations=1
// OVERRIDE: wse-generalize
// OVERRIDE-NEXT: ),
// OVERRIDE-NEXT: wse-check-stage
// OVERRIDE: linalg.generic

// Passes that do not establish the stage's contract are found out.
// CONTRACT: named-pipeline.mlir:[[# @LINE + 6]]:8: error: 'linalg.matmul' is not a linalg.generic, after pass 'canonicalize'; 'wse-generalize' is to see to that
// UNKNOWN: pipeline 'tensor' has no stage 'polish'
// UNKNOWN: hint: its stages are: lower-tm-tensor, scans, accumulate, fold, fuse
// NOTHING: --override=fuse names no passes
func.func @main(%a: tensor<4x4xf32> {wse.kind = "input", wse.name = "0"}, %c: tensor<4x4xf32> {wse.kind = "input", wse.name = "1"})
    -> (tensor<4x4xf32> {wse.kind = "output", wse.name = "0"}) {
  %0 = linalg.matmul ins(%a, %a : tensor<4x4xf32>, tensor<4x4xf32>) outs(%c : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}
