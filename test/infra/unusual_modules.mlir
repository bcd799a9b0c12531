// Modules that few people write, each below a line with its name: every pass has to take them, or to refuse them in
// one sentence. Most are valid for every pass and of use to none.

// ===== empty
module {}

// ===== nested modules
module @outer { module @inner { func.func @main() { return } } module {} }

// ===== declaration
func.func private @main(tensor<4xf32>) -> tensor<4xf32>

// ===== declared buffers
func.func private @other(memref<?xf32>, memref<*xf32>)
func.func @main() { return }

// ===== no main
func.func @f(%a: tensor<4xf32>) -> tensor<4xf32> { return %a : tensor<4xf32> }

// ===== two results are one
func.func @main(%a: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) { return %a, %a : tensor<4xf32>, tensor<4xf32> }

// ===== private main
func.func private @main(%a: tensor<4xf32>) -> tensor<4xf32> { return %a : tensor<4xf32> }

// ===== main is a module
module @main { func.func @f() { return } }

// ===== main is a global
memref.global @main : memref<4xf32> = dense<0.0>

// ===== buffers inside
func.func @main(%a: memref<2xmemref<4xf32>>) { return }

// ===== scalable
func.func @main(%a: vector<[4]xf32>, %m: memref<?xf32>, %i: index) -> vector<[4]xf32> {
  %0 = arith.addf %a, %a : vector<[4]xf32>
  %1 = math.exp %0 : vector<[4]xf32>
  vector.store %1, %m[%i] : memref<?xf32>, vector<[4]xf32>
  return %1 : vector<[4]xf32>
}

// ===== vectors of two dimensions
func.func @main(%a: vector<4x8xf16>) -> vector<4x8xf32> {
  %0 = arith.extf %a : vector<4x8xf16> to vector<4x8xf32>
  %1 = math.tanh %0 : vector<4x8xf32>
  return %1 : vector<4x8xf32>
}

// ===== vector without dimensions
func.func @main(%a: vector<f16>) -> vector<f32> {
  %0 = arith.extf %a : vector<f16> to vector<f32>
  %1 = math.erf %0 : vector<f32>
  return %1 : vector<f32>
}

// ===== unranked tensor
func.func @main(%a: tensor<*xf32>) -> tensor<*xf32> {
  %0 = math.exp %a : tensor<*xf32>
  return %0 : tensor<*xf32>
}

// ===== unranked buffer
func.func @main(%a: memref<*xf32>, %b: memref<*xf32>) -> memref<*xf32> {
  memref.copy %a, %b : memref<*xf32> to memref<*xf32>
  return %b : memref<*xf32>
}

// ===== buffer result
func.func @main(%n: index) -> (memref<4xf32>, memref<?xf32>) {
  %0 = memref.alloc() : memref<4xf32>
  %1 = memref.alloc(%n) : memref<?xf32>
  return %0, %1 : memref<4xf32>, memref<?xf32>
}

// ===== buffer freed
func.func @main(%c: i1) {
  %0 = memref.alloc() : memref<0xf32>
  %1 = memref.alloca() : memref<4x0xi8>
  cf.cond_br %c, ^a, ^b
^a:
  memref.dealloc %0 : memref<0xf32>
  return
^b:
  return
}

// ===== blocks
func.func @main(%c: i1, %a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  cf.cond_br %c, ^x(%a : tensor<4xf32>), ^x(%b : tensor<4xf32>)
^x(%r: tensor<4xf32>):
  return %r : tensor<4xf32>
}

// ===== endless
func.func @main() {
  cf.br ^a
^a:
  cf.br ^a
}

// ===== unreachable
func.func @main() {
  return
^a:
  %0 = arith.constant 1.0 : f32
  %1 = math.exp %0 : f32
  cf.br ^a
}

