// RUN: wse-opt %s | wse-opt | filecheck %s
// RUN: wse-opt --emit-bytecode %s | wse-opt | filecheck %s

// A complete program on 4 x 1 PEs: each scales its part, then a chain from the west sums the parts up in the east.

// CHECK: "wse.program"() {grid = [4, 1], input_names = ["x", "w", "n"], inputs = [tensor<16xf32>, tensor<f32>, tensor<i64>], machine = "tiny", origin = [2, 3], output_names = ["0"], outputs = [tensor<4xf32>], sym_name = "sum"}
"wse.program"() {sym_name = "sum", machine = "tiny", grid = [4, 1], origin = [2, 3], inputs = [tensor<16xf32>, tensor<f32>, tensor<i64>], input_names = ["x", "w", "n"], outputs = [tensor<4xf32>], output_names = ["0"]} : () -> ()

// A buffer's memref may carry its place in SRAM as memory space.
// CHECK: "wse.buffer"() {offset = 0 : i64, sym_name = "part", type = memref<4xf32>}
"wse.buffer"() {sym_name = "part", type = memref<4xf32>, offset = 0} : () -> ()
// CHECK: "wse.buffer"() {offset = 16 : i64, sym_name = "scale", type = memref<f32, #wse.sram<16 : i64>>}
"wse.buffer"() {sym_name = "scale", type = memref<f32, #wse.sram<16>>, offset = 16} : () -> ()
// CHECK: "wse.buffer"() {offset = -1 : i64, sym_name = "mask", type = memref<4xi1>}
"wse.buffer"() {sym_name = "mask", type = memref<4xi1>, offset = -1} : () -> ()
"wse.buffer"() {sym_name = "ids", type = memref<2xi32>, offset = -1} : () -> ()
"wse.buffer"() {sym_name = "rows", type = memref<2x2xf32>, offset = -1} : () -> ()

// CHECK: "wse.colour"() {id = 5 : i64, input_queue = 1 : i64, output_queue = 2 : i64, position = -1 : i64, sym_name = "odd"}
"wse.colour"() {sym_name = "odd", id = 5, position = -1, input_queue = 1, output_queue = 2} : () -> ()
// CHECK: "wse.colour"() {id = -1 : i64, input_queue = -1 : i64, output_queue = -1 : i64, position = 0 : i64, sym_name = "even"}
"wse.colour"() {sym_name = "even", id = -1, position = 0, input_queue = -1, output_queue = -1} : () -> ()

// CHECK: "wse.table"() {sym_name = "partner", values = [3, 2, 1, 0]}
"wse.table"() {sym_name = "partner", values = [3, 2, 1, 0]} : () -> ()

// CHECK: "wse.scalar"() {argument = 2 : i64, least = 0 : i64, most = 3 : i64, sym_name = "length"}
"wse.scalar"() {sym_name = "length", argument = 2, least = 0, most = 3} : () -> ()

// One colour may be received from two sides where its positions tell them apart.
// CHECK-COUNT-4: "wse.route"
"wse.route"() {colour = @even, where = #wse.strided_rect<0, 0, 2, 1, 2, 1>, receive = "ramp", send = ["east"], position = 0} : () -> ()
"wse.route"() {colour = @even, where = #wse.strided_rect<1, 0, 2, 1, 2, 1>, receive = "west", send = ["ramp"], position = 0} : () -> ()
"wse.route"() {colour = @odd, where = #wse.strided_rect<1, 0, 1, 1, 1, 1>, receive = "ramp", send = ["east"], position = 0} : () -> ()
"wse.route"() {colour = @odd, where = #wse.strided_rect<1, 0, 2, 1, 1, 1>, receive = "west", send = ["ramp", "east"], position = 1} : () -> ()

// CHECK: "wse.host_scatter"() {access = #{{.*}}, bounds = [#{{.*}}], buffer = @part, origin = [#{{.*}}], resident = 0 : i64, symbols = [], tensor = 0 : i64, where = #wse.strided_rect<0 : i64, 0 : i64, 4 : i64, 1 : i64, 1 : i64, 1 : i64>}
"wse.host_scatter"() {tensor = 0, buffer = @part, where = #wse.strided_rect<0, 0, 4, 1, 1, 1>, bounds = [affine_map<()[x, y] -> (4, 16 - x * 4)>], origin = [affine_map<()[x, y] -> (x * 4)>], access = affine_map<(i)[x, y] -> (i)>, symbols = [], resident = 0} : () -> ()
// CHECK: "wse.host_scatter"() {access = #{{.*}}, bounds = [], buffer = @scale, origin = [], resident = 1 : i64, symbols = []
"wse.host_scatter"() {tensor = 1, buffer = @scale, where = #wse.strided_rect<0, 0, 4, 1, 1, 1>, bounds = [], origin = [], access = affine_map<()[x, y] -> ()>, symbols = [], resident = 1} : () -> ()
// An origin that no affine map of the coordinates gives: a function does.
// CHECK: "wse.host_gather"{{.*}}symbols = [@place]
"wse.host_gather"() {tensor = 0, buffer = @part, where = #wse.strided_rect<3, 0, 1, 1, 1, 1>, bounds = [affine_map<()[x, y, p] -> (4)>], origin = [affine_map<()[x, y, p] -> (p)>], access = affine_map<(i)[x, y, p] -> (i)>, symbols = [@place], resident = 0} : () -> ()

func.func private @place(%x: index, %y: index) -> index {
  %z = "wse.lookup"(%x) {table = @partner} : (index) -> index
  return %z : index
}

// CHECK: "wse.pe_class"() {body = @first_body, sym_name = "first", where = #wse.strided_rect<0 : i64
"wse.pe_class"() {sym_name = "first", where = #wse.strided_rect<0, 0, 1, 1, 1, 1>, body = @first_body} : () -> ()
"wse.pe_class"() {sym_name = "middle", where = #wse.strided_rect<1, 0, 2, 1, 1, 1>, body = @middle_body} : () -> ()
"wse.pe_class"() {sym_name = "last", where = #wse.strided_rect<3, 0, 1, 1, 1, 1>, body = @last_body} : () -> ()

// CHECK-LABEL: func.func private @first_body
// CHECK: "wse.phase"() {label = "scale"}
// CHECK: %[[PART:.*]] = "wse.get_buffer"() {buffer = @part} : () -> memref<4xf32>
// CHECK: "wse.vector"(%[[PART]], %[[PART]], %{{.*}}) {bounds = [{{.*}}], kind = "mul", maps = [{{.*}}], operandSegmentSizes = array<i32: 1, 1, 1, 0, 2>, scalars = [unit, unit], schedule = "mapped"}
// CHECK: "wse.vector"{{.*}}scalars = [unit, 0.000000e+00 : f32]
// CHECK: "wse.vector"{{.*}}kind = "select"
// CHECK: "wse.send"{{.*}}thread = 1 : i64
// CHECK: "wse.join"() {tasks = 0 : i64, threads = [1]}
// CHECK: "wse.control"() {count = #{{.*}}, operandSegmentSizes = array<i32: 0>, unit = "task"}
// CHECK: %[[PARTNER:.*]] = "wse.lookup"(%{{.*}}) {table = @partner} : (index) -> index
// CHECK: "wse.switch"(%[[PARTNER]]) {colour = @odd, operandSegmentSizes = array<i32: 1>, position = #{{.*}}, rewrite = 1 : i64}
func.func private @first_body(%x: index, %y: index) {
  "wse.phase"() {label = "scale"} : () -> ()
  %part = "wse.get_buffer"() {buffer = @part} : () -> memref<4xf32>
  %scale = "wse.get_buffer"() {buffer = @scale} : () -> memref<f32, #wse.sram<16>>
  %mask = "wse.get_buffer"() {buffer = @mask} : () -> memref<4xi1>
  "wse.vector"(%part, %part, %scale, %x, %y) {kind = "mul", bounds = [affine_map<()[x, y] -> (4, 16 - x * 4)>], maps = [affine_map<(i)[x, y] -> (i)>, affine_map<(i)[x, y] -> (i)>, affine_map<(i)[x, y] -> ()>], scalars = [unit, unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 1, 0, 2>} : (memref<4xf32>, memref<4xf32>, memref<f32, #wse.sram<16>>, index, index) -> ()
  "wse.vector"(%mask, %part, %x, %y) {kind = "gt", bounds = [affine_map<()[x, y] -> (4)>], maps = [affine_map<(i)[x, y] -> (i)>, affine_map<(i)[x, y] -> (i)>], scalars = [unit, 0.0 : f32], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 2>} : (memref<4xi1>, memref<4xf32>, index, index) -> ()
  "wse.vector"(%part, %mask, %part, %x, %y) {kind = "select", bounds = [affine_map<()[x, y] -> (4)>], maps = [affine_map<(i)[x, y] -> (i)>, affine_map<(i)[x, y] -> (i)>, affine_map<(i)[x, y] -> (i)>], scalars = [unit, unit, 0.0 : f32], schedule = "looped", operandSegmentSizes = array<i32: 1, 1, 1, 0, 2>} : (memref<4xf32>, memref<4xi1>, memref<4xf32>, index, index) -> ()
  "wse.send"(%part, %x, %y) {colour = @even, bounds = [affine_map<()[x, y] -> (4)>], map = affine_map<(i)[x, y] -> (i)>, thread = 1, packed = 1, operandSegmentSizes = array<i32: 1, 2>} : (memref<4xf32>, index, index) -> ()
  "wse.join"() {threads = [1], tasks = 0} : () -> ()
  "wse.control"() {unit = "task", count = affine_map<() -> (2)>, operandSegmentSizes = array<i32: 0>} : () -> ()
  %partner = "wse.lookup"(%x) {table = @partner} : (index) -> index
  "wse.switch"(%partner) {colour = @odd, position = affine_map<()[p] -> (p mod 2)>, rewrite = 1, operandSegmentSizes = array<i32: 1>} : (index) -> ()
  return
}

// A relay with a destination, and a loop whose variable is a symbol of the accesses.
// CHECK-LABEL: func.func private @middle_body
// CHECK: "wse.get_scalar"() {scalar = @length} : () -> index
// CHECK: "wse.relay"{{.*}}combine = "add"{{.*}}operandSegmentSizes = array<i32: 1, 1, 3>, receive = @even, send = @odd
// CHECK: "wse.relay"{{.*}}combine = "store"{{.*}}maps = []{{.*}}operandSegmentSizes = array<i32: 0, 0, 0>
func.func private @middle_body(%x: index, %y: index) {
  %part = "wse.get_buffer"() {buffer = @part} : () -> memref<4xf32>
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %length = "wse.get_scalar"() {scalar = @length} : () -> index
  scf.for %k = %zero to %length step %one {
    "wse.relay"(%part, %part, %x, %y, %k) {receive = @even, send = @odd, bounds = [affine_map<()[x, y, k] -> (1, k + 1)>], maps = [affine_map<(i)[x, y, k] -> (i + k)>, affine_map<(i)[x, y, k] -> (i + (x mod 2) * 0 + k)>], combine = "add", thread = 0, operandSegmentSizes = array<i32: 1, 1, 3>} : (memref<4xf32>, memref<4xf32>, index, index, index) -> ()
  }
  "wse.relay"() {receive = @even, send = @odd, bounds = [affine_map<() -> (0)>], maps = [], combine = "store", thread = 2, operandSegmentSizes = array<i32: 0, 0, 0>} : () -> ()
  return
}

// Accumulation: the destination's access does not use the loop, and is the first source.
// CHECK-LABEL: func.func private @last_body
// CHECK: "wse.receive"{{.*}}combine = "add"
// CHECK: "wse.vector"
// Rows of a table where numbers in memory say: two positions a PE, others are left out.
// CHECK: %[[IDS:.*]] = "wse.get_buffer"() {buffer = @ids}
// CHECK: %[[ROWS:.*]] = "wse.indexed"(%{{.*}}, %[[IDS]], %{{.*}}) {map = #{{.*}}, operandSegmentSizes = array<i32: 1, 1, 1>, origin = #{{.*}}, partial = 1 : i64, size = #{{.*}}, stride = 2 : i64} : (memref<4xf32>, memref<2xi32>, index) -> memref<4xf32>
// CHECK: "wse.vector"(%{{.*}}, %[[ROWS]])
// CHECK: "wse.vector"(%[[ROWS]], %[[ROWS]], %{{.*}})
func.func private @last_body(%x: index, %y: index) {
  %part = "wse.get_buffer"() {buffer = @part} : () -> memref<4xf32>
  %again = "wse.get_buffer"() {buffer = @part} : () -> memref<4xf32>
  "wse.receive"(%part) {colour = @odd, bounds = [affine_map<() -> (4)>], map = affine_map<(i) -> (i)>, combine = "add", thread = 0, operandSegmentSizes = array<i32: 1, 0>} : (memref<4xf32>) -> ()
  "wse.vector"(%part, %again, %part) {kind = "add", bounds = [affine_map<() -> (3)>], maps = [affine_map<(i) -> (0)>, affine_map<(i) -> (0)>, affine_map<(i) -> (i + 1)>], scalars = [unit, unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (memref<4xf32>, memref<4xf32>, memref<4xf32>) -> ()
  %ids = "wse.get_buffer"() {buffer = @ids} : () -> memref<2xi32>
  %out = "wse.get_buffer"() {buffer = @rows} : () -> memref<2x2xf32>
  %rows = "wse.indexed"(%part, %ids, %x) {map = affine_map<(i, j)[x] -> (i)>, size = affine_map<()[x] -> (2)>, origin = affine_map<()[x] -> (x * 2)>, stride = 2, partial = 1, operandSegmentSizes = array<i32: 1, 1, 1>} : (memref<4xf32>, memref<2xi32>, index) -> memref<4xf32>
  "wse.vector"(%out, %rows) {kind = "copy", bounds = [affine_map<() -> (2)>, affine_map<() -> (2)>], maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>], scalars = [unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>} : (memref<2x2xf32>, memref<4xf32>) -> ()
  "wse.vector"(%rows, %rows, %out) {kind = "add", bounds = [affine_map<() -> (2)>, affine_map<() -> (2)>], maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], scalars = [unit, unit], schedule = "mapped", operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>} : (memref<4xf32>, memref<4xf32>, memref<2x2xf32>) -> ()
  return
}
