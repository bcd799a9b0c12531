// RUN: wse-opt %s --split-input-file --verify-diagnostics

// A phase has a name.
func.func @phase(%x: index, %y: index) {
  // expected-error @+1 {{'wse.phase' op expects a label}}
  "wse.phase"() {label = ""} : () -> ()
  return
}

// -----

// Buffers are memrefs.
func.func @get(%x: index, %y: index) {
  // expected-error @+1 {{has result 'result' of tensor<4xf32>; expected !builtin.memref}}
  %0 = "wse.get_buffer"() {buffer = @b} : () -> tensor<4xf32>
  return
}

// -----

// PEs know a fixed set of operations.
func.func @kind(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has unknown kind 'conv'; expected one of 'fill', 'copy'}}
  "wse.vector"(%a, %a) {kind = "conv", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], scalars = [unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<4xf32>, memref<4xf32>) -> ()
  return
}

// -----

// Loops run in one of three ways.
func.func @schedule(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has unknown schedule 'fast'; expected one of 'mapped', 'looped', 'scalar'}}
  "wse.vector"(%a, %a) {kind = "exp", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], scalars = [unit], schedule = "fast", operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<4xf32>, memref<4xf32>) -> ()
  return
}

// -----

// Some PEs compute the same, this one among them.
func.func @copies(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has wse.copies = 0 : i64; expected how many PEs compute the same, an integer of 1 or more}}
  "wse.vector"(%a, %a) {kind = "exp", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], scalars = [unit], schedule = "mapped", wse.copies = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<4xf32>, memref<4xf32>) -> ()
  return
}

// -----

// A kind has a number of sources.
func.func @arity(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has 1 sources; expected 2 for 'add'}}
  "wse.vector"(%a, %a) {kind = "add", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], scalars = [unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<4xf32>, memref<4xf32>) -> ()
  return
}

// -----

// A source is a memref or a number, not both.
func.func @both(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has a memref for source 0; expected none, as its entry in scalars says}}
  "wse.vector"(%a, %a) {kind = "exp", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], scalars = [1.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<4xf32>, memref<4xf32>) -> ()
  return
}

// -----

// Nor neither.
func.func @neither(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has no memref for source 1; expected one, as its entry in scalars says}}
  "wse.vector"(%a, %a) {kind = "add", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], scalars = [unit, unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<4xf32>, memref<4xf32>) -> ()
  return
}

// -----

// Immediates are numbers.
func.func @immediate(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has scalar "one"; expected 'unit' for a memref, or a number}}
  "wse.vector"(%a) {kind = "fill", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>], scalars = ["one"], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 0>} : (memref<4xf32>) -> ()
  return
}

// -----

// An access per memref.
func.func @maps(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has 1 maps; expected 2, one per memref}}
  "wse.vector"(%a, %a) {kind = "exp", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>], scalars = [unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<4xf32>, memref<4xf32>) -> ()
  return
}

// -----

// A dimension per bound.
func.func @dims(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has 2 dimensions in map 0 (d0, d1) -> (d0); expected 1, one per bound}}
  "wse.vector"(%a) {kind = "fill", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i, j) -> (i)>], scalars = [0.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 0>} : (memref<4xf32>) -> ()
  return
}

// -----

// A result per index.
func.func @results(%x: index, %y: index, %a: memref<4x4xf32>) {
  // expected-error @+1 {{has 1 results in map 0 (d0) -> (d0); expected 2, the memref's rank}}
  "wse.vector"(%a) {kind = "fill", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>], scalars = [0.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 0>} : (memref<4x4xf32>) -> ()
  return
}

// -----

// A symbol per symbol operand.
func.func @symbols(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has 0 symbols in map 0 (d0) -> (d0); expected 2, one per symbol operand}}
  "wse.vector"(%a, %x, %y) {kind = "fill", bounds = [affine_map<()[x, y] -> (4)>], maps = [affine_map<(i) -> (i)>], scalars = [0.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 2>} : (memref<4xf32>, index, index) -> ()
  return
}

// -----

// Bounds do not depend on loops.
func.func @bounds(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has dimensions in bounds: (d0) -> (d0); expected symbols only}}
  "wse.vector"(%a) {kind = "fill", bounds = [affine_map<(i) -> (i)>], maps = [affine_map<(i) -> (i)>], scalars = [0.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 0>} : (memref<4xf32>) -> ()
  return
}

// -----

// A bound has a value.
func.func @no_bound(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has a map without results in bounds; expected at least one}}
  "wse.vector"(%a) {kind = "fill", bounds = [affine_map<() -> ()>], maps = [affine_map<(i) -> (i)>], scalars = [0.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 0>} : (memref<4xf32>) -> ()
  return
}

