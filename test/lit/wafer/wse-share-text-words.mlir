// RUN: wse-opt %s --pass-pipeline='builtin.module(wse-share-text,wse-plan-memory)' | filecheck %s

// 144 B of text with a record of whole descriptors are more than the 140 B that 44,916 B of data leave; where the routine
// sets a word, its text is 16 B longer, and the second call's record 30 B shorter.
// CHECK: "wse.control"() {{.*}}wse.enters = "shared_0", wse.record = 0 : i64}
// CHECK-NEXT: "wse.control"() {{.*}}unit = "scalar", wse.record = 8 : i64}
// CHECK: "wse.control"() {{.*}}wse.enters = "shared_0", wse.record = 2 : i64}
// CHECK-NEXT: "wse.control"() {{.*}}unit = "scalar"}
// CHECK-NOT: wse.words
// CHECK: "wse.pe_class"(){{.*}}wse.code_bytes = 130
"wse.program"() {sym_name = "program", machine = "tiny", grid = [1, 1], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "large", type = memref<11229xf32>, offset = -1 : i64} : () -> ()
func.func @body(%x: index, %y: index) {
  %a = "wse.get_buffer"() {buffer = @large} : () -> memref<11229xf32>
  "wse.control"() {unit = "branch", count = affine_map<() -> (0)>, operandSegmentSizes = array<i32: 0>, wse.enters = "shared_0", wse.record = 0 : i64, wse.words = [16, 1]} : () -> ()
  "wse.vector"(%a, %x, %y) {kind = "fill", bounds = [affine_map<()[s0, s1] -> (4)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], scalars = [1.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<11229xf32>, index, index) -> ()
  "wse.vector"(%a, %x, %y) {kind = "fill", bounds = [affine_map<()[s0, s1] -> (4)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], scalars = [2.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<11229xf32>, index, index) -> ()
  "wse.control"() {unit = "branch", count = affine_map<() -> (0)>, operandSegmentSizes = array<i32: 0>, wse.leaves = "shared_0"} : () -> ()
  "wse.control"() {unit = "branch", count = affine_map<() -> (0)>, operandSegmentSizes = array<i32: 0>, wse.enters = "shared_0", wse.record = 32 : i64, wse.words = [2, 1]} : () -> ()
  "wse.vector"(%a, %x, %y) {kind = "fill", bounds = [affine_map<()[s0, s1] -> (3)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], scalars = [1.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<11229xf32>, index, index) -> ()
  "wse.vector"(%a, %x, %y) {kind = "fill", bounds = [affine_map<()[s0, s1] -> (3)>], maps = [affine_map<(d0)[s0, s1] -> (d0)>], scalars = [2.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<11229xf32>, index, index) -> ()
  "wse.control"() {unit = "branch", count = affine_map<() -> (0)>, operandSegmentSizes = array<i32: 0>, wse.leaves = "shared_0"} : () -> ()
  return
}
"wse.pe_class"() {sym_name = "all", where = #wse.strided_rect<0 : i64, 0 : i64, 1 : i64, 1 : i64, 1 : i64, 1 : i64>, body = @body} : () -> ()
