// RUN: wse-opt %s --split-input-file --verify-diagnostics

// What is wrong between the symbols of a program is found by the program's verifier and located at the symbol.

// A class has a body.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
// expected-error @+1 {{'wse.pe_class' op names body '@f', which is no function of this module}}
"wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<0, 0, 2, 2, 1, 1>, body = @f} : () -> ()

// -----

// A body takes the PE's coordinates.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
// expected-error @+1 {{has body '@f' of type (index) -> (); expected (index, index) -> ()}}
"wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<0, 0, 2, 2, 1, 1>, body = @f} : () -> ()
func.func @f(%x: index) { return }

// -----

// A PE runs one program text: strides (0, 3, 6) and (2, 4, 6) meet at 6.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [8, 1], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.pe_class"() {sym_name = "a", where = #wse.strided_rect<0, 0, 3, 1, 3, 1>, body = @f} : () -> ()
// expected-error @+1 {{overlaps class '@a' at PE (6, 0); expected disjoint classes}}
"wse.pe_class"() {sym_name = "b", where = #wse.strided_rect<2, 0, 3, 1, 2, 1>, body = @f} : () -> ()
func.func @f(%x: index, %y: index) { return }

// -----

// Interleaved classes do not overlap, and may share a body.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [8, 1], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.pe_class"() {sym_name = "a", where = #wse.strided_rect<0, 0, 4, 1, 2, 1>, body = @f} : () -> ()
"wse.pe_class"() {sym_name = "b", where = #wse.strided_rect<1, 0, 4, 1, 2, 1>, body = @f} : () -> ()
func.func @f(%x: index, %y: index) { return }

// -----

// Everything is on the grid.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
// expected-error @+1 {{reaches PE (4, 0), outside the program's grid of 4 x 4}}
"wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<0, 0, 3, 1, 2, 1>, body = @f} : () -> ()
func.func @f(%x: index, %y: index) { return }

// -----

// A route is of a known colour.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.colour"() {sym_name = "red", id = -1, position = 0, input_queue = -1, output_queue = -1} : () -> ()
// expected-error @+1 {{names colour '@blue'; this module has 'red'}}
"wse.route"() {colour = @blue, where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, receive = "ramp", send = ["east"], position = 0} : () -> ()

// -----

// Two sources of one colour would make the order of wavelets a matter of chance.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.colour"() {sym_name = "c", id = -1, position = 0, input_queue = -1, output_queue = -1} : () -> ()
"wse.route"() {colour = @c, where = #wse.strided_rect<0, 0, 3, 1, 1, 1>, receive = "ramp", send = ["east"], position = 0} : () -> ()
"wse.route"() {colour = @c, where = #wse.strided_rect<0, 0, 3, 1, 1, 1>, receive = "west", send = ["east"], position = 1} : () -> ()
// expected-error @+1 {{receives colour '@c' from 'west' at PE (2, 0), where another route receives it from 'ramp'}}
"wse.route"() {colour = @c, where = #wse.strided_rect<2, 0, 2, 1, 1, 1>, receive = "west", send = ["ramp"], position = 0} : () -> ()

// -----

// A transfer's buffer exists.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [tensor<4xf32>], input_names = ["a"], outputs = [], output_names = []} : () -> ()
// expected-error @+1 {{names buffer '@b'; this module has none}}
"wse.host_scatter"() {tensor = 0, buffer = @b, where = #wse.strided_rect<0, 0, 4, 1, 1, 1>, bounds = [affine_map<()[x, y] -> (1)>], origin = [affine_map<()[x, y] -> (x)>], access = affine_map<(i)[x, y] -> (i)>, symbols = [], resident = 0} : () -> ()

// -----

// So does its tensor.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [tensor<4xf32>], input_names = ["a"], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "b", type = memref<1xf32>, offset = 0} : () -> ()
// expected-error @+1 {{moves output 0 of a program that has 0}}
"wse.host_gather"() {tensor = 0, buffer = @b, where = #wse.strided_rect<0, 0, 4, 1, 1, 1>, bounds = [affine_map<()[x, y] -> (1)>], origin = [affine_map<()[x, y] -> (x)>], access = affine_map<(i)[x, y] -> (i)>, symbols = [], resident = 0} : () -> ()

// -----

// Its rank fits.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [tensor<4x4xf32>], input_names = ["a"], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "b", type = memref<1xf32>, offset = 0} : () -> ()
// expected-error @+1 {{has 1 bounds for input 0 of rank 2}}
"wse.host_scatter"() {tensor = 0, buffer = @b, where = #wse.strided_rect<0, 0, 4, 1, 1, 1>, bounds = [affine_map<()[x, y] -> (1)>], origin = [affine_map<()[x, y] -> (x)>], access = affine_map<(i)[x, y] -> (i)>, symbols = [], resident = 0} : () -> ()

// -----

// The buffer's rank fits.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [tensor<4xf32>], input_names = ["a"], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "b", type = memref<1x1xf32>, offset = 0} : () -> ()
// expected-error @+1 {{has 1 access results for a buffer of rank 2}}
"wse.host_scatter"() {tensor = 0, buffer = @b, where = #wse.strided_rect<0, 0, 4, 1, 1, 1>, bounds = [affine_map<()[x, y] -> (1)>], origin = [affine_map<()[x, y] -> (x)>], access = affine_map<(i)[x, y] -> (i)>, symbols = [], resident = 0} : () -> ()

// -----

// Nothing is converted on the way.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [tensor<4xf32>], input_names = ["a"], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "b", type = memref<1xf16>, offset = 0} : () -> ()
// expected-error @+1 {{moves input 0 of f32 to or from a buffer of f16}}
"wse.host_scatter"() {tensor = 0, buffer = @b, where = #wse.strided_rect<0, 0, 4, 1, 1, 1>, bounds = [affine_map<()[x, y] -> (1)>], origin = [affine_map<()[x, y] -> (x)>], access = affine_map<(i)[x, y] -> (i)>, symbols = [], resident = 0} : () -> ()

// -----

// A body uses buffers of the program.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "b", type = memref<1xf16>, offset = 0} : () -> ()
"wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<0, 0, 2, 2, 1, 1>, body = @f} : () -> ()
func.func @f(%x: index, %y: index) {
  // expected-error @+1 {{names buffer '@a'; this module has 'b'}}
  %0 = "wse.get_buffer"() {buffer = @a} : () -> memref<1xf16>
  return
}

// -----

// As what they are.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "b", type = memref<1xf16>, offset = 0} : () -> ()
"wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<0, 0, 2, 2, 1, 1>, body = @f} : () -> ()
func.func @f(%x: index, %y: index) {
  // expected-error @+1 {{yields memref<1xf32>, but buffer '@b' is memref<1xf16>}}
  %0 = "wse.get_buffer"() {buffer = @b} : () -> memref<1xf32>
  return
}

// -----

// And its colours, also inside loops.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.colour"() {sym_name = "c", id = -1, position = 0, input_queue = -1, output_queue = -1} : () -> ()
"wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<0, 0, 2, 2, 1, 1>, body = @f} : () -> ()
func.func @f(%x: index, %y: index) {
  %one = arith.constant 1 : index
  scf.for %i = %one to %x step %one {
    // expected-error @+1 {{names colour '@d'; this module has 'c'}}
    "wse.relay"() {receive = @c, send = @d, bounds = [], maps = [], combine = "store", thread = 0, operandSegmentSizes = array<i32: 0, 0, 0>} : () -> ()
  }
  return
}

// -----

// A symbol that is wrong by itself is reported before what follows from it.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [tensor<4xf32>], input_names = ["a"], outputs = [], output_names = []} : () -> ()
// expected-error @+1 {{has offset 6; expected a multiple of 4 bytes}}
"wse.buffer"() {sym_name = "b", type = memref<1xf32>, offset = 6} : () -> ()
"wse.host_scatter"() {tensor = 0, buffer = @b, where = #wse.strided_rect<0, 0, 4, 1, 1, 1>, bounds = [affine_map<()[x, y] -> (1)>], origin = [affine_map<()[x, y] -> (x)>], access = affine_map<(i)[x, y] -> (i)>, symbols = [], resident = 0} : () -> ()

// -----

// A switch is of a known colour.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, body = @f} : () -> ()
func.func @f(%x: index, %y: index) {
  // expected-error @+1 {{names colour '@c'; this module has none}}
  "wse.switch"(%x) {colour = @c, position = affine_map<()[x] -> (x)>, rewrite = 0, operandSegmentSizes = array<i32: 1>} : (index) -> ()
  return
}

// -----

// A scalar is a known one.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [tensor<1xi32>], input_names = ["n"], outputs = [], output_names = []} : () -> ()
"wse.scalar"() {sym_name = "n", argument = 0, least = 1, most = 2} : () -> ()
"wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, body = @f} : () -> ()
func.func @f(%x: index, %y: index) {
  // expected-error @+1 {{names scalar '@m'; this module has 'n'}}
  %0 = "wse.get_scalar"() {scalar = @m} : () -> index
  return
}

// -----

// Of an input that there is.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
// expected-error @+1 {{is input 0 of a program that has 0}}
"wse.scalar"() {sym_name = "n", argument = 0, least = 1, most = 2} : () -> ()

// -----

// Of one integer.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [tensor<2xi32>], input_names = ["n"], outputs = [], output_names = []} : () -> ()
// expected-error @+1 {{is input 0, a tensor<2xi32>; expected a tensor of one integer}}
"wse.scalar"() {sym_name = "n", argument = 0, least = 1, most = 2} : () -> ()

// -----

// A lookup is in a known table.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
"wse.table"() {sym_name = "t", values = [1, 2]} : () -> ()
"wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, body = @f} : () -> ()
func.func @f(%x: index, %y: index) {
  // expected-error @+1 {{names table '@u'; this module has 't'}}
  %0 = "wse.lookup"(%x) {table = @u} : (index) -> index
  return
}

// -----

// What gives a transfer's maps further symbols is a function of the coordinates.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [tensor<4xf32>], input_names = ["a"], outputs = [], output_names = []} : () -> ()
"wse.buffer"() {sym_name = "b", type = memref<4xf32>, offset = -1} : () -> ()
func.func @place(%x: index) -> index { return %x : index }
// expected-error @+1 {{names function '@place' of type (index) -> index; expected (index, index) to 1 index}}
"wse.host_scatter"() {tensor = 0, buffer = @b, where = #wse.strided_rect<0, 0, 4, 1, 1, 1>, bounds = [affine_map<()[x, y, p] -> (1)>], origin = [affine_map<()[x, y, p] -> (p)>], access = affine_map<(i)[x, y, p] -> (i)>, symbols = [@place], resident = 0} : () -> ()
