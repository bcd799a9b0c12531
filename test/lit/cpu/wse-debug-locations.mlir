// RUN: wse-opt %s --wse-debug-locations --mlir-print-debuginfo | filecheck %s

// An operation gets the first place with a line of its provenance; what is generated lies at line 0 of the
// function's file, and the function where its first operation with a line does.
// CHECK-LABEL: llvm.func @main
// CHECK: llvm.fadd {{.*}} loc([[ADD:#loc[0-9]*]])
// CHECK: llvm.fmul {{.*}} loc([[MUL:#loc[0-9]*]])
// CHECK: llvm.fsub {{.*}} loc([[NOWHERE:#loc[0-9]*]])
// CHECK: llvm.return {{.*}} loc([[NOWHERE]])
// CHECK: } loc([[ADD]])
llvm.func @main(%x: f32) -> f32 {
  %0 = llvm.fadd %x, %x : f32 loc(fused<"aten.add">["first"("/home/me/model.py":12:0)])
  %1 = llvm.fmul %0, %x : f32 loc(fused[fused<"aten.relu">["0"], fused<"aten.mul">["second"("/home/me/blocks.py":7:0)]])
  %2 = llvm.fsub %1, %x : f32 loc(fused<"aten.sub">["third"])
  llvm.return %2 : f32 loc(unknown)
} loc(unknown)

// A function without any line takes the file of the module.
// CHECK-LABEL: llvm.func @wrapper
// CHECK: llvm.call @main{{.*}} loc([[NOWHERE]])
// CHECK: } loc([[ADD]])
llvm.func @wrapper(%x: f32) -> f32 {
  %0 = llvm.call @main(%x) : (f32) -> f32 loc(unknown)
  llvm.return %0 : f32 loc(unknown)
} loc(unknown)

// Declarations have no body to look at.
// CHECK: llvm.func @malloc(i64) -> !llvm.ptr loc([[ADD]])
llvm.func @malloc(i64) -> !llvm.ptr loc(unknown)

// CHECK-DAG: [[ADD]] = loc("/home/me/model.py":12:0)
// CHECK-DAG: [[MUL]] = loc("/home/me/blocks.py":7:0)
// CHECK-DAG: [[NOWHERE]] = loc("/home/me/model.py":0:0)
