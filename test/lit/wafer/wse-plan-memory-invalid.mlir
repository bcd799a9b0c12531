// RUN: wse-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(wse-plan-memory)'

// More than the 45,056 bytes that 'tiny' leaves to a program.
// expected-error @+1 {{the program does not fit the SRAM: 0 (parameters) + 48000 (activations and temporaries) + 40 (code) = 48040 B a PE > 45056 B (49152 less 4096 of the host-transfer runtime); largest buffers: @a 48000}}
"wse.program"() {sym_name = "program", machine = "tiny", grid = [1, 1], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "a", type = memref<12000xf32>, offset = -1 : i64} : () -> ()
func.func @body(%x: index, %y: index) {
  %a = "wse.get_buffer"() {buffer = @a} : () -> memref<12000xf32>
  "wse.vector"(%a, %x, %y) {kind = "fill", bounds = [affine_map<()[s0, s1] -> (12000)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], scalars = [0.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<12000xf32>, index, index) -> ()
  return
}
"wse.pe_class"() {sym_name = "all", where = #wse.strided_rect<0 : i64, 0 : i64, 1 : i64, 1 : i64, 1 : i64, 1 : i64>, body = @body} : () -> ()

// -----

// Tables are a class's own, and take memory too.
// expected-error @+1 {{0 (parameters) + 45040 (activations and temporaries) + 40 (code) + 2 (tables) = 45082 B a PE > 45056 B}}
"wse.program"() {sym_name = "program", machine = "tiny", grid = [1, 1], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "a", type = memref<11260xf32>, offset = -1 : i64} : () -> ()
"wse.table"() {sym_name = "t", values = [1, 2, 3]} : () -> ()
"wse.table"() {sym_name = "unused", values = [1, 2, 3, 4]} : () -> ()
func.func @body(%x: index, %y: index) {
  %a = "wse.get_buffer"() {buffer = @a} : () -> memref<11260xf32>
  %n = "wse.lookup"(%x) {table = @t} : (index) -> index
  "wse.vector"(%a, %x, %y, %n) {kind = "fill", bounds = [affine_map<()[s0, s1, s2] -> (s2)>], maps = [affine_map<(d0)[s0, s1, s2] -> (d0)>], scalars = [0.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 3>} : (memref<11260xf32>, index, index, index) -> ()
  return
}
"wse.pe_class"() {sym_name = "all", where = #wse.strided_rect<0 : i64, 0 : i64, 1 : i64, 1 : i64, 1 : i64, 1 : i64>, body = @body} : () -> ()
