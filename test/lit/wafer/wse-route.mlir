// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-route)' --mlir-print-local-scope | filecheck %s

// Colours in use get numbers and queues, others go. Of two with the same routes, of which every PE is done with the first
// before it begins with the second, the second becomes the first; one that overlaps stays, and has another queue.
// CHECK: "wse.colour"() {id = 0 : i64, input_queue = 1 : i64, output_queue = 1 : i64, position = 0 : i64, sym_name = "first"
// CHECK-NEXT: "wse.route"() {colour = @first
// CHECK-NEXT: "wse.route"() {colour = @first
// CHECK-NOT: @second
// CHECK: "wse.colour"() {id = 1 : i64, input_queue = 0 : i64, output_queue = 0 : i64, position = 0 : i64, sym_name = "beside"
// CHECK-NOT: sym_name = "unused"
// CHECK: func.func @left
// CHECK: "wse.send"{{.*}}colour = @first
// CHECK: "wse.send"{{.*}}colour = @beside
// CHECK: "wse.send"{{.*}}colour = @first
"wse.program"() {sym_name = "program", machine = "tiny", grid = [2, 1], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "a", type = memref<8xf32>, offset = -1 : i64} : () -> ()
"wse.colour"() {sym_name = "first", id = -1, position = 0, input_queue = -1, output_queue = -1} : () -> ()
"wse.route"() {colour = @first, where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, receive = "ramp", send = ["east"], position = 0} : () -> ()
"wse.route"() {colour = @first, where = #wse.strided_rect<1, 0, 1, 1, 1, 1>, receive = "west", send = ["ramp"], position = 0} : () -> ()
"wse.colour"() {sym_name = "second", id = -1, position = 0, input_queue = -1, output_queue = -1} : () -> ()
"wse.route"() {colour = @second, where = #wse.strided_rect<1, 0, 1, 1, 1, 1>, receive = "west", send = ["ramp"], position = 0} : () -> ()
"wse.route"() {colour = @second, where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, receive = "ramp", send = ["east"], position = 0} : () -> ()
"wse.colour"() {sym_name = "beside", id = -1, position = 0, input_queue = -1, output_queue = -1} : () -> ()
"wse.route"() {colour = @beside, where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, receive = "ramp", send = ["east"], position = 0} : () -> ()
"wse.route"() {colour = @beside, where = #wse.strided_rect<1, 0, 1, 1, 1, 1>, receive = "west", send = ["ramp"], position = 0} : () -> ()
"wse.colour"() {sym_name = "unused", id = -1, position = 0, input_queue = -1, output_queue = -1} : () -> ()
func.func @left(%x: index, %y: index) {
  %a = "wse.get_buffer"() {buffer = @a} : () -> memref<8xf32>
  "wse.send"(%a) {colour = @first, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, thread = 1, packed = 1, operandSegmentSizes = array<i32: 1, 0>} : (memref<8xf32>) -> ()
  "wse.send"(%a) {colour = @beside, bounds = [affine_map<() -> (8)>], map = affine_map<(i) -> (i)>, thread = 2, packed = 1, operandSegmentSizes = array<i32: 1, 0>} : (memref<8xf32>) -> ()
  "wse.join"() {threads = [1, 2], tasks = 0} : () -> ()
  "wse.send"(%a) {colour = @second, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, thread = 0, packed = 1, operandSegmentSizes = array<i32: 1, 0>} : (memref<8xf32>) -> ()
  return
}
func.func @right(%x: index, %y: index) {
  %a = "wse.get_buffer"() {buffer = @a} : () -> memref<8xf32>
  "wse.receive"(%a) {colour = @first, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, combine = "store", thread = 1, operandSegmentSizes = array<i32: 1, 0>} : (memref<8xf32>) -> ()
  "wse.receive"(%a) {colour = @beside, bounds = [affine_map<() -> (8)>], map = affine_map<(i) -> (i)>, combine = "store", thread = 2, operandSegmentSizes = array<i32: 1, 0>} : (memref<8xf32>) -> ()
  "wse.join"() {threads = [1, 2], tasks = 0} : () -> ()
  "wse.receive"(%a) {colour = @second, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, combine = "store", thread = 0, operandSegmentSizes = array<i32: 1, 0>} : (memref<8xf32>) -> ()
  return
}
"wse.pe_class"() {sym_name = "west", where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, body = @left} : () -> ()
"wse.pe_class"() {sym_name = "east", where = #wse.strided_rect<1, 0, 1, 1, 1, 1>, body = @right} : () -> ()
