// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-emit-programs)' --mlir-print-local-scope | filecheck %s

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 1 : i64>

// A product split along its reduction: partial sums by one fma per PE, then a chain to the first PE. The PEs of a line
// of four differ only in what they do with the chain, whose colours and routes come with it.
// CHECK: "wse.program"
// CHECK-SAME: grid = [4, 1]
// CHECK: "wse.colour"() {id = -1 : i64, {{.*}}sym_name = "reduce_c0_up0"
// CHECK-NEXT: "wse.route"() {colour = @reduce_c0_up0, position = 0 : i64, receive = "east", send = ["ramp"]
// CHECK: "wse.host_scatter"() {{.*}}tensor = 0
// CHECK: "wse.host_gather"() {{.*}}tensor = 0
// CHECK: func.func @main_x0_y0
// CHECK: kind = "fill"
// CHECK: kind = "fma"
// CHECK: "wse.receive"{{.*}}colour = @reduce_c0_up0, combine = "add"
// CHECK: func.func @main_x1_y0
// CHECK: kind = "fma"
// CHECK: "wse.relay"{{.*}}combine = "add"{{.*}}receive = @reduce_c0_up1, send = @reduce_c0_up0
// CHECK: func.func @main_x2_y0
// CHECK: "wse.relay"{{.*}}receive = @reduce_c0_up0, send = @reduce_c0_up1
// CHECK: func.func @main_x3_y0
// CHECK: "wse.send"{{.*}}colour = @reduce_c0_up0
// CHECK: "wse.pe_class"() {body = @main_x3_y0
// CHECK-NOT: linalg
func.func @main(%a: tensor<6x10xf32>, %w: tensor<5x10xf32> {wse.kind = "parameter", wse.name = "w"}) -> tensor<6x5xf32>
    attributes {wse.machine = "tiny", wse.rect = #rect} {
  %zero = arith.constant dense<0.0> : tensor<6x5xf32>
  %a1 = "wse.scatter"(%a) {layout = #wse.layout<"[-, x:4/3] on x:4; y:1 at (0, 0)">} : (tensor<6x10xf32>) -> tensor<6x10xf32>
  %w1 = "wse.scatter"(%w) {layout = #wse.layout<"[-, x:4/3] on x:4; y:1 at (0, 0)">} : (tensor<5x10xf32>) -> tensor<5x10xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>,
      affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a1, %w1 : tensor<6x10xf32>, tensor<5x10xf32>) outs(%zero : tensor<6x5xf32>)
      attrs = {wse.iterators = #wse.layout<"[-, -, x:4/3] on x:4; y:1 at (0, 0)">, wse.layouts = [#wse.layout<"[-, -] on x:4; y:1 at (0, 0), partial add over x">]} {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<6x5xf32>
  %1 = "wse.reduce"(%0) {axis = "x", kind = "add", root = 0 : i64, algorithm = "chain", layout = #wse.layout<"[-, -] on x:4; y:1 at (0, 0)">} : (tensor<6x5xf32>) -> tensor<6x5xf32>
  %2 = "wse.gather"(%1) {layout = #wse.layout<"[-, -] on x:4; y:1 at (0, 0)">} : (tensor<6x5xf32>) -> tensor<6x5xf32>
  return %2 : tensor<6x5xf32>
}

// -----

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 1 : i64>

// An elementwise body is one vector operation per scalar operation, over as many elements as the PE holds: of ten
// elements over four PEs the last holds one. x > 0 ? x : 0 that keeps NaN is a maximum; the last lands in the result.
// CHECK: func.func @main_x0to3_y0
// CHECK: "wse.vector"(%[[R:[0-9]+]], %[[A:[0-9]+]], %arg0, %arg1) {bounds = [affine_map<()[s0, s1] -> (3, s0 * -3 + 10)>], kind = "neg"
// CHECK: "wse.vector"({{.*}}kind = "max"{{.*}}scalars = [unit, 0.000000e+00 : f32]
// CHECK-NOT: wse.vector
// CHECK: "wse.pe_class"() {{.*}}where = #wse.strided_rect<0 : i64, 0 : i64, 4 : i64, 1 : i64, 1 : i64, 1 : i64>
func.func @main(%a: tensor<10xf32>) -> tensor<10xf32> attributes {wse.machine = "tiny", wse.rect = #rect} {
  %empty = tensor.empty() : tensor<10xf32>
  %zero = arith.constant 0.0 : f32
  %a1 = "wse.scatter"(%a) {layout = #wse.layout<"[x:4/3] on x:4; y:1 at (0, 0)">} : (tensor<10xf32>) -> tensor<10xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%a1 : tensor<10xf32>) outs(%empty : tensor<10xf32>) attrs = {wse.iterators = #wse.layout<"[x:4/3] on x:4; y:1 at (0, 0)">, wse.layouts = [#wse.layout<"[x:4/3] on x:4; y:1 at (0, 0)">]} {
  ^bb0(%l: f32, %o: f32):
    %n = arith.negf %l : f32
    %c = arith.cmpf ugt, %n, %zero : f32
    %s = arith.select %c, %n, %zero : f32
    linalg.yield %s : f32
  } -> tensor<10xf32>
  %1 = "wse.gather"(%0) {layout = #wse.layout<"[x:4/3] on x:4; y:1 at (0, 0)">} : (tensor<10xf32>) -> tensor<10xf32>
  return %1 : tensor<10xf32>
}

// -----

#rect = #wse.rect<0 : i64, 0 : i64, 1 : i64, 3 : i64>

// An all-gather puts the PE's own block into place; neighbours' blocks come together on the first PE, which multicasts
// them. All PEs share one text: who sends is in the bounds, and what no affine map can say is an index value.
// CHECK: func.func @main_x0_y0
// CHECK: kind = "copy"
// CHECK: "wse.send"{{.*}}(s1 mod 2) * 2{{.*}}colour = @all_gather_c0_level0
// CHECK: "wse.receive"{{.*}}colour = @all_gather_c0_level0
// CHECK: "wse.send"{{.*}}colour = @all_gather_c0_multicast0
// CHECK: affine.max
// CHECK: "wse.receive"{{.*}}colour = @all_gather_c0_multicast0
func.func @main(%a: tensor<6xf32>) -> tensor<6xf32> attributes {wse.machine = "tiny", wse.rect = #rect} {
  %a1 = "wse.scatter"(%a) {layout = #wse.layout<"[y:3/2] on x:1; y:3 at (0, 0)">} : (tensor<6xf32>) -> tensor<6xf32>
  %0 = "wse.all_gather"(%a1) {axis = "y", dim = 0 : i64, algorithm = "", source_layout = #wse.layout<"[y:3/2] on x:1; y:3 at (0, 0)">, layout = #wse.layout<"[-] on x:1; y:3 at (0, 0)">} : (tensor<6xf32>) -> tensor<6xf32>
  %1 = "wse.gather"(%0) {layout = #wse.layout<"[-] on x:1; y:3 at (0, 0)">} : (tensor<6xf32>) -> tensor<6xf32>
  return %1 : tensor<6xf32>
}

// -----

#rect = #wse.rect<0 : i64, 0 : i64, 2 : i64, 2 : i64>
#lhs = #wse.layout<"[y:2/3, x:2/4] on x:2; y:2 at (0, 0)">
#rhs = #wse.layout<"[y:2/4, x:2/2] on x:2; y:2 at (0, 0)">
#out = #wse.layout<"[y:2/3, x:2/2] on x:2; y:2 at (0, 0)">
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>

// A product that names an algorithm is the library's: the host brings the operands to where it wants them, and takes the
// result from where it is. Cannon's algorithm passes both operands on while it multiplies.
// CHECK: "wse.buffer"() {offset = -1 : i64, sym_name = "generic_c0_a"
// CHECK: "wse.host_scatter"() {{.*}}buffer = @generic_c0_a{{.*}}tensor = 0
// CHECK: "wse.host_scatter"() {{.*}}buffer = @generic_c0_b{{.*}}tensor = 1
// CHECK: "wse.host_gather"() {{.*}}buffer = @generic_c0_c
// CHECK: func.func @main_x0_y0
// CHECK: scf.for
// CHECK: "wse.send"{{.*}}thread = 1
// CHECK: "wse.vector"{{.*}}kind = "fma"
// CHECK: "wse.join"() {tasks = 1
func.func @main(%a: tensor<6x8xf32>, %b: tensor<8x4xf32>) -> tensor<6x4xf32> attributes {wse.machine = "tiny", wse.rect = #rect} {
  %zero = arith.constant dense<0.0> : tensor<6x4xf32>
  %a1 = "wse.scatter"(%a) {layout = #lhs} : (tensor<6x8xf32>) -> tensor<6x8xf32>
  %b1 = "wse.scatter"(%b) {layout = #rhs} : (tensor<8x4xf32>) -> tensor<8x4xf32>
  %0 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a1, %b1 : tensor<6x8xf32>, tensor<8x4xf32>) outs(%zero : tensor<6x4xf32>)
      attrs = {wse.algorithm = "cannon", wse.layouts = [#out]} {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<6x4xf32>
  %1 = "wse.gather"(%0) {layout = #out} : (tensor<6x4xf32>) -> tensor<6x4xf32>
  return %1 : tensor<6x4xf32>
}

// -----

#rect = #wse.rect<0 : i64, 0 : i64, 4 : i64, 1 : i64>
#blocks = #wse.layout<"[x:4/2] on x:4; y:1 at (0, 0)">

// A halo exchange: of four blocks of two every PE gets the element before and the one behind it, from both neighbours.
// CHECK: "wse.buffer"() {{.*}}sym_name = "halo_exchange{{.*}}type = memref<4xf32>
// CHECK: func.func @main_x1_y0
// CHECK: "wse.send"{{.*}}colour = @halo_exchange_c0_0_up1
// CHECK: "wse.receive"{{.*}}colour = @halo_exchange_c0_0_up0
// CHECK: "wse.send"{{.*}}colour = @halo_exchange_c0_0_down1
// CHECK: "wse.receive"{{.*}}colour = @halo_exchange_c0_0_down0
func.func @main(%a: tensor<8xf32>) -> tensor<8xf32> attributes {wse.machine = "tiny", wse.rect = #rect} {
  %a1 = "wse.scatter"(%a) {layout = #blocks} : (tensor<8xf32>) -> tensor<8xf32>
  %0 = "wse.halo_exchange"(%a1) {low = [1], high = [1], layout = #blocks} : (tensor<8xf32>) -> tensor<8xf32>
  %1 = "wse.gather"(%0) {layout = #blocks} : (tensor<8xf32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

#rect = #wse.rect<0 : i64, 0 : i64, 2 : i64, 1 : i64>

// Of 15 columns in two halves PEs have 8 and 7. The halves do not follow each other on the second PE, where as many maps as
// rows times columns of the left side would be run around 2 x 7 elements: halves are outermost. All elements of the largest tile
// are cleared, which is one loop.
// CHECK: "wse.program"
// CHECK: bounds = [affine_map<()[s0, s1] -> (6)>, affine_map<()[s0, s1] -> (2)>, affine_map<()[s0, s1] -> (8)>], kind = "fill"
// CHECK: bounds = [affine_map<()[s0, s1] -> (2)>, affine_map<()[s0, s1] -> (5)>, affine_map<()[s0, s1] -> (6)>,
// CHECK-SAME: affine_map<()[s0, s1] -> (8, s0 * -8 + 15)>{{.*}}kind = "fma"
func.func @main(%a: tensor<6x5xf32>, %w: tensor<5x2x15xf32>) -> tensor<6x2x15xf32> attributes {wse.machine = "wse3", wse.rect = #rect} {
  %zero = arith.constant dense<0.0> : tensor<6x2x15xf32>
  %a1 = "wse.scatter"(%a) {layout = #wse.layout<"[-, -] on x:2; y:1 at (0, 0)">} : (tensor<6x5xf32>) -> tensor<6x5xf32>
  %w1 = "wse.scatter"(%w) {layout = #wse.layout<"[-, -, x:2/8] on x:2; y:1 at (0, 0)">} : (tensor<5x2x15xf32>) -> tensor<5x2x15xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d3)>, affine_map<(d0, d1, d2, d3) -> (d3, d1, d2)>,
      affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%a1, %w1 : tensor<6x5xf32>, tensor<5x2x15xf32>) outs(%zero : tensor<6x2x15xf32>)
      attrs = {wse.iterators = #wse.layout<"[-, -, x:2/8, -] on x:2; y:1 at (0, 0)">, wse.layouts = [#wse.layout<"[-, -, x:2/8] on x:2; y:1 at (0, 0)">]} {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<6x2x15xf32>
  %1 = "wse.gather"(%0) {layout = #wse.layout<"[-, -, x:2/8] on x:2; y:1 at (0, 0)">} : (tensor<6x2x15xf32>) -> tensor<6x2x15xf32>
  return %1 : tensor<6x2x15xf32>
}
