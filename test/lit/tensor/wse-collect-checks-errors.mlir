// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-collect-checks))' --verify-diagnostics

func.func private @inner(%a: i1) {
  // expected-error @+1 {{an assertion in a private function cannot be reported}}
  cf.assert %a, "no"
  return
}