// ===== recursive
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = call @main(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// ===== recursive in turn
func.func @main(%a: memref<4xf32>) {
  call @other(%a) : (memref<4xf32>) -> ()
  return
}
func.func @other(%a: memref<4xf32>) {
  call @main(%a) : (memref<4xf32>) -> ()
  return
}

// ===== calls of tensors
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = call @other(%a) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = call @declared(%0) : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
func.func private @declared(tensor<4xf32>) -> tensor<4xf32>
func.func private @other(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = math.tanh %a : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// ===== called by value
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  %f = constant @other : (tensor<4xf32>) -> tensor<4xf32>
  %0 = call_indirect %f(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
func.func private @other(%a: tensor<4xf32>) -> tensor<4xf32> { return %a : tensor<4xf32> }

// ===== loops
func.func @main(%n: index, %a: tensor<4xf32>, %c: i1) -> (tensor<4xf32>, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%s = %a) -> (tensor<4xf32>) {
    %t = scf.if %c -> (tensor<4xf32>) {
      scf.yield %s : tensor<4xf32>
    } else {
      scf.yield %a : tensor<4xf32>
    }
    scf.yield %t : tensor<4xf32>
  }
  %1 = scf.while (%k = %n) : (index) -> index {
    %more = arith.cmpi sgt, %k, %c0 : index
    scf.condition(%more) %k : index
  } do {
  ^bb0(%k: index):
    %less = arith.subi %k, %c1 : index
    scf.yield %less : index
  }
  return %0, %1 : tensor<4xf32>, index
}

// ===== loops without end
func.func @main(%m: memref<4xf32>) {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %x = arith.constant 1.0 : f32
  scf.for %i = %c0 to %c4 step %c0 {
    memref.store %x, %m[%i] : memref<4xf32>
  }
  scf.for %i = %c4 to %c0 step %c4 { }
  scf.parallel (%i) = (%c0) to (%c4) step (%c4) { scf.reduce }
  affine.for %i = 0 to 4 { affine.store %x, %m[%i] : memref<4xf32> }
  return
}

// ===== loops over wide integers
func.func @main(%a: i64, %b: i64, %c: i64, %x: f32) -> f32 {
  %0 = scf.for %i = %a to %b step %c iter_args(%s = %x) -> (f32) : i64 {
    %t = arith.addf %s, %x : f32
    scf.yield %t : f32
  }
  return %0 : f32
}

// ===== scf.forall
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = scf.forall (%i) in (4) shared_outs(%s = %a) -> (tensor<4xf32>) {
    %t = tensor.extract_slice %a[%i] [1] [1] : tensor<4xf32> to tensor<1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %t into %s[%i] [1] [1] : tensor<1xf32> into tensor<4xf32>
    }
  }
  return %0 : tensor<4xf32>
}

// ===== tensors of every kind
func.func @main(%n: index, %a: tensor<4x4xf32>, %i: tensor<2x1xi64>) -> tensor<?x?xf32> {
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %g = tensor.generate %n { ^bb0(%x: index, %y: index):
    %z = arith.constant 0.0 : f32
    tensor.yield %z : f32 } : tensor<?x4xf32>
  %c = tensor.concat dim(0) %e, %g : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %z = arith.constant 0.0 : f32
  %p = tensor.pad %c low[%n, 1] high[0, %n] { ^bb0(%x: index, %y: index): tensor.yield %z : f32 }
    : tensor<?x4xf32> to tensor<?x?xf32>
  %f = tensor.from_elements %z, %z : tensor<2xf32>
  %s = tensor.splat %z : tensor<4xf32>
  return %p : tensor<?x?xf32>
}

// ===== gathered
func.func @main(%a: tensor<4x4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%e : tensor<4xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %x = tensor.extract %a[%i, %i] : tensor<4x4xf32>
    linalg.yield %x : f32
  } -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// ===== odd maps