// -----

// Descriptors have constant strides: no division of a loop index.
func.func @divided(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{divides a loop index in map 0: d0 floordiv 2; expected indices with constant strides}}
  "wse.vector"(%a) {kind = "fill", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i floordiv 2)>], scalars = [0.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 0>} : (memref<4xf32>) -> ()
  return
}

// -----

// Nor one multiplied by a coordinate.
func.func @semi_affine(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{is not affine in map 0: d0 * s0; expected a constant factor or divisor}}
  "wse.vector"(%a, %x) {kind = "fill", bounds = [affine_map<()[x] -> (4)>], maps = [affine_map<(i)[x] -> (i * x)>], scalars = [0.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 0, 0, 0, 1>} : (memref<4xf32>, index) -> ()
  return
}

// -----

// Types are converted explicitly.
func.func @types(%x: index, %y: index, %a: memref<4xf32>, %b: memref<4xf16>) {
  // expected-error @+1 {{reads f16 for 'exp' on f32; expected f32 (use 'convert')}}
  "wse.vector"(%a, %b) {kind = "exp", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], scalars = [unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<4xf32>, memref<4xf16>) -> ()
  return
}

// -----

// Except that sums widen narrow floats, and conversion converts; narrowing by a sum is refused.
func.func @widening(%x: index, %y: index, %a: memref<4xf32>, %b: memref<4xf16>) {
  "wse.vector"(%a, %b) {kind = "convert", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], scalars = [unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<4xf32>, memref<4xf16>) -> ()
  "wse.vector"(%a, %b, %b) {kind = "fma", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (0)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], scalars = [unit, unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (memref<4xf32>, memref<4xf16>, memref<4xf16>) -> ()
  // expected-error @+1 {{reads f32 for 'add' on f16; expected f16}}
  "wse.vector"(%b, %a, %b) {kind = "add", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], scalars = [unit, unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (memref<4xf16>, memref<4xf32>, memref<4xf16>) -> ()
  return
}

// -----

// Comparisons give i1.
func.func @comparison(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{writes f32; expected i1 from a comparison}}
  "wse.vector"(%a, %a, %a) {kind = "lt", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], scalars = [unit, unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (memref<4xf32>, memref<4xf32>, memref<4xf32>) -> ()
  return
}

// -----

// Selection asks an i1.
func.func @selection(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{expects a condition of i1}}
  "wse.vector"(%a, %a) {kind = "select", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], scalars = [unit, 0.0 : f32, 1.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<4xf32>, memref<4xf32>) -> ()
  return
}

// -----

// Only some kinds accumulate over a loop that the destination's access does not use.
func.func @overwrites(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{writes the same element in every step of loop 0, which 'exp' cannot}}
  "wse.vector"(%a, %a) {kind = "exp", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (0)>, affine_map<(i) -> (i)>], scalars = [unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<4xf32>, memref<4xf32>) -> ()
  return
}

// -----

// They then read what they wrote.
func.func @accumulates(%x: index, %y: index, %a: memref<4xf32>, %b: memref<4xf32>) {
  // expected-error @+1 {{accumulates over loop 0; expected the destination as first source, with the same map}}
  "wse.vector"(%a, %b, %a) {kind = "add", bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (0)>, affine_map<(i) -> (0)>, affine_map<(i) -> (i)>], scalars = [unit, unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (memref<4xf32>, memref<4xf32>, memref<4xf32>) -> ()
  return
}

// -----

// PEs hold elements of known types.
func.func @element(%x: index, %y: index, %a: memref<4xindex>) {
  // expected-error @+1 {{has a memref of element type index; expected one of}}
  "wse.send"(%a) {colour = @c, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, thread = 0, packed = 1, operandSegmentSizes = array<i32: 1, 0>} : (memref<4xindex>) -> ()
  return
}

// -----

// Threads are numbered from 0.
func.func @thread(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has thread -1; expected 0 (main) or a microthread, 1 and up}}
  "wse.send"(%a) {colour = @c, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, thread = -1, packed = 1, operandSegmentSizes = array<i32: 1, 0>} : (memref<4xf32>) -> ()
  return
}

// -----

// The source is an operand of its own.
func.func @segments(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{requires attribute 'operandSegmentSizes': the number of values for source, symbols}}
  "wse.send"(%a) {colour = @c, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, thread = 0, packed = 1} : (memref<4xf32>) -> ()
  return
}

// -----

