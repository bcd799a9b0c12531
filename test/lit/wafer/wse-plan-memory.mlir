// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-plan-memory)' | filecheck %s

// @a is dead when @c is written, so they share; @b lives with both; the gathered @c and the resident @w share with
// nothing that lives at the end or at all. Eight-byte elements are aligned.
// CHECK-DAG: "wse.buffer"() {offset = [[A:[0-9]+]] : i64, sym_name = "a"
// CHECK-DAG: "wse.buffer"() {offset = [[A]] : i64, sym_name = "c"
// CHECK-DAG: "wse.buffer"() {offset = {{[0-9]*[02468]}} : i64, sym_name = "d"
// CHECK: "wse.pe_class"(){{.*}}wse.code_bytes = 120
"wse.program"() {sym_name = "program", machine = "tiny", grid = [1, 1], origin = [0, 0], inputs = [tensor<4xf32>], input_names = ["w"], outputs = [tensor<4xf32>], output_names = ["out"]} : () -> ()
"wse.buffer"() {sym_name = "a", type = memref<4xf32>, offset = -1 : i64} : () -> ()
"wse.buffer"() {sym_name = "b", type = memref<4xf32>, offset = -1 : i64} : () -> ()
"wse.buffer"() {sym_name = "c", type = memref<4xf32>, offset = -1 : i64} : () -> ()
"wse.buffer"() {sym_name = "w", type = memref<4xf32>, offset = -1 : i64} : () -> ()
"wse.buffer"() {sym_name = "d", type = memref<1xf64>, offset = -1 : i64} : () -> ()
"wse.host_scatter"() {tensor = 0 : i64, buffer = @w, where = #wse.strided_rect<0 : i64, 0 : i64, 1 : i64, 1 : i64, 1 : i64, 1 : i64>, bounds = [affine_map<()[s0, s1] -> (4)>], origin = [affine_map<()[s0, s1] -> (0)>], access = affine_map<(d0)[s0, s1] -> (d0)>, symbols = [], resident = 1 : i64} : () -> ()
"wse.host_gather"() {tensor = 0 : i64, buffer = @c, where = #wse.strided_rect<0 : i64, 0 : i64, 1 : i64, 1 : i64, 1 : i64, 1 : i64>, bounds = [affine_map<()[s0, s1] -> (4)>], origin = [affine_map<()[s0, s1] -> (0)>], access = affine_map<(d0)[s0, s1] -> (d0)>, symbols = [], resident = 0 : i64} : () -> ()
func.func @body(%x: index, %y: index) {
  %a = "wse.get_buffer"() {buffer = @a} : () -> memref<4xf32>
  %b = "wse.get_buffer"() {buffer = @b} : () -> memref<4xf32>
  %c = "wse.get_buffer"() {buffer = @c} : () -> memref<4xf32>
  %w = "wse.get_buffer"() {buffer = @w} : () -> memref<4xf32>
  "wse.vector"(%a, %w, %x, %y) {kind = "neg", bounds = [affine_map<()[s0, s1] -> (4)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>, affine_map<(d0)[s0, s1] -> (d0)>], scalars = [unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 2>} : (memref<4xf32>, memref<4xf32>, index, index) -> ()
  "wse.vector"(%b, %a, %x, %y) {kind = "exp", bounds = [affine_map<()[s0, s1] -> (4)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>, affine_map<(d0)[s0, s1] -> (d0)>], scalars = [unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 2>} : (memref<4xf32>, memref<4xf32>, index, index) -> ()
  "wse.vector"(%c, %b, %x, %y) {kind = "neg", bounds = [affine_map<()[s0, s1] -> (4)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>, affine_map<(d0)[s0, s1] -> (d0)>], scalars = [unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 2>} : (memref<4xf32>, memref<4xf32>, index, index) -> ()
  return
}
"wse.pe_class"() {sym_name = "all", where = #wse.strided_rect<0 : i64, 0 : i64, 1 : i64, 1 : i64, 1 : i64, 1 : i64>, body = @body} : () -> ()

// -----

// What a microthread sends is in use until it is joined: @q is written meanwhile and cannot share, @r comes after.
// CHECK: "wse.buffer"() {offset = [[P:[0-9]+]] : i64, sym_name = "p"
// CHECK-NOT: "wse.buffer"() {offset = [[P]] : i64, sym_name = "q"
// CHECK: "wse.buffer"() {offset = [[P]] : i64, sym_name = "r"
"wse.program"() {sym_name = "program", machine = "tiny", grid = [1, 1], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "p", type = memref<4xf32>, offset = -1 : i64} : () -> ()
"wse.buffer"() {sym_name = "q", type = memref<4xf32>, offset = -1 : i64} : () -> ()
"wse.buffer"() {sym_name = "r", type = memref<4xf32>, offset = -1 : i64} : () -> ()
"wse.colour"() {sym_name = "c", id = 0, position = 0, input_queue = -1, output_queue = -1} : () -> ()
func.func @body(%x: index, %y: index) {
  %p = "wse.get_buffer"() {buffer = @p} : () -> memref<4xf32>
  %q = "wse.get_buffer"() {buffer = @q} : () -> memref<4xf32>
  %r = "wse.get_buffer"() {buffer = @r} : () -> memref<4xf32>
  "wse.vector"(%p, %x, %y) {kind = "fill", bounds = [affine_map<()[s0, s1] -> (4)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], scalars = [1.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<4xf32>, index, index) -> ()
  "wse.send"(%p) {colour = @c, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, thread = 1, packed = 1, operandSegmentSizes = array<i32: 1, 0>} : (memref<4xf32>) -> ()
  "wse.vector"(%q, %x, %y) {kind = "fill", bounds = [affine_map<()[s0, s1] -> (4)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], scalars = [1.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<4xf32>, index, index) -> ()
  "wse.join"() {threads = [1], tasks = 0} : () -> ()
  "wse.vector"(%r, %x, %y) {kind = "fill", bounds = [affine_map<()[s0, s1] -> (4)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], scalars = [1.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<4xf32>, index, index) -> ()
  "wse.vector"(%q, %x, %y) {kind = "fill", bounds = [affine_map<()[s0, s1] -> (4)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], scalars = [1.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<4xf32>, index, index) -> ()
  return
}
"wse.pe_class"() {sym_name = "all", where = #wse.strided_rect<0 : i64, 0 : i64, 1 : i64, 1 : i64, 1 : i64, 1 : i64>, body = @body} : () -> ()