func.func @main(%a: tensor<9xf32>, %b: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i floordiv 2 + j mod 3)>, affine_map<(i, j) -> (j, i)>],
      iterator_types = ["parallel", "parallel"]} ins(%a : tensor<9xf32>) outs(%b : tensor<4x4xf32>) {
  ^bb0(%x: f32, %o: f32):
    %s = arith.addf %x, %o : f32
    linalg.yield %s : f32
  } -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// ===== named operations of buffers
func.func @main(%a: memref<4x4xf32>, %b: memref<4xf32>, %x: f32, %i: memref<1x8x8x3xf32>, %k: memref<3x3x3x2xf32>,
                %o: memref<1x6x6x2xf32>) {
  linalg.fill ins(%x : f32) outs(%a : memref<4x4xf32>)
  linalg.transpose ins(%a : memref<4x4xf32>) outs(%a : memref<4x4xf32>) permutation = [1, 0]
  linalg.reduce { arith.addf } ins(%a : memref<4x4xf32>) outs(%b : memref<4xf32>) dimensions = [1]
  linalg.broadcast ins(%b : memref<4xf32>) outs(%a : memref<4x4xf32>) dimensions = [0]
  linalg.map { math.exp } ins(%b : memref<4xf32>) outs(%b : memref<4xf32>)
  linalg.conv_2d_nhwc_hwcf ins(%i, %k : memref<1x8x8x3xf32>, memref<3x3x3x2xf32>) outs(%o : memref<1x6x6x2xf32>)
  return
}

// ===== tensors read buffers
func.func @main(%m: memref<4xf32>) -> tensor<4xf32> {
  %t = bufferization.to_tensor %m restrict : memref<4xf32> to tensor<4xf32>
  %0 = bufferization.alloc_tensor() copy(%t) : tensor<4xf32>
  %1 = math.exp %0 : tensor<4xf32>
  bufferization.materialize_in_destination %1 in restrict writable %m : (tensor<4xf32>, memref<4xf32>) -> ()
  return %1 : tensor<4xf32>
}

// ===== tokens
func.func @main(%t: !async.token) -> !async.value<f32> {
  %token, %value = async.execute [%t] -> !async.value<f32> {
    %x = arith.constant 0.0 : f32
    async.yield %x : f32
  }
  return %value : !async.value<f32>
}

// ===== gpu module
module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @kernel(%a: memref<4xf32>) kernel {
      %i = gpu.thread_id x
      %x = memref.load %a[%i] : memref<4xf32>
      gpu.return
    }
    func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> { return %a : tensor<4xf32> }
  }
  func.func @main(%a: memref<4xf32>) {
    %c1 = arith.constant 1 : index
    gpu.launch_func @kernels::@kernel blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%a : memref<4xf32>)
    return
  }
}

// ===== llvm
llvm.mlir.global internal constant @text("abc\00")
llvm.func @puts(!llvm.ptr) -> i32
llvm.func @main(%p: !llvm.ptr, %n: i64) -> f32 attributes {llvm.emit_c_interface} {
  %t = llvm.mlir.addressof @text : !llvm.ptr
  %r = llvm.call @puts(%t) : (!llvm.ptr) -> i32
  %q = llvm.getelementptr %p[%n] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  %v = llvm.load %q : !llvm.ptr -> vector<4xf32>
  %x = llvm.mlir.constant(1.0 : f32) : f32
  llvm.br ^bb1
^bb1:
  llvm.return %x : f32
}

// ===== half lowered
func.func @main(%p: !llvm.ptr, %n: i64) -> memref<?xf32> {
  %0 = llvm.mlir.poison : !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>
  %1 = builtin.unrealized_conversion_cast %0
    : !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)> to memref<?xf32>
  return %1 : memref<?xf32>
}

