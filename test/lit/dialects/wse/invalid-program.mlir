// RUN: wse-opt %s --split-input-file --verify-diagnostics

// A program runs on a machine.
// expected-error @+1 {{'wse.program' op expects the name or path of a machine}}
"wse.program"() {sym_name = "p", machine = "", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()

// -----

// On a rectangle of at least one PE.
// expected-error @+1 {{expects a grid of at least 1 x 1 PEs, got 4 x 0}}
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 0], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()

// -----

// A grid has two sides.
// expected-error @+1 {{expects grid to be two integers, [x, y], got 3}}
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4, 1], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()

// -----

// The origin is on the wafer.
// expected-error @+1 {{expects an origin on the wafer, got (0, -1)}}
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, -1], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()

// -----

// Every input has a name.
// expected-error @+1 {{has 1 input types and 0 input names; expected as many}}
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [tensor<4xf32>], input_names = [], outputs = [], output_names = []} : () -> ()

// -----

// And one of its own.
// expected-error @+1 {{names an output twice: ['a', 'a']}}
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [tensor<4xf32>, tensor<4xf32>], output_names = ["a", "a"]} : () -> ()

// -----

// Sizes are known at compile time.
// expected-error @+1 {{expects each input to be a static tensor type, got tensor<?xf32>}}
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [tensor<?xf32>], input_names = ["a"], outputs = [], output_names = []} : () -> ()

// -----

