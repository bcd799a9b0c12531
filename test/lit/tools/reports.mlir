// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(cse,canonicalize),symbol-dce)' --mlir-timing 2>&1 >/dev/null | filecheck %s --check-prefix=TIMING
// RUN: wse-opt %s --cse --cse --mlir-timing --mlir-timing-display=list 2>&1 >/dev/null | filecheck %s --check-prefix=LIST
// RUN: wse-opt %s --load %S/Inputs/example_passes.py --example-misbehave --example-anywhere --example-misbehave --mlir-pass-statistics 2>&1 >/dev/null | filecheck %s --check-prefix=STATISTICS
// RUN: wse-opt %s --load %S/Inputs/example_passes.py --example-misbehave --example-anywhere --example-misbehave --mlir-pass-statistics --mlir-pass-statistics-display=list 2>&1 >/dev/null | filecheck %s --check-prefix=MERGED
// RUN: wse-opt %s --load %S/Inputs/example_passes.py --example-misbehave --remarks 2>&1 >/dev/null | filecheck %s --check-prefix=REMARKS

// A tree of times with each entry's share, nested pipelines with the passes in them.
// TIMING: Execution time report
// TIMING: Total Execution Time: {{[0-9.]+}} seconds
// TIMING: ----Wall Time----  ----Name----
// TIMING: {{[0-9.]+ \( *[0-9.]+%\)}}  Parser
// TIMING-NEXT: {{[0-9.]+ \( *[0-9.]+%\)}}  'func.func' Pipeline
// TIMING-NEXT: {{[0-9.]+ \( *[0-9.]+%\)}}    CSEPass
// TIMING-NEXT: {{[0-9.]+ \( *[0-9.]+%\)}}    CanonicalizerPass
// TIMING-NEXT: {{[0-9.]+ \( *[0-9.]+%\)}}  SymbolDCE
// TIMING-NEXT: {{[0-9.]+ \( *[0-9.]+%\)}}  Output
// TIMING-NEXT: {{[0-9.]+ \( *[0-9.]+%\)}}  Rest
// TIMING-NEXT: {{[0-9.]+ \(100.0%\)}}  Total
// LIST-COUNT-1: CSEPass
// LIST-NOT: CSEPass

// What each pass counted, over all the functions it ran on, in the pipeline's order or merged by name.
// STATISTICS: Pass statistics report
// STATISTICS: 'example-misbehave' Pass
// STATISTICS-NEXT: (S) 2 functions seen
// STATISTICS-NEXT: 'example-anywhere' Pass
// STATISTICS-NEXT: (S) 2 in builtin.module
// STATISTICS-NEXT: 'example-misbehave' Pass
// STATISTICS-NEXT: (S) 2 functions seen
// MERGED: 'example-misbehave' Pass
// MERGED-NEXT: (S) 4 functions seen

// REMARKS: reports.mlir:[[# @LINE + 3]]:1: remark: [example-misbehave] seen
// REMARKS-NEXT: func.func @f
// REMARKS-NEXT: {{^\^}}
func.func @f() { return }
func.func @g() { return }
