// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-route)' | filecheck %s

// Colours in use get numbers, others go. On a line of three, PE 1 relays what PE 2 sends; PE 0 takes it.
// CHECK: "wse.colour"() {id = 0 : i64, {{.*}}sym_name = "x_low0"
// CHECK-NEXT: "wse.route"() {colour = @x_low0, {{.*}}receive = "ramp", send = ["west"], where = #wse.strided_rect<2 : i64, 0 : i64, 1 : i64, 1 : i64
// CHECK-NEXT: "wse.route"() {colour = @x_low0, {{.*}}receive = "east", send = ["ramp"], where = #wse.strided_rect<1 : i64, 0 : i64, 1 : i64, 1 : i64
// CHECK-NEXT: "wse.colour"() {id = 1 : i64, {{.*}}sym_name = "x_low1"
// CHECK-NEXT: "wse.route"() {colour = @x_low1, {{.*}}receive = "ramp", send = ["west"], where = #wse.strided_rect<1 : i64, 0 : i64, 1 : i64, 1 : i64
// CHECK-NEXT: "wse.route"() {colour = @x_low1, {{.*}}receive = "east", send = ["ramp"], where = #wse.strided_rect<0 : i64, 0 : i64, 1 : i64, 1 : i64
// CHECK-NOT: x_cast
"wse.program"() {sym_name = "program", machine = "tiny", grid = [3, 1], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "a", type = memref<4xf32>, offset = -1 : i64} : () -> ()
"wse.colour"() {sym_name = "x_low0", id = -1, position = 0, input_queue = -1, output_queue = -1 : i64, wse.line = "x", wse.towards = "low", wse.parity = 0 : i64} : () -> ()
"wse.colour"() {sym_name = "x_low1", id = -1, position = 0, input_queue = -1, output_queue = -1 : i64, wse.line = "x", wse.towards = "low", wse.parity = 1 : i64} : () -> ()
"wse.colour"() {sym_name = "x_cast", id = -1, position = 0, input_queue = -1, output_queue = -1 : i64, wse.line = "x", wse.towards = "all", wse.parity = 0 : i64} : () -> ()
func.func @inner(%x: index, %y: index) {
  %a = "wse.get_buffer"() {buffer = @a} : () -> memref<4xf32>
  "wse.relay"(%a, %x, %y) {receive = @x_low0, send = @x_low1, bounds = [affine_map<()[s0, s1] -> (4)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], combine = "add", thread = 0 : i64, operandSegmentSizes = array<i32: 1, 0, 2>} : (memref<4xf32>, index, index) -> ()
  return
}
"wse.pe_class"() {sym_name = "odd", where = #wse.strided_rect<1 : i64, 0 : i64, 1 : i64, 1 : i64, 1 : i64, 1 : i64>, body = @inner} : () -> ()

// -----

// A multicast turns off to the core everywhere but at its root.
// CHECK: receive = "ramp", send = ["south"], where = #wse.strided_rect<0 : i64, 0 : i64, 2 : i64, 1 : i64
// CHECK-NEXT: receive = "north", send = ["ramp", "south"], where = #wse.strided_rect<0 : i64, 1 : i64, 2 : i64, 2 : i64
// CHECK-NEXT: receive = "north", send = ["ramp"], where = #wse.strided_rect<0 : i64, 3 : i64, 2 : i64, 1 : i64
"wse.program"() {sym_name = "program", machine = "tiny", grid = [2, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "a", type = memref<4xf32>, offset = -1 : i64} : () -> ()
"wse.colour"() {sym_name = "y_cast", id = -1, position = 0, input_queue = -1, output_queue = -1 : i64, wse.line = "y", wse.towards = "all", wse.parity = 0 : i64} : () -> ()
func.func @last(%x: index, %y: index) {
  %a = "wse.get_buffer"() {buffer = @a} : () -> memref<4xf32>
  "wse.receive"(%a, %x, %y) {colour = @y_cast, bounds = [affine_map<()[s0, s1] -> (4)>], map = affine_map<(d0)[s0, s1] -> (d0)>, combine = "store", thread = 0 : i64, operandSegmentSizes = array<i32: 1, 2>} : (memref<4xf32>, index, index) -> ()
  return
}
"wse.pe_class"() {sym_name = "tail", where = #wse.strided_rect<0 : i64, 3 : i64, 2 : i64, 1 : i64, 1 : i64, 1 : i64>, body = @last} : () -> ()
