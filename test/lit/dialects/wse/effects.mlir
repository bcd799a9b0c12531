// RUN: wse-opt %s --pass-pipeline='builtin.module(canonicalize,cse,symbol-dce)' | filecheck %s
// RUN: wse-opt %s --pass-pipeline='builtin.module(canonicalize,cse,symbol-dce)' | wse-opt --pass-pipeline='builtin.module(inline,loop-invariant-code-motion,canonicalize)' | filecheck %s

"wse.program"() {sym_name = "p", machine = "tiny", grid = [2, 1], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()

// Symbols stay, used or not: what a program consists of is not for generic passes to decide.
// CHECK: "wse.buffer"() {{.*}}sym_name = "b"
"wse.buffer"() {sym_name = "b", type = memref<4xf32>, offset = 0} : () -> ()
// CHECK: "wse.buffer"() {{.*}}sym_name = "unused"
"wse.buffer"() {sym_name = "unused", type = memref<4xf32>, offset = 16} : () -> ()
// CHECK: "wse.colour"() {{.*}}sym_name = "c"
"wse.colour"() {sym_name = "c", id = 0, position = 0, input_queue = -1, output_queue = -1} : () -> ()
// CHECK-COUNT-2: "wse.pe_class"
"wse.pe_class"() {sym_name = "first", where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, body = @body} : () -> ()
"wse.pe_class"() {sym_name = "second", where = #wse.strided_rect<1, 0, 1, 1, 1, 1>, body = @body} : () -> ()

// A private function that a class names is kept, and nothing in it is removed, merged or reordered, though equal
// operations follow each other. Only reading a buffer's address twice is pure.
// CHECK: func.func private @body
// CHECK: "wse.phase"() {label = "one"}
// CHECK-NEXT: %[[B:.*]] = "wse.get_buffer"
// CHECK-NEXT: "wse.vector"(%[[B]], %[[B]])
// CHECK-NEXT: "wse.vector"(%[[B]], %[[B]])
// CHECK-NEXT: "wse.send"(%[[B]])
// CHECK-NEXT: "wse.send"(%[[B]])
// CHECK-NEXT: "wse.receive"(%[[B]])
// CHECK-NEXT: "wse.relay"
// CHECK-NEXT: "wse.relay"
// CHECK-NEXT: "wse.join"
// CHECK-NEXT: "wse.join"
// CHECK-NEXT: "wse.phase"() {label = "one"}
// CHECK-NEXT: scf.for
// CHECK-NEXT: "wse.vector"
// CHECK-NEXT: }
// CHECK-NEXT: return
func.func private @body(%x: index, %y: index) {
  "wse.phase"() {label = "one"} : () -> ()
  %a = "wse.get_buffer"() {buffer = @b} : () -> memref<4xf32>
  %b = "wse.get_buffer"() {buffer = @b} : () -> memref<4xf32>
  "wse.vector"(%a, %b) {kind = "exp", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], scalars = [unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<4xf32>, memref<4xf32>) -> ()
  "wse.vector"(%a, %b) {kind = "exp", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], scalars = [unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<4xf32>, memref<4xf32>) -> ()
  "wse.send"(%a) {colour = @c, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, thread = 1, packed = 1, operandSegmentSizes = array<i32: 1, 0>} : (memref<4xf32>) -> ()
  "wse.send"(%a) {colour = @c, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, thread = 1, packed = 1, operandSegmentSizes = array<i32: 1, 0>} : (memref<4xf32>) -> ()
  "wse.receive"(%a) {colour = @c, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, combine = "store", thread = 0, operandSegmentSizes = array<i32: 1, 0>} : (memref<4xf32>) -> ()
  "wse.relay"() {receive = @c, send = @c, bounds = [affine_map<() -> (4)>], maps = [], combine = "store", thread = 0, operandSegmentSizes = array<i32: 0, 0, 0>} : () -> ()
  "wse.relay"() {receive = @c, send = @c, bounds = [affine_map<() -> (4)>], maps = [], combine = "store", thread = 0, operandSegmentSizes = array<i32: 0, 0, 0>} : () -> ()
  "wse.join"() {threads = [1], tasks = 0} : () -> ()
  "wse.join"() {threads = [1], tasks = 0} : () -> ()
  "wse.phase"() {label = "one"} : () -> ()
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  scf.for %i = %zero to %x step %one {
    "wse.vector"(%a, %b) {kind = "exp", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], scalars = [unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<4xf32>, memref<4xf32>) -> ()
  }
  return
}

// Communication on tensors has no effect but its value: unused, it goes; twice the same, it is done once.
// CHECK-LABEL: func.func @logical
// CHECK-NEXT: "wse.scatter"
// CHECK-NEXT: return
func.func @logical(%t: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %0 = "wse.scatter"(%t) {layout = #wse.layout<"[x:2/4] on x:2; y:1 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  %1 = "wse.scatter"(%t) {layout = #wse.layout<"[x:2/4] on x:2; y:1 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  %2 = "wse.all_reduce"(%1) {axis = "y", kind = "add", algorithm = "", layout = #wse.layout<"[x:2/4] on x:2; y:1 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return %0, %1 : tensor<8xf32>, tensor<8xf32>
}
