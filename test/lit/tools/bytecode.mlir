// RUN: wse-opt %s --emit-bytecode -o %t.mlirbc
// RUN: wse-opt %t.mlirbc --cse | filecheck %s
// RUN: wse-opt --emit-bytecode < %s | wse-opt | filecheck %s
// RUN: wse-opt %s --verify-roundtrip | filecheck %s
// RUN: not wse-opt %t.mlirbc --split-input-file 2>&1 | filecheck %s --check-prefix=SPLIT

// Bytecode goes out and comes back in, through files and through pipes.
// CHECK: func.func @f(%arg0: tensor<4xf32>)
// SPLIT: error: --split-input-file needs text, the input is bytecode
func.func @f(%a: tensor<4xf32>) -> tensor<4xf32> { return %a : tensor<4xf32> }
