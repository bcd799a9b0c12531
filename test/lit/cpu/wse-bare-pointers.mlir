// RUN: wse-opt %s --wse-bare-pointers | filecheck %s
// RUN: wse-opt %s --pass-pipeline='builtin.module(wse-bare-pointers,finalize-memref-to-llvm,convert-func-to-llvm,reconcile-unrealized-casts)' | filecheck %s --check-prefix=LLVM

// A buffer of known sizes is a pointer, whatever its strides and its rank; scalars stay.
// CHECK: func.func private @known({{.*}}) attributes {llvm.bareptr}
// LLVM: llvm.func @known(%{{[^:]*}}: !llvm.ptr, %{{[^:]*}}: !llvm.ptr, %{{[^:]*}}: f32) attributes
func.func private @known(%a: memref<4x8xf32, strided<[16, 1], offset: 3>>, %b: memref<f32>, %c: f32) {
  return
}

// Its C interface is not needed: the function's own is one of pointers.
// CHECK: func.func @main({{.*}}) attributes {llvm.bareptr, llvm.emit_c_interface}
// LLVM: llvm.func @main(%{{[^:]*}}: !llvm.ptr, %{{[^:]*}}: !llvm.ptr, %{{[^:]*}}: f32) attributes
// LLVM-NOT: _mlir_ciface_main
// LLVM: llvm.call @known({{.*}}) : (!llvm.ptr, !llvm.ptr, f32) -> ()
func.func @main(%a: memref<4x8xf32, strided<[16, 1], offset: 3>>, %b: memref<f32>, %c: f32) attributes {llvm.emit_c_interface} {
  call @known(%a, %b, %c) : (memref<4x8xf32, strided<[16, 1], offset: 3>>, memref<f32>, f32) -> ()
  return
}

// Empty buffers, and functions without arguments, have a known layout as well.
// CHECK: func.func private @empty({{.*}}) attributes {llvm.bareptr}
// CHECK: func.func private @nothing() attributes {llvm.bareptr}
func.func private @empty(%a: memref<0x3xf32>) {
  return
}
func.func private @nothing() {
  return
}

// One open size, stride or offset is enough to need a descriptor.
// CHECK: func.func private @open_size(%{{[^:]*}}: memref<4xf32>, %{{[^:]*}}: memref<?xf32>) {
// CHECK: func.func private @open_stride(%{{.*}}>) {
// CHECK: func.func private @open_offset(%{{.*}}>) {
// LLVM: llvm.func @open_size(%{{[^:]*}}: !llvm.ptr, %{{[^:]*}}: !llvm.ptr, %{{[^:]*}}: i64, %
func.func private @open_size(%a: memref<4xf32>, %b: memref<?xf32>) {
  return
}
func.func private @open_stride(%a: memref<4x4xf32, strided<[?, 1]>>) {
  return
}
func.func private @open_offset(%a: memref<4xf32, strided<[1], offset: ?>>) {
  return
}

// A function that returns a buffer tells its layout, and one that is defined elsewhere is called as that expects.
// CHECK: func.func private @returns(%{{[^:]*}}: memref<4xf32>) -> memref<4xf32> {
// CHECK: func.func private @elsewhere(memref<4xf32>){{$}}
func.func private @returns(%a: memref<4xf32>) -> memref<4xf32> {
  return %a : memref<4xf32>
}
func.func private @elsewhere(memref<4xf32>)
