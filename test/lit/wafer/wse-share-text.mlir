// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-share-text)' | filecheck %s --check-prefix=FITS
// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-share-text{always=true},wse-plan-memory)' | filecheck %s --check-prefix=SHARED

// The program fits as it is: no marks are left. Where calls are made, they cost a branch each way, and the text of the
// second one is its record and the two jumps: 40 and 16 bytes for the first, 16 and 16 for the second.
// FITS-NOT: wse.enters
// SHARED: #[[ONCE:map[0-9]*]] = affine_map<() -> (1)>
// SHARED: "wse.control"() {count = #[[ONCE]], {{.*}}wse.enters = "shared_0"
// SHARED: "wse.control"() {count = #[[ONCE]], {{.*}}wse.leaves = "shared_0"
// SHARED: "wse.control"() {count = #[[ONCE]], {{.*}}wse.enters = "shared_0"
// SHARED: "wse.control"() {count = #[[ONCE]], {{.*}}wse.leaves = "shared_0"
// SHARED: "wse.pe_class"(){{.*}}wse.code_bytes = 88
"wse.program"() {sym_name = "program", machine = "tiny", grid = [1, 1], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "a", type = memref<4xf32>, offset = -1 : i64} : () -> ()
"wse.buffer"() {sym_name = "b", type = memref<4xf32>, offset = -1 : i64} : () -> ()
func.func @body(%x: index, %y: index) {
  %a = "wse.get_buffer"() {buffer = @a} : () -> memref<4xf32>
  %b = "wse.get_buffer"() {buffer = @b} : () -> memref<4xf32>
  "wse.control"() {unit = "branch", count = affine_map<() -> (0)>, operandSegmentSizes = array<i32: 0>, wse.enters = "shared_0", wse.record = 0 : i64} : () -> ()
  "wse.vector"(%a, %x, %y) {kind = "fill", bounds = [affine_map<()[s0, s1] -> (4)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], scalars = [1.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<4xf32>, index, index) -> ()
  "wse.control"() {unit = "branch", count = affine_map<() -> (0)>, operandSegmentSizes = array<i32: 0>, wse.leaves = "shared_0"} : () -> ()
  "wse.control"() {unit = "branch", count = affine_map<() -> (0)>, operandSegmentSizes = array<i32: 0>, wse.enters = "shared_0", wse.record = 16 : i64} : () -> ()
  "wse.vector"(%b, %x, %y) {kind = "fill", bounds = [affine_map<()[s0, s1] -> (4)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], scalars = [1.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<4xf32>, index, index) -> ()
  "wse.control"() {unit = "branch", count = affine_map<() -> (0)>, operandSegmentSizes = array<i32: 0>, wse.leaves = "shared_0"} : () -> ()
  return
}
"wse.pe_class"() {sym_name = "all", where = #wse.strided_rect<0 : i64, 0 : i64, 1 : i64, 1 : i64, 1 : i64, 1 : i64>, body = @body} : () -> ()

// -----

// 160 B of text and 44,916 B of data are more than the 45,056 B that there are; 96 and 24 B of text fit.
// FITS: #[[ONE:map[0-9]*]] = affine_map<() -> (1)>
// FITS: "wse.buffer"() {{.*}}sym_name = "large"
// FITS: "wse.control"() {count = #[[ONE]], {{.*}}wse.enters = "shared_0"
// FITS: "wse.control"() {count = #[[ONE]], {{.*}}wse.leaves = "shared_0"
"wse.program"() {sym_name = "program", machine = "tiny", grid = [1, 1], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "large", type = memref<11229xf32>, offset = -1 : i64} : () -> ()
func.func @body(%x: index, %y: index) {
  %a = "wse.get_buffer"() {buffer = @large} : () -> memref<11229xf32>
  "wse.control"() {unit = "branch", count = affine_map<() -> (0)>, operandSegmentSizes = array<i32: 0>, wse.enters = "shared_0", wse.record = 0 : i64} : () -> ()
  "wse.vector"(%a, %x, %y) {kind = "fill", bounds = [affine_map<()[s0, s1] -> (4)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], scalars = [1.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<11229xf32>, index, index) -> ()
  "wse.vector"(%a, %x, %y) {kind = "fill", bounds = [affine_map<()[s0, s1] -> (4)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], scalars = [2.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<11229xf32>, index, index) -> ()
  "wse.control"() {unit = "branch", count = affine_map<() -> (0)>, operandSegmentSizes = array<i32: 0>, wse.leaves = "shared_0"} : () -> ()
  "wse.control"() {unit = "branch", count = affine_map<() -> (0)>, operandSegmentSizes = array<i32: 0>, wse.enters = "shared_0", wse.record = 8 : i64} : () -> ()
  "wse.vector"(%a, %x, %y) {kind = "fill", bounds = [affine_map<()[s0, s1] -> (3)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], scalars = [1.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<11229xf32>, index, index) -> ()
  "wse.vector"(%a, %x, %y) {kind = "fill", bounds = [affine_map<()[s0, s1] -> (3)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], scalars = [2.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<11229xf32>, index, index) -> ()
  "wse.control"() {unit = "branch", count = affine_map<() -> (0)>, operandSegmentSizes = array<i32: 0>, wse.leaves = "shared_0"} : () -> ()
  return
}
"wse.pe_class"() {sym_name = "all", where = #wse.strided_rect<0 : i64, 0 : i64, 1 : i64, 1 : i64, 1 : i64, 1 : i64>, body = @body} : () -> ()
