// RUN: wse-opt %s --pass-pipeline='builtin.module(wse-partition{machine=tiny grid=4x4},wse-place{origin=2,1})' --mlir-print-local-scope | filecheck %s
// RUN: wse-opt %s --pass-pipeline='builtin.module(wse-partition{machine=tiny grid=4x4},wse-place,wse-emit-programs,wse-route)' --mlir-print-local-scope | filecheck %s --check-prefix=PROGRAM

// What comes in is alike on all PEs of a row, in blocks of the dimension that rows have; what goes out is brought to where
// it is so. The host has no part in either.
// CHECK: %[[A:.*]] = "wse.stream_in"(%arg0) {rows = 0 : i64, wse.layouts = [#wse.layout<"[y:4/2, -] on x:4; y:4 at (2, 1)">]}
// CHECK-NOT: wse.scatter"(%arg0
// CHECK: "wse.stream_out"(%{{.*}}) {wse.layouts = [#wse.layout<"[y:4/2, -] on x:4; y:4 at (2, 1)">]}
// CHECK-NOT: wse.gather
// CHECK: return

// The last column sends to the east, all columns take what comes from the west; nobody else has their colours' numbers.
// PROGRAM: "wse.program"() {{.*}}wse.stream_rows = [0
// PROGRAM: "wse.colour"() {id = 20 : i64, {{.*}}sym_name = "stream_in"
// PROGRAM-DAG: "wse.route"() {colour = @stream_in, position = 0 : i64, receive = "west", send = ["ramp"], where = #wse.strided_rect<3 : i64, 0 : i64, 1 : i64, 4 : i64, 1 : i64, 1 : i64>}
// PROGRAM-DAG: "wse.route"() {colour = @stream_in, position = 0 : i64, receive = "west", send = ["east", "ramp"], where = #wse.strided_rect<0 : i64, 0 : i64, 3 : i64, 4 : i64, 1 : i64, 1 : i64>}
// PROGRAM: "wse.colour"() {id = 19 : i64, {{.*}}sym_name = "stream_out"
// PROGRAM: "wse.route"() {colour = @stream_out, position = 0 : i64, receive = "ramp", send = ["east"], where = #wse.strided_rect<3 : i64, 0 : i64, 1 : i64, 4 : i64, 1 : i64, 1 : i64>}
// PROGRAM-NOT: wse.host_scatter
// PROGRAM-NOT: wse.host_gather
// PROGRAM: "wse.receive"{{.*}}colour = @stream_in
// PROGRAM: "wse.send"{{.*}}colour = @stream_out
#id = affine_map<(i, j) -> (i, j)>
func.func @main(%x: tensor<7x6xf32> {wse.kind = "stream"}) -> (tensor<7x6xf32> {wse.kind = "stream"}) {
  %0 = "wse.stream_in"(%x) {rows = 0 : i64} : (tensor<7x6xf32>) -> tensor<7x6xf32>
  %e = tensor.empty() : tensor<7x6xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<7x6xf32>) outs(%e : tensor<7x6xf32>) {
  ^bb0(%p: f32, %o: f32):
    %r = math.exp %p : f32
    linalg.yield %r : f32
  } -> tensor<7x6xf32>
  %1 = "wse.stream_out"(%a) : (tensor<7x6xf32>) -> tensor<7x6xf32>
  return %1 : tensor<7x6xf32>
}