// Segments cover the operands.
func.func @segment_sum(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has 1 operands; expected 2}}
  "wse.send"(%a) {colour = @c, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, thread = 0, packed = 1, operandSegmentSizes = array<i32: 1, 1>} : (memref<4xf32>) -> ()
  return
}

// -----

// What arrives is stored or combined.
func.func @combine(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has unknown combine 'sub'; expected one of 'store', 'add', 'mul', 'max', 'min'}}
  "wse.receive"(%a) {colour = @c, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, combine = "sub", thread = 0, operandSegmentSizes = array<i32: 1, 0>} : (memref<4xf32>) -> ()
  return
}

// -----

// Nothing to combine with.
func.func @relay_store(%x: index, %y: index) {
  // expected-error @+1 {{combines by 'add' without 'own'; expected 'store'}}
  "wse.relay"() {receive = @c, send = @d, bounds = [affine_map<() -> (4)>], maps = [], combine = "add", thread = 0, operandSegmentSizes = array<i32: 0, 0, 0>} : () -> ()
  return
}

// -----

// Something given must be used.
func.func @relay_own(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has 'own', but combines by 'store', which ignores it}}
  "wse.relay"(%a) {receive = @c, send = @d, bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>], combine = "store", thread = 0, operandSegmentSizes = array<i32: 1, 0, 0>} : (memref<4xf32>) -> ()
  return
}

// -----

// One access each for what is given.
func.func @relay_maps(%x: index, %y: index, %a: memref<4xf32>) {
  // expected-error @+1 {{has 1 maps; expected 2, for own and destination as far as given}}
  "wse.relay"(%a, %a) {receive = @c, send = @d, bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>], combine = "add", thread = 0, operandSegmentSizes = array<i32: 1, 1, 0>} : (memref<4xf32>, memref<4xf32>) -> ()
  return
}

// -----

// A stream has one element type.
func.func @relay_types(%x: index, %y: index, %a: memref<4xf32>, %b: memref<4xf16>) {
  // expected-error @+1 {{mixes element types: f16, f32}}
  "wse.relay"(%a, %b) {receive = @c, send = @d, bounds = [affine_map<() -> (4)>], maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], combine = "add", thread = 0, operandSegmentSizes = array<i32: 1, 1, 0>} : (memref<4xf32>, memref<4xf16>) -> ()
  return
}

// -----

// Joining needs something to wait for.
func.func @join_nothing(%x: index, %y: index) {
  // expected-error @+1 {{expects at least one thread}}
  "wse.join"() {threads = [], tasks = 0} : () -> ()
  return
}

// -----

// The main thread is not waited for.
func.func @join_main(%x: index, %y: index) {
  // expected-error @+1 {{expects microthreads (1 and up), got (0, 1)}}
  "wse.join"() {threads = [0, 1], tasks = 0} : () -> ()
  return
}

// -----

// Once is enough.
func.func @join_twice(%x: index, %y: index) {
  // expected-error @+1 {{names a thread twice: (1, 1)}}
  "wse.join"() {threads = [1, 1], tasks = 0} : () -> ()
  return
}

// -----

// Tasks or none.
func.func @join_tasks(%x: index, %y: index) {
  // expected-error @+1 {{expects tasks to be 0 or 1, got 2}}
  "wse.join"() {threads = [1], tasks = 2} : () -> ()
  return
}

// -----

// Packed or not.
func.func @send_packed(%x: index, %y: index, %a: memref<4xf16>) {
  // expected-error @+1 {{expects packed to be 0 or 1, got 16}}
  "wse.send"(%a) {colour = @c, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, thread = 0, packed = 16, operandSegmentSizes = array<i32: 1, 0>} : (memref<4xf16>) -> ()
  return
}

// -----

// Scalar code is charged by units that a machine knows.
func.func @control_unit(%x: index, %y: index) {
  // expected-error @+1 {{has unknown unit 'coffee'; expected one of 'task', 'branch', 'library_call', 'descriptor', 'scalar'}}
  "wse.control"() {unit = "coffee", count = affine_map<() -> (1)>, operandSegmentSizes = array<i32: 0>} : () -> ()
  return
}

// -----

// One number of them.
func.func @control_count(%x: index, %y: index) {
  // expected-error @+1 {{has count () -> (1, 2); expected a map of the symbols with one result}}
  "wse.control"() {unit = "task", count = affine_map<() -> (1, 2)>, operandSegmentSizes = array<i32: 0>} : () -> ()
  return
}

// -----

