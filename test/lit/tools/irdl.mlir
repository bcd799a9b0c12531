// RUN: wse-opt %s --irdl-file=%S/Inputs/cmath.irdl -split-input-file -verify-diagnostics
// RUN: wse-opt --dump-irdl | filecheck %s --check-prefix=DUMP
// RUN: not wse-opt %s --irdl-file=%S/Inputs/missing.irdl 2>&1 | filecheck %s --check-prefix=MISSING
// RUN: not wse-opt %s --irdl-file=%s 2>&1 | filecheck %s --check-prefix=INVALID

// A dialect that exists only as IRDL is known, and its constraints are verified.
func.func @norm(%z: !cmath.complex<f32>) -> f32 {
  %n = "cmath.norm"(%z) : (!cmath.complex<f32>) -> f32
  return %n : f32
}

// -----

func.func @mismatch(%z: !cmath.complex<f32>) -> f64 {
  // expected-error @+1 {{expected 'f32' but got 'f64'}}
  %n = "cmath.norm"(%z) : (!cmath.complex<f32>) -> f64
  return %n : f64
}

// Ours is exported for other tools.
// DUMP: irdl.dialect @wse
// MISSING: error: cannot open IRDL file '{{.*}}missing.irdl': No such file or directory
// INVALID: error: IRDL file '{{.*}}irdl.mlir':
