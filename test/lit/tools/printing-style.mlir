// RUN: wse-opt %s --mlir-print-debuginfo | filecheck %s --check-prefix=DEBUG
// RUN: wse-opt --mlir-print-debuginfo < %s | filecheck %s --check-prefix=STDIN
// RUN: wse-opt %s --mlir-pretty-debuginfo | filecheck %s --check-prefix=PRETTY
// RUN: wse-opt %s -mlir-print-op-generic | filecheck %s --check-prefix=GENERIC
// RUN: wse-opt %s --mlir-print-local-scope --mlir-print-debuginfo | filecheck %s --check-prefix=LOCAL
// RUN: wse-opt %s --mlir-print-skip-regions | filecheck %s --check-prefix=SKIP
// RUN: wse-opt %s --mlir-elide-elementsattrs-if-larger=4 | filecheck %s --check-prefix=ELIDE
// RUN: wse-opt %s --mlir-elide-resource-strings-if-larger=4 | filecheck %s --check-prefix=RESOURCE

// DEBUG: arith.constant {{.*}} loc(#
// DEBUG: #{{loc[0-9]*}} = loc("{{.*}}printing-style.mlir":[[# @LINE + 18]]:8)
// STDIN: loc("<stdin>":
// PRETTY: arith.constant dense<{{.*}}printing-style.mlir:
// GENERIC: "func.func"()
// GENERIC: "arith.constant"() <{value = dense
// LOCAL-NOT: #loc
// LOCAL: loc("{{.*}}printing-style.mlir":
// SKIP: module {...}
// ELIDE: dense_resource<__elided__> : tensor<5xi32>
// ELIDE: dense<[1, 2]>
// ELIDE: "0x04000000
// RESOURCE: dense<[1, 2, 3, 4, 5]>
// RESOURCE: dense_resource<blob>
// RESOURCE-NOT: 0x04000000

func.func @large() {
  %0 = arith.constant dense<[1, 2, 3, 4, 5]> : tensor<5xi32>
  %1 = arith.constant dense<[1, 2]> : tensor<2xi32>
  %2 = arith.constant dense_resource<blob> : tensor<1xf32>
  return
}
{-#
  dialect_resources: { builtin: { blob: "0x040000000000803F" } }
#-}