// ===== globals
memref.global "private" constant @weights : memref<2x2xf32> = dense<[[0.0, 1.0], [0x7FC00000, 3.0]]>
memref.global "private" @state : memref<4xf32> = uninitialized
func.func @main() -> f32 {
  %w = memref.get_global @weights : memref<2x2xf32>
  %s = memref.get_global @state : memref<4xf32>
  %c0 = arith.constant 0 : index
  %x = memref.load %w[%c0, %c0] : memref<2x2xf32>
  memref.store %x, %s[%c0] : memref<4xf32>
  return %x : f32
}

// ===== constants
func.func @main() -> (tensor<2xf32>, tensor<2xi1>, tensor<0xf16>, tensor<2xcomplex<f32>>, tensor<!llvm.ptr>) {
  %0 = arith.constant dense_resource<elsewhere> : tensor<2xf32>
  %1 = arith.constant dense<[true, false]> : tensor<2xi1>
  %2 = arith.constant dense<> : tensor<0xf16>
  %3 = arith.constant dense<(1.0, 2.0)> : tensor<2xcomplex<f32>>
  %4 = ub.poison : tensor<!llvm.ptr>
  return %0, %1, %2, %3, %4 : tensor<2xf32>, tensor<2xi1>, tensor<0xf16>, tensor<2xcomplex<f32>>, tensor<!llvm.ptr>
}

// ===== large constants
func.func @main() -> (tensor<100000x100000xf32>, tensor<64x64xbf16>) {
  %0 = arith.constant dense<1.0> : tensor<100000x100000xf32>
  %1 = arith.constant dense<1.0> : tensor<64x64xbf16>
  return %0, %1 : tensor<100000x100000xf32>, tensor<64x64xbf16>
}

// ===== odd attributes
module attributes {wse.machine = 3, wse.stage = "none", dlti.dl_spec = #dlti.dl_spec<index = 32 : i64>} {
  func.func @main(%a: tensor<4xf32> {wse.kind = "parameter", wse.name = "w", bufferization.writable = false})
      -> (tensor<4xf32> {wse.kind = "state", wse.name = "none"}) attributes {wse.kernel, wse.rows = -1} {
    %0 = math.exp %a {wse.iterators = 3, wse.layouts = "x"} : tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}

// ===== operations that nobody knows
"unknown.top"() ({ ^bb0(%x: !unknown.type<"a">): "unknown.end"()[^bb1] : () -> () ^bb1: "unknown.end"() : () -> () }) {a = #unknown.b} : () -> ()
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0:2 = "unknown.op"(%a) ({ "unknown.inner"(%a) : (tensor<4xf32>) -> () }) : (tensor<4xf32>) -> (tensor<4xf32>, !unknown.t)
  return %0#0 : tensor<4xf32>
}

// ===== no graph of functions
%0 = arith.constant 1.0 : f32
%1 = math.exp %0 : f32
%2 = tensor.empty() : tensor<4xf32>
%3 = linalg.fill ins(%1 : f32) outs(%2 : tensor<4xf32>) -> tensor<4xf32>

// ===== regions of other dialects
shape.function_library @library { shape.func @f(%s: !shape.shape) -> !shape.shape { shape.return %s : !shape.shape } } mapping {}
ml_program.global private mutable @g(dense<0.0> : tensor<4xf32>) : tensor<4xf32>
ml_program.func @main(%a: tensor<4xf32>) -> tensor<4xf32> { ml_program.return %a : tensor<4xf32> }
emitc.func @e(%x: i32) { emitc.return }
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%r: !transform.any_op) { transform.yield }
}
pdl.pattern : benefit(1) { %o = pdl.operation "a.b"  pdl.rewrite %o { erase %o } }

// ===== torch
func.func @main(%a: !torch.vtensor<[4],f32>) -> !torch.vtensor<[4],f32> {
  %0 = torch.aten.tanh %a : !torch.vtensor<[4],f32> -> !torch.vtensor<[4],f32>
  return %0 : !torch.vtensor<[4],f32>
}

// ===== stablehlo
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.tanh %a : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// ===== tosa
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tosa.tanh %a : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
