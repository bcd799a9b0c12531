// RUN: not wse-opt %s --pass-pipeline='builtin.module(func.func(cse),canonicalize' 2>&1 | filecheck %s --check-prefix=OPEN
// RUN: not wse-opt %s --pass-pipeline='builtin.module(cse))' 2>&1 | filecheck %s --check-prefix=CLOSED
// RUN: not wse-opt %s --pass-pipeline='builtin.module(cse canonicalize)' 2>&1 | filecheck %s --check-prefix=COMMA
// RUN: not wse-opt %s --pass-pipeline='builtin.module(cse,,canonicalize)' 2>&1 | filecheck %s --check-prefix=EMPTY
// RUN: not wse-opt %s --pass-pipeline='builtin.module(canonicalize{max-iterations=3)' 2>&1 | filecheck %s --check-prefix=BRACE
// RUN: not wse-opt %s --pass-pipeline='cse' 2>&1 | filecheck %s --check-prefix=ANCHOR
// RUN: not wse-opt %s --pass-pipeline='func.func(cse)' 2>&1 | filecheck %s --check-prefix=OUTERMOST
// RUN: not wse-opt %s --pass-pipeline='builtin.module(cse,canonicalise)' 2>&1 | filecheck %s --check-prefix=NEAR
// RUN: not wse-opt %s --pass-pipeline='builtin.module(canonicalize{iterations=3})' 2>&1 | filecheck %s --check-prefix=OPTION
// RUN: not wse-opt %s --pass-pipeline='builtin.module(affine-loop-tile)' 2>&1 | filecheck %s --check-prefix=NEST
// RUN: not wse-opt %s --load %S/Inputs/example_passes.py --pass-pipeline='builtin.module(example-misbehave{how=explode})' 2>&1 | filecheck %s --check-prefix=VALUE
// RUN: not wse-opt %s --load %S/Inputs/example_passes.py --pass-pipeline='builtin.module(example-misbehave{who=me})' 2>&1 | filecheck %s --check-prefix=PYOPTION

// A mistake in a pipeline is shown below its column, before anything runs.
module {}

// OPEN: wse-opt: error: pass pipeline:1:15: missing closing ')' of the list that opens here
// OPEN-NEXT: builtin.module(func.func(cse),canonicalize
// OPEN-NEXT: {{^              \^$}}
// CLOSED: error: pass pipeline:1:20: unexpected ')' after the end of the pipeline
// COMMA: error: pass pipeline:1:20: expected ',' or ')' after an entry, found 'c'
// EMPTY: error: pass pipeline:1:20: expected the name of a pass or of an operation, found ','
// BRACE: error: pass pipeline:1:28: missing closing '}' of the options that open here
// ANCHOR: error: pass pipeline:1:1: expected a pipeline that is anchored on an operation, found only 'cse'
// ANCHOR: hint: write builtin.module(cse)
// OUTERMOST: error: pass pipeline:1:1: the pipeline is anchored on 'func.func' but the IR's outermost operation is 'builtin.module'
// NEAR: error: pass pipeline:1:20: no pass is named 'canonicalise'
// NEAR-NEXT: builtin.module(cse,canonicalise)
// NEAR-NEXT: {{^                   \^$}}
// NEAR-NEXT: hint: did you mean canonicalize
// OPTION: error: pass pipeline:1:16: pass 'canonicalize' has no option 'iterations'
// NEST: error: pass pipeline:1:16: pass 'affine-loop-tile' runs on 'func.func', not on 'builtin.module': nest it as func.func(affine-loop-tile)
// VALUE: error: pass pipeline:1:16: option 'how' of pass 'example-misbehave': expected one of nothing, rename, fail, crash, invalidate, got 'explode'
// PYOPTION: error: pass pipeline:1:16: pass 'example-misbehave' has no option 'who'
// PYOPTION: hint: its options are: how, message
