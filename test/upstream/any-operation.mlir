// A pass that any(...) brings to an operation that it does not run on says so, whether it is upstream's or of this project.
// RUN: mlir-opt %s --no-implicit-module -split-input-file -verify-diagnostics --pass-pipeline='any(affine-parallelize)'
// RUN: mlir-opt %s --no-implicit-module -split-input-file -verify-diagnostics --pass-pipeline='any(wse-fuse)'
// RUN: mlir-opt --help-hidden | FileCheck %s
// CHECK: -p - Alias for --pass-pipeline

func.func @runs() {
  return
}

// -----

// expected-error @below {{op trying to schedule pass}}
module {}