// A module holds one program.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
// expected-error @+1 {{is a second program; expected one a module}}
"wse.program"() {sym_name = "q", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()

// -----

// Programs are no part of functions.
func.func @f() {
  // expected-error @+1 {{expects to be at the module's top level}}
  "wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
  return
}

// -----

// Attributes are not optional.
// expected-error @+1 {{'wse.buffer' op requires attribute 'offset'}}
"wse.buffer"() {sym_name = "b", type = memref<4xf32>} : () -> ()

// -----

// A buffer is memory.
// expected-error @+1 {{expects a static memref type, got tensor<4xf32>}}
"wse.buffer"() {sym_name = "b", type = tensor<4xf32>, offset = 0} : () -> ()

// -----

// Strides are the accesses' business.
// expected-error @+1 {{expects a row-major memref without a layout map}}
"wse.buffer"() {sym_name = "b", type = memref<4xf32, strided<[2]>>, offset = 0} : () -> ()

// -----

// An element lies on a multiple of its size.
// expected-error @+1 {{has offset 6; expected a multiple of 4 bytes}}
"wse.buffer"() {sym_name = "b", type = memref<4xf32>, offset = 6} : () -> ()

// -----

// SRAM starts at 0.
// expected-error @+1 {{has offset -8; expected bytes from the start of SRAM, or -1 for none yet}}
"wse.buffer"() {sym_name = "b", type = memref<4xf32>, offset = -8} : () -> ()

// -----

// The memory space and the offset are one number.
// expected-error @+1 {{has offset 8, but its type says 4}}
"wse.buffer"() {sym_name = "b", type = memref<4xf32, #wse.sram<4>>, offset = 8} : () -> ()

// -----

// PEs know no other memory.
// expected-error @+1 {{is in memory space 1 : i64; expected #wse.sram or none}}
"wse.buffer"() {sym_name = "b", type = memref<4xf32, 1>, offset = 8} : () -> ()

// -----

// There are 24 colours.
// expected-error @+1 {{has id 24; expected 0 to 23, or -1 until routed}}
"wse.colour"() {sym_name = "c", id = 24, position = 0, input_queue = -1, output_queue = -1} : () -> ()

// -----

// Routers have five sides.
// expected-error @+1 {{has unknown direction 'up'; expected one of 'north', 'east', 'south', 'west', 'ramp'}}
"wse.route"() {colour = @c, where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, receive = "up", send = ["east"], position = 0} : () -> ()

// -----

// Wavelets go somewhere.
// expected-error @+1 {{sends nowhere; expected at least one direction}}
"wse.route"() {colour = @c, where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, receive = "west", send = [], position = 0} : () -> ()

// -----

// But not back.
// expected-error @+1 {{sends wavelets back to 'west', where they come from}}
"wse.route"() {colour = @c, where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, receive = "west", send = ["ramp", "west"], position = 0} : () -> ()

// -----

// Once to each side.
// expected-error @+1 {{names a direction twice in send: ['ramp', 'ramp']}}
"wse.route"() {colour = @c, where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, receive = "west", send = ["ramp", "ramp"], position = 0} : () -> ()

// -----

// Settings are numbered.
// expected-error @+1 {{has position -1; expected 0 and up}}
"wse.route"() {colour = @c, where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, receive = "west", send = ["ramp"], position = -1} : () -> ()

// -----

// A colour's routers may start without one.
// expected-error @+1 {{has start position -2; expected 0 and up, or -1 for none}}
"wse.colour"() {sym_name = "c", id = 0, position = -2, input_queue = -1, output_queue = -1} : () -> ()

// -----

// Queues come in pairs.
// expected-error @+1 {{has queues 0 (input) and -1 (output); expected 0 and up, or -1 for both}}
"wse.colour"() {sym_name = "c", id = 0, position = 0, input_queue = 0, output_queue = -1} : () -> ()

// -----

// A table has entries.
// expected-error @+1 {{has no values; expected at least one}}
"wse.table"() {sym_name = "t", values = []} : () -> ()

// -----

// Of two bytes.
// expected-error @+1 {{has the value 40000; expected numbers of 2 bytes}}
"wse.table"() {sym_name = "t", values = [0, 40000]} : () -> ()

// -----

// A strided rectangle holds PEs.
// expected-error @+1 {{has extent (2, 0); expected at least 1 x 1 PEs}}
"wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<0, 0, 2, 0, 1, 1>, body = @f} : () -> ()

// -----

// And goes forward.
// expected-error @+1 {{has step (0, 1); expected 1 and up}}
"wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<0, 0, 2, 2, 0, 1>, body = @f} : () -> ()

// -----

// From coordinates on the grid.
// expected-error @+1 {{starts at PE (-1, 0); expected coordinates of 0 and up}}
"wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<-1, 0, 2, 2, 1, 1>, body = @f} : () -> ()

// -----

// The bounds of a transfer depend on coordinates only.
// expected-error @+1 {{has 1 symbols in bounds ()[s0] -> (4); expected 2}}
"wse.host_scatter"() {tensor = 0, buffer = @b, where = #wse.strided_rect<0, 0, 4, 1, 1, 1>, bounds = [affine_map<()[x] -> (4)>], origin = [affine_map<()[x, y] -> (0)>], access = affine_map<(i)[x, y] -> (i)>, symbols = [], resident = 0} : () -> ()

// -----

// Unless a function of them gives more.
// expected-error @+1 {{has 2 symbols in access (d0)[s0, s1] -> (d0); expected x, y and more}}
"wse.host_gather"() {tensor = 0, buffer = @b, where = #wse.strided_rect<0, 0, 4, 1, 1, 1>, bounds = [affine_map<()[x, y] -> (4)>], origin = [affine_map<()[x, y] -> (x)>], access = affine_map<(i)[x, y] -> (i)>, symbols = [@f], resident = 0} : () -> ()

// -----

// One function.
// expected-error @+1 {{has symbols ["f"]; expected nothing, or the name of one function}}
"wse.host_gather"() {tensor = 0, buffer = @b, where = #wse.strided_rect<0, 0, 4, 1, 1, 1>, bounds = [affine_map<()[x, y] -> (4)>], origin = [affine_map<()[x, y] -> (x)>], access = affine_map<(i)[x, y] -> (i)>, symbols = ["f"], resident = 0} : () -> ()

// -----

// One origin per bound.
// expected-error @+1 {{has 1 bounds and 0 origins; expected one each per dimension}}
"wse.host_gather"() {tensor = 0, buffer = @b, where = #wse.strided_rect<0, 0, 4, 1, 1, 1>, bounds = [affine_map<()[x, y] -> (4)>], origin = [], access = affine_map<(i)[x, y] -> (i)>, symbols = [], resident = 0} : () -> ()

// -----

// One dimension of the access per bound.
// expected-error @+1 {{has 2 dimensions in access (d0, d1)[s0, s1] -> (d0); expected 1, one per bound}}
"wse.host_gather"() {tensor = 0, buffer = @b, where = #wse.strided_rect<0, 0, 4, 1, 1, 1>, bounds = [affine_map<()[x, y] -> (4)>], origin = [affine_map<()[x, y] -> (0)>], access = affine_map<(i, j)[x, y] -> (i)>, symbols = [], resident = 0} : () -> ()

// -----

// Tensors are numbered.
// expected-error @+1 {{expects the position of a tensor, 0 and up}}
"wse.host_gather"() {tensor = -1, buffer = @b, where = #wse.strided_rect<0, 0, 4, 1, 1, 1>, bounds = [], origin = [], access = affine_map<()[x, y] -> (0)>, symbols = [], resident = 0} : () -> ()

// -----

// Symbols have unique names: a class cannot be called as its body.
// expected-note @+1 {{see existing symbol definition here}}
func.func @k(%x: index, %y: index) { return }
// expected-error @+1 {{redefinition of symbol named 'k'}}
"wse.pe_class"() {sym_name = "k", where = #wse.strided_rect<0, 0, 2, 2, 1, 1>, body = @k} : () -> ()

// -----

// A scalar has at least one value.
// expected-error @+1 {{is to be from 3 to 2; expected at least one number}}
"wse.scalar"() {sym_name = "n", argument = 0, least = 3, most = 2} : () -> ()

// -----

// It is one of the inputs.
// expected-error @+1 {{expects the position of an input, 0 and up}}
"wse.scalar"() {sym_name = "n", argument = -1, least = 0, most = 2} : () -> ()