// A setting is a number too.
func.func @switch_position(%x: index, %y: index) {
  // expected-error @+1 {{has 1 symbols in position ()[s0] -> (s0); expected 2, one per symbol operand}}
  "wse.switch"(%x, %y) {colour = @c, position = affine_map<()[x] -> (x)>, rewrite = 0, operandSegmentSizes = array<i32: 2>} : (index, index) -> ()
  return
}

// -----

// Written or switched to.
func.func @switch_rewrite(%x: index, %y: index) {
  // expected-error @+1 {{expects rewrite to be 0 or 1, got -1}}
  "wse.switch"() {colour = @c, position = affine_map<() -> (0)>, rewrite = -1, operandSegmentSizes = array<i32: 0>} : () -> ()
  return
}

// -----

// Tables are looked up by index.
func.func @lookup(%x: index, %y: index, %f: f32) {
  // expected-error @+1 {{has operand 'index' of f32; expected !builtin.index}}
  %0 = "wse.lookup"(%f) {table = @t} : (f32) -> index
  return
}

// -----

// Positions go forward.
func.func @indexed_stride(%x: index, %y: index, %t: memref<8xf32>, %n: memref<4xi32>) {
  // expected-error @+1 {{has stride 0; expected 1 and up, elements from one position to the next}}
  %0 = "wse.indexed"(%t, %n) {map = affine_map<(i) -> (i)>, size = affine_map<() -> (4)>, origin = affine_map<() -> (0)>, stride = 0, partial = 0, operandSegmentSizes = array<i32: 1, 1, 0>} : (memref<8xf32>, memref<4xi32>) -> memref<8xf32>
  return
}

// -----

// Numbers are integers.
func.func @indexed_numbers(%x: index, %y: index, %t: memref<8xf32>, %n: memref<4xf16>) {
  // expected-error @+1 {{is moved by numbers of f16; expected one of i8, i16, i32, i64}}
  %0 = "wse.indexed"(%t, %n) {map = affine_map<(i) -> (i)>, size = affine_map<() -> (4)>, origin = affine_map<() -> (0)>, stride = 1, partial = 0, operandSegmentSizes = array<i32: 1, 1, 0>} : (memref<8xf32>, memref<4xf16>) -> memref<8xf32>
  return
}

// -----

// A number is an element.
func.func @indexed_map(%x: index, %y: index, %t: memref<8xf32>, %n: memref<4xi32>) {
  // expected-error @+1 {{has 2 results in map (d0) -> (d0, 0); expected 1}}
  %0 = "wse.indexed"(%t, %n) {map = affine_map<(i) -> (i, 0)>, size = affine_map<() -> (4)>, origin = affine_map<() -> (0)>, stride = 1, partial = 0, operandSegmentSizes = array<i32: 1, 1, 0>} : (memref<8xf32>, memref<4xi32>) -> memref<8xf32>
  return
}

// -----

// Sizes are those of the PE, not of an iteration.
func.func @indexed_size(%x: index, %y: index, %t: memref<8xf32>, %n: memref<4xi32>) {
  // expected-error @+1 {{has dimensions in size: (d0) -> (d0); expected symbols only}}
  %0 = "wse.indexed"(%t, %n) {map = affine_map<(i) -> (i)>, size = affine_map<(i) -> (i)>, origin = affine_map<() -> (0)>, stride = 1, partial = 0, operandSegmentSizes = array<i32: 1, 1, 0>} : (memref<8xf32>, memref<4xi32>) -> memref<8xf32>
  return
}

// -----

// One origin.
func.func @indexed_origin(%x: index, %y: index, %t: memref<8xf32>, %n: memref<4xi32>) {
  // expected-error @+1 {{has origin () -> (0, 1); expected a map of the symbols with one result}}
  %0 = "wse.indexed"(%t, %n) {map = affine_map<(i) -> (i)>, size = affine_map<() -> (4)>, origin = affine_map<() -> (0, 1)>, stride = 1, partial = 0, operandSegmentSizes = array<i32: 1, 1, 0>} : (memref<8xf32>, memref<4xi32>) -> memref<8xf32>
  return
}

// -----

// All or some of the positions.
func.func @indexed_partial(%x: index, %y: index, %t: memref<8xf32>, %n: memref<4xi32>) {
  // expected-error @+1 {{expects partial to be 0 or 1, got 2}}
  %0 = "wse.indexed"(%t, %n) {map = affine_map<(i) -> (i)>, size = affine_map<() -> (4)>, origin = affine_map<() -> (0)>, stride = 1, partial = 2, operandSegmentSizes = array<i32: 1, 1, 0>} : (memref<8xf32>, memref<4xi32>) -> memref<8xf32>
  return
}

// -----

