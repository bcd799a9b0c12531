// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-partition{machine=wse3 grid=4x4 algorithm=mesh_gemm})' | filecheck %s
// RUN: not wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-partition{machine=wse3 algorithm=mesh_gemmm})' 2>&1 | filecheck %s --check-prefix=NAME
// RUN: not wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-partition{machine=wse3 algorithm=2mesh})' 2>&1 | filecheck %s --check-prefix=FORM

// NAME: no algorithm is named 'mesh_gemmm'
// NAME: did you mean 'mesh_gemm'?
// FORM: malformed algorithm '2mesh'

// A forced algorithm: the product carries it, and its operands, which nothing else reads, are scattered for it alone.
// CHECK-LABEL: func.func @main
// CHECK: %[[A:.*]] = "wse.scatter"(%arg0) {{.*}}<"[y:{{[0-9/]*}}, x:
// CHECK: %[[B:.*]] = "wse.scatter"(%arg1) {{.*}}<"[y:{{[0-9/]*}}, x:
// CHECK: linalg.generic {{.*}}"reduction"]} ins(%[[A]], %[[B]] {{.*}}wse.algorithm = "mesh_gemm", wse.layouts = [#wse.layout<"[y:{{[0-9/]*}}, x:{{[0-9/]*}}]
#lhs = affine_map<(d0, d1, d2) -> (d0, d2)>
#rhs = affine_map<(d0, d1, d2) -> (d2, d1)>
#out = affine_map<(d0, d1, d2) -> (d0, d1)>
func.func @main(%a: tensor<48x48xf16>, %b: tensor<48x48xf16>) -> tensor<48x48xf16> {
  %zero = arith.constant dense<0.0> : tensor<48x48xf16>
  %0 = linalg.generic {indexing_maps = [#lhs, #rhs, #out], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<48x48xf16>, tensor<48x48xf16>) outs(%zero : tensor<48x48xf16>) {
  ^bb0(%l: f16, %r: f16, %acc: f16):
    %p = arith.mulf %l, %r : f16
    %s = arith.addf %acc, %p : f16
    linalg.yield %s : f16
  } -> tensor<48x48xf16>
  return %0 : tensor<48x48xf16>
}

// -----

// What is no product is not concerned.
// CHECK-LABEL: func.func @main
// CHECK-NOT: wse.algorithm
#id = affine_map<(d0) -> (d0)>
func.func @main(%a: tensor<12xf32>) -> tensor<12xf32> {
  %empty = tensor.empty() : tensor<12xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%a : tensor<12xf32>) outs(%empty : tensor<12xf32>) {
  ^bb0(%l: f32, %o: f32):
    %s = arith.addf %l, %l : f32
    linalg.yield %s : f32
  } -> tensor<12xf32>
  return %0 : tensor<12xf32>
}
