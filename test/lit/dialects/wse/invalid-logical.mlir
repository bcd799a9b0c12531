// RUN: wse-opt %s --split-input-file --verify-diagnostics

// An axis that the grid does not have.
func.func @unknown_axis(%t: tensor<8x8xf32>) {
  // expected-error @+1 {{'wse.scatter' op has a layout that is none: '[z:4/2, -] on x:4; y:4 at (0, 0)': dimension 0: the mesh has no sub-axis 'z', only x, y}}
  %0 = "wse.scatter"(%t) {layout = #wse.layout<"[z:4/2, -] on x:4; y:4 at (0, 0)">} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return
}

// -----

// Two dimensions cannot be split over one axis.
func.func @axis_twice(%t: tensor<8x8xf32>) {
  // expected-error @+1 {{digits along x and x depend on each other}}
  %0 = "wse.scatter"(%t) {layout = #wse.layout<"[x:4/2, x:4/2] on x:4; y:4 at (0, 0)">} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return
}

// -----

// One axis entry per tensor dimension.
func.func @rank(%t: tensor<8x8xf32>) {
  // expected-error @+1 {{has 1 dimensions, the tensor has 2}}
  %0 = "wse.scatter"(%t) {layout = #wse.layout<"[x:4/2] on x:4; y:4 at (0, 0)">} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return
}

// -----

// A layout is a text.
func.func @axes_type(%t: tensor<8xf32>) {
  // expected-error @+1 {{expected base attribute 'builtin.string' but got 'builtin.integer'}}
  %0 = "wse.scatter"(%t) {layout = #wse.layout<1>} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// A rectangle holds at least one PE.
func.func @empty_rect(%t: tensor<8xf32>) {
  // expected-error @+1 {{has a layout that is none: sub-axis x:0 has no PE}}
  %0 = "wse.scatter"(%t) {layout = #wse.layout<"[x:0/8] on x:0; y:4 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// Coordinates are not negative.
func.func @negative_rect(%t: tensor<8xf32>) {
  // expected-error @+1 {{is no layout; expected a text as in [x:4/8, -] on x:4; y:2 at (0, 0)}}
  %0 = "wse.scatter"(%t) {layout = #wse.layout<"[x:4/2] on x:4; y:4 at (-1, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// Where the module says what the grid is, layouts stay on it.
"wse.program"() {sym_name = "p", machine = "tiny", grid = [4, 4], origin = [0, 0], inputs = [], input_names = [], outputs = [], output_names = []} : () -> ()
func.func @off_grid(%t: tensor<8xf32>) {
  // expected-error @+1 {{has a rectangle of 4 x 4 at (1, 0) in layout, outside the program's grid of 4 x 4}}
  %0 = "wse.gather"(%t) {layout = #wse.layout<"[x:4/2] on x:4; y:4 at (1, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// Moving a tensor never changes its type.
func.func @type_change(%t: tensor<8xf32>) {
  // expected-error @+1 {{expects operand and result of one type, got tensor<8xf32> and tensor<4xf32>}}
  %0 = "wse.scatter"(%t) {layout = #wse.layout<"[x:4/1] on x:4; y:4 at (0, 0)">} : (tensor<8xf32>) -> tensor<4xf32>
  return
}

// -----

// PEs do not compute with every type.
func.func @element(%t: tensor<8xi7>) {
  // expected-error @+1 {{has a tensor of element type i7; expected one of 'f64', 'f32', 'f16'}}
  %0 = "wse.scatter"(%t) {layout = #wse.layout<"[x:4/2] on x:4; y:4 at (0, 0)">} : (tensor<8xi7>) -> tensor<8xi7>
  return
}

// -----

// A misspelt attribute is not ignored.
func.func @unknown_attribute(%t: tensor<8xf32>) {
  // expected-error @+1 {{has unknown attribute 'rooot'; expected: axis, root, algorithm, layout}}
  %0 = "wse.broadcast"(%t) {axis = "y", root = 0, rooot = 1, algorithm = "", layout = #wse.layout<"[x:4/2] on x:4; y:4 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// Integers are 64 bits wide.
func.func @width(%t: tensor<8xf32>) {
  // expected-error @+1 {{expects root to be a 64-bit integer}}
  %0 = "wse.broadcast"(%t) {axis = "y", root = 0 : i32, algorithm = "", layout = #wse.layout<"[x:4/2] on x:4; y:4 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// An attribute of another kind.
func.func @layout_kind(%t: tensor<8xf32>) {
  // expected-error @+1 {{expects attribute 'layout' to be #wse.layout, got #wse.rect<0}}
  %0 = "wse.scatter"(%t) {layout = #wse.rect<0, 0, 4, 4>} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// Transposition swaps exactly the axes.
func.func @transpose_axes(%t: tensor<8x8xf32>) {
  // expected-error @+1 {{expects layout [x:4/2, y:4/2] on x:4; y:4 at (0, 0), x and y of source_layout swapped, got [y:4/2, x:4/2]}}
  %0 = "wse.transpose_distribution"(%t) {source_layout = #wse.layout<"[y:4/2, x:4/2] on x:4; y:4 at (0, 0)">, layout = #wse.layout<"[y:4/2, x:4/2] on x:4; y:4 at (0, 0)">} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return
}

// -----

// Transposition needs a square.
func.func @transpose_rect(%t: tensor<8x8xf32>) {
  // expected-error @+1 {{expects both layouts on one square rectangle, got x:4; y:2 at (0, 0) and x:4; y:2 at (0, 0)}}
  %0 = "wse.transpose_distribution"(%t) {source_layout = #wse.layout<"[y:2/4, x:4/2] on x:4; y:2 at (0, 0)">, layout = #wse.layout<"[x:4/2, y:2/4] on x:4; y:2 at (0, 0)">} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return
}

// -----

// Rows have blocks of a dimension that there is.
func.func @stream_rows(%t: tensor<8xf32>) {
  // expected-error @+1 {{expects rows to be a dimension or -1, got 1 for a tensor of rank 1}}
  %0 = "wse.stream_in"(%t) {rows = 1} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// A stream changes no type.
func.func @stream_type(%t: tensor<8xf32>) {
  // expected-error @+1 {{expects operand and result of one type, got tensor<8xf32> and tensor<8xf16>}}
  %0 = "wse.stream_out"(%t) : (tensor<8xf32>) -> tensor<8xf16>
  return
}

// -----

// Both layouts of a redistribution are checked.
func.func @source_layout(%t: tensor<8xf32>) {
  // expected-error @+1 {{has a source_layout that is none: '[y:2/4, x:4/2] on x:4; y:2 at (0, 0)' has 2 dimensions, the tensor has 1}}
  %0 = "wse.redistribute"(%t) {source_layout = #wse.layout<"[y:2/4, x:4/2] on x:4; y:2 at (0, 0)">, layout = #wse.layout<"[x:4/2] on x:4; y:2 at (0, 0)">, steps = []} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// Steps are texts.
func.func @steps(%t: tensor<8xf32>) {
  // expected-error @+1 {{expects steps to be strings, got 1 : i64}}
  %0 = "wse.redistribute"(%t) {source_layout = #wse.layout<"[x:4/2] on x:4; y:2 at (0, 0)">, layout = #wse.layout<"[-] on x:4; y:2 at (0, 0)">, steps = [1]} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// PEs talk along an axis of the grid.
func.func @collective_axis(%t: tensor<8xf32>) {
  // expected-error @+1 {{'wse.all_reduce' op has unknown axis 'z'; expected one of 'x', 'y'}}
  %0 = "wse.all_reduce"(%t) {axis = "z", kind = "add", algorithm = "", layout = #wse.layout<"[x:4/2] on x:4; y:4 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// Partial results are combined by known operations.
func.func @kind(%t: tensor<8xf32>) {
  // expected-error @+1 {{has unknown kind 'sub'; expected one of 'add', 'mul', 'max', 'min'}}
  %0 = "wse.all_reduce"(%t) {axis = "y", kind = "sub", algorithm = "", layout = #wse.layout<"[x:4/2] on x:4; y:4 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// Algorithms have one written form.
func.func @algorithm(%t: tensor<8xf32>) {
  // expected-error @+1 {{has malformed algorithm 'tree{4}'; expected the form name{option=value ...}}}
  %0 = "wse.all_reduce"(%t) {axis = "y", kind = "add", algorithm = "tree{4}", layout = #wse.layout<"[x:4/2] on x:4; y:4 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// Blocks that differ along the axis are no partial results of one block.
func.func @split_axis(%t: tensor<8xf32>) {
  // expected-error @+1 {{communicates whole blocks along 'x', but the layout splits dimension 0 over it}}
  %0 = "wse.reduce"(%t) {axis = "x", kind = "add", root = 0, algorithm = "", layout = #wse.layout<"[x:4/2] on x:4; y:4 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// The root is on the line.
func.func @root(%t: tensor<8xf32>) {
  // expected-error @+1 {{has root 4 on a line of 4 PEs; expected 0 to 3}}
  %0 = "wse.broadcast"(%t) {axis = "y", root = 4, algorithm = "", layout = #wse.layout<"[x:8/1] on x:8; y:4 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// The dimension is one of the tensor's.
func.func @dim(%t: tensor<8xf32>) {
  // expected-error @+1 {{has dim 1 for a tensor of rank 1}}
  %0 = "wse.all_gather"(%t) {axis = "x", dim = 1, algorithm = "", source_layout = #wse.layout<"[x:8/1] on x:8; y:4 at (0, 0)">, layout = #wse.layout<"[-] on x:8; y:4 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// What is gathered along an axis was split over it.
func.func @gathered_dim(%t: tensor<8x8xf32>) {
  // expected-error @+1 {{expects dimension 0 split over 'x', got [y:4/2, x:8/1]}}
  %0 = "wse.all_gather"(%t) {axis = "x", dim = 0, algorithm = "", source_layout = #wse.layout<"[y:4/2, x:8/1] on x:8; y:4 at (0, 0)">, layout = #wse.layout<"[y:4/2, -] on x:8; y:4 at (0, 0)">} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return
}

// -----

// Nothing else changes.
func.func @scattered_rest(%t: tensor<8x8xf32>) {
  // expected-error @+1 {{expects the layout without the split to be [y:4/2, -] on x:8; y:4 at (0, 0), got [-, -] on}}
  %0 = "wse.reduce_scatter"(%t) {axis = "x", kind = "add", dim = 1, algorithm = "", source_layout = #wse.layout<"[-, -] on x:8; y:4 at (0, 0)">, layout = #wse.layout<"[y:4/2, x:8/1] on x:8; y:4 at (0, 0)">} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return
}

// -----

// Collectives stay on their rectangle.
func.func @moving_rect(%t: tensor<8xf32>) {
  // expected-error @+1 {{expects both layouts on one mesh, got x:8; y:4 at (0, 0) and x:8; y:4 at (0, 4)}}
  %0 = "wse.all_gather"(%t) {axis = "x", dim = 0, algorithm = "", source_layout = #wse.layout<"[x:8/1] on x:8; y:4 at (0, 0)">, layout = #wse.layout<"[-] on x:8; y:4 at (0, 4)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// A shift by nothing moves nothing.
func.func @shift_zero(%t: tensor<8xf32>) {
  // expected-error @+1 {{expects a distance other than 0}}
  %0 = "wse.shift"(%t) {axis = "x", distance = 0, wrap = 1, layout = #wse.layout<"[x:8/1] on x:8; y:4 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// A shift stays on the line.
func.func @shift_far(%t: tensor<8xf32>) {
  // expected-error @+1 {{shifts by -8 along 'x', which has 8 PEs; expected less than 8}}
  %0 = "wse.shift"(%t) {axis = "x", distance = -8, wrap = 1, layout = #wse.layout<"[x:8/1] on x:8; y:4 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// Flags are 0 or 1.
func.func @shift_flag(%t: tensor<8xf32>) {
  // expected-error @+1 {{expects wrap to be 0 or 1, got 2}}
  %0 = "wse.shift"(%t) {axis = "x", distance = 1, wrap = 2, layout = #wse.layout<"[x:8/1] on x:8; y:4 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// One width per dimension.
func.func @halo_rank(%t: tensor<8xf32>) {
  // expected-error @+1 {{has 2 low widths for a tensor of rank 1}}
  %0 = "wse.halo_exchange"(%t) {low = [1, 1], high = [1], layout = #wse.layout<"[x:8/1] on x:8; y:4 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// Widths are not negative.
func.func @halo_negative(%t: tensor<8xf32>) {
  // expected-error @+1 {{has a negative high width -1 in dimension 0}}
  %0 = "wse.halo_exchange"(%t) {low = [1], high = [-1], layout = #wse.layout<"[x:8/1] on x:8; y:4 at (0, 0)">} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// A dimension that is whole everywhere has no neighbours' border.
func.func @halo_whole(%t: tensor<8x8xf32>) {
  // expected-error @+1 {{has a low width 1 in dimension 1, which no grid axis splits; expected 0}}
  %0 = "wse.halo_exchange"(%t) {low = [1, 1], high = [1, 0], layout = #wse.layout<"[x:8/1, -] on x:8; y:4 at (0, 0)">} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return
}