// What is moved stays what it is.
func.func @indexed_result(%x: index, %y: index, %t: memref<8xf32>, %n: memref<4xi32>) {
  // expected-error @+1 {{gives memref<4xf32> of a buffer of memref<8xf32>}}
  %0 = "wse.indexed"(%t, %n) {map = affine_map<(i) -> (i)>, size = affine_map<() -> (4)>, origin = affine_map<() -> (0)>, stride = 1, partial = 0, operandSegmentSizes = array<i32: 1, 1, 0>} : (memref<8xf32>, memref<4xi32>) -> memref<4xf32>
  return
}

// -----

// Numbers are where they are.
func.func @indexed_twice(%x: index, %y: index, %t: memref<8xf32>, %n: memref<4xi32>) {
  %0 = "wse.indexed"(%n, %n) {map = affine_map<(i) -> (i)>, size = affine_map<() -> (4)>, origin = affine_map<() -> (0)>, stride = 1, partial = 0, operandSegmentSizes = array<i32: 1, 1, 0>} : (memref<4xi32>, memref<4xi32>) -> memref<4xi32>
  // expected-error @+1 {{takes a buffer that numbers in memory move; expected one as it is (gather it first)}}
  %1 = "wse.indexed"(%t, %0) {map = affine_map<(i) -> (i)>, size = affine_map<() -> (4)>, origin = affine_map<() -> (0)>, stride = 1, partial = 0, operandSegmentSizes = array<i32: 1, 1, 0>} : (memref<8xf32>, memref<4xi32>) -> memref<8xf32>
  return
}

// -----

// What is sent is where it is.
func.func @indexed_send(%x: index, %y: index, %t: memref<8xf32>, %n: memref<4xi32>) {
  %0 = "wse.indexed"(%t, %n) {map = affine_map<(i) -> (i)>, size = affine_map<() -> (4)>, origin = affine_map<() -> (0)>, stride = 1, partial = 0, operandSegmentSizes = array<i32: 1, 1, 0>} : (memref<8xf32>, memref<4xi32>) -> memref<8xf32>
  // expected-error @+1 {{takes a buffer that numbers in memory move; expected one as it is (gather it first)}}
  "wse.send"(%0) {colour = @c, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, thread = 0, packed = 1, operandSegmentSizes = array<i32: 1, 0>} : (memref<8xf32>) -> ()
  return
}

// -----

// A number for each iteration of the operation.
func.func @indexed_loops(%x: index, %y: index, %t: memref<8xf32>, %n: memref<4xi32>) {
  %0 = "wse.indexed"(%t, %n) {map = affine_map<(i) -> (i)>, size = affine_map<() -> (4)>, origin = affine_map<() -> (0)>, stride = 1, partial = 0, operandSegmentSizes = array<i32: 1, 1, 0>} : (memref<8xf32>, memref<4xi32>) -> memref<8xf32>
  // expected-error @+1 {{has an operand whose numbers take 1 loops; expected 2, one per bound}}
  "wse.vector"(%t, %0) {kind = "copy", bounds = [affine_map<() -> (2)>, affine_map<() -> (2)>], maps = [affine_map<(i, j) -> (i * 2 + j)>, affine_map<(i, j) -> (0)>], scalars = [unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<8xf32>, memref<8xf32>) -> ()
  return
}

// -----

// A sum of what is scattered reads where it writes.
func.func @indexed_accumulation(%x: index, %y: index, %t: memref<8xf32>, %n: memref<4xi32>) {
  %0 = "wse.indexed"(%t, %n) {map = affine_map<(i, j) -> (i)>, size = affine_map<() -> (4)>, origin = affine_map<() -> (0)>, stride = 1, partial = 0, operandSegmentSizes = array<i32: 1, 1, 0>} : (memref<8xf32>, memref<4xi32>) -> memref<8xf32>
  %1 = "wse.indexed"(%t, %n) {map = affine_map<(i, j) -> (i)>, size = affine_map<() -> (4)>, origin = affine_map<() -> (0)>, stride = 2, partial = 0, operandSegmentSizes = array<i32: 1, 1, 0>} : (memref<8xf32>, memref<4xi32>) -> memref<8xf32>
  // expected-error @+1 {{accumulates over loop 1; expected the destination as first source, with the same map}}
  "wse.vector"(%0, %1, %t) {kind = "add", bounds = [affine_map<() -> (2)>, affine_map<() -> (2)>], maps = [affine_map<(i, j) -> (0)>, affine_map<(i, j) -> (0)>, affine_map<(i, j) -> (j)>], scalars = [unit, unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (memref<8xf32>, memref<8xf32>, memref<8xf32>) -> ()
  return
}
