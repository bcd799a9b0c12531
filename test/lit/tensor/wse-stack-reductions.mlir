// RUN: wse-opt %s --split-input-file --wse-stack-reductions --wse-dce --canonicalize --cse | filecheck %s

// Two halves of a gated layer lie side by side along a dimension of their own.
#x = affine_map<(n, k) -> (k)>
#w = affine_map<(n, k) -> (n, k)>
#n = affine_map<(n, k) -> (n)>
// CHECK-DAG: #[[K:.*]] = affine_map<(d0, d1, d2) -> (d2)>
// CHECK-DAG: #[[SN:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: func.func @gated
// CHECK-SAME: (%[[X:.*]]: tensor<8xf32>, %[[V:.*]]: tensor<6x8xf32> {{.*}}, %[[W:.*]]: tensor<6x8xf32>
// CHECK: %[[A:.*]] = tensor.insert_slice {{.*}}[0, 0, 0] [1, 6, 8] [1, 1, 1]
// CHECK: %[[S:.*]] = tensor.insert_slice {{.*}} into %[[A]][1, 0, 0] [1, 6, 8] [1, 1, 1]
// CHECK: %[[P:.*]] = linalg.generic {indexing_maps = [#[[K]], #{{.*}}, #[[SN]]], iterator_types = ["parallel", "parallel", "reduction"]} ins(%[[X]], %[[S]] :
// CHECK-DAG: tensor.extract_slice %[[P]][0, 0] [1, 6] [1, 1]
// CHECK-DAG: tensor.extract_slice %[[P]][1, 0] [1, 6] [1, 1]
// CHECK-NOT: linalg.generic
func.func @gated(%x: tensor<8xf32>, %v: tensor<6x8xf32> {wse.kind = "parameter"},
                 %w: tensor<6x8xf32> {wse.kind = "parameter"}) -> (tensor<6xf32>, tensor<6xf32>) {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<6xf32>
  %z = linalg.fill ins(%c : f32) outs(%e : tensor<6xf32>) -> tensor<6xf32>
  %g = linalg.generic {indexing_maps = [#x, #w, #n], iterator_types = ["parallel", "reduction"]}
      ins(%x, %v : tensor<8xf32>, tensor<6x8xf32>) outs(%z : tensor<6xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %r = arith.addf %s, %m : f32
    linalg.yield %r : f32
  } -> tensor<6xf32>
  %u = linalg.generic {indexing_maps = [#x, #w, #n], iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : tensor<8xf32>, tensor<6x8xf32>) outs(%z : tensor<6xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %r = arith.addf %s, %m : f32
    linalg.yield %r : f32
  } -> tensor<6xf32>
  return %g, %u : tensor<6xf32>, tensor<6xf32>
}

// -----

// Four heads of queries and one of keys for each of two groups; places of a head are in two dimensions for the queries
// alone. Parameters whose columns come last are stacked there.
#x = affine_map<(t, g, h, p, q, k) -> (t, k)>
#wq = affine_map<(t, g, h, p, q, k) -> (k, g, h, p, q)>
#yq = affine_map<(t, g, h, p, q, k) -> (t, g, h, p, q)>
#xk = affine_map<(t, g, p, k) -> (t, k)>
#wk = affine_map<(t, g, p, k) -> (k, g, p)>
#yk = affine_map<(t, g, p, k) -> (t, g, p)>
// CHECK-LABEL: func.func @grouped
// CHECK: tensor.insert_slice {{.*}}[0, 0, 0, 0, 0] [8, 2, 4, 2, 3]
// CHECK: %[[S:.*]] = tensor.insert_slice {{.*}}[0, 0, 4, 0, 0] [8, 2, 1, 2, 3] {{.*}} into tensor<8x2x5x2x3xf16>
// CHECK: %[[P:.*]] = linalg.generic {{.*}} ins(%{{.*}}, %[[S]] : {{.*}}) outs(%{{.*}} : tensor<7x2x5x2x3xf16>)
// CHECK-DAG: tensor.extract_slice %[[P]][0, 0, 0, 0, 0] [7, 2, 4, 2, 3]
// CHECK-DAG: %[[KEYS:.*]] = tensor.extract_slice %[[P]][0, 0, 4, 0, 0] [7, 2, 1, 2, 3]
// CHECK-DAG: tensor.collapse_shape %[[KEYS]] {{\[\[}}0], [1, 2], [3, 4]]
func.func @grouped(%x: tensor<7x8xf16>, %v: tensor<8x2x4x2x3xf16> {wse.kind = "parameter"},
                   %w: tensor<8x2x6xf16> {wse.kind = "parameter"}) -> (tensor<7x2x4x2x3xf16>, tensor<7x2x6xf16>) {
  %c = arith.constant 0.0 : f16
  %e = tensor.empty() : tensor<7x2x4x2x3xf16>
  %z = linalg.fill ins(%c : f16) outs(%e : tensor<7x2x4x2x3xf16>) -> tensor<7x2x4x2x3xf16>
  %f = tensor.empty() : tensor<7x2x6xf16>
  %o = linalg.fill ins(%c : f16) outs(%f : tensor<7x2x6xf16>) -> tensor<7x2x6xf16>
  %queries = linalg.generic {indexing_maps = [#x, #wq, #yq],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %v : tensor<7x8xf16>, tensor<8x2x4x2x3xf16>) outs(%z : tensor<7x2x4x2x3xf16>) {
  ^bb0(%a: f16, %b: f16, %s: f16):
    %m = arith.mulf %a, %b : f16
    %r = arith.addf %s, %m : f16
    linalg.yield %r : f16
  } -> tensor<7x2x4x2x3xf16>
  %keys = linalg.generic {indexing_maps = [#xk, #wk, #yk], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<7x8xf16>, tensor<8x2x6xf16>) outs(%o : tensor<7x2x6xf16>) {
  ^bb0(%a: f16, %b: f16, %s: f16):
    %m = arith.mulf %a, %b : f16
    %r = arith.addf %s, %m : f16
    linalg.yield %r : f16
  } -> tensor<7x2x6xf16>
  return %queries, %keys : tensor<7x2x4x2x3xf16>, tensor<7x2x6xf16>
}

// -----

// Not what is no parameter, sums in another type, starts at another number, or has no dimensions of columns in common.
#x = affine_map<(n, k) -> (k)>
#w = affine_map<(n, k) -> (n, k)>
#n = affine_map<(n, k) -> (n)>
// CHECK-LABEL: func.func @apart
// CHECK-COUNT-5: linalg.generic {{.*}}"reduction"]
// CHECK-NOT: tensor.extract_slice
func.func @apart(%x: tensor<8xf16>, %v: tensor<6x8xf16> {wse.kind = "parameter"}, %w: tensor<6x8xf16>,
    %u: tensor<6x8xf16> {wse.kind = "parameter"}, %t: tensor<5x8xf16> {wse.kind = "parameter"})
    -> (tensor<6xf16>, tensor<6xf16>, tensor<6xf32>, tensor<6xf16>, tensor<5xf16>) {
  %c = arith.constant 0.0 : f16
  %one = arith.constant 1.0 : f16
  %wide = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<6xf16>
  %z = linalg.fill ins(%c : f16) outs(%e : tensor<6xf16>) -> tensor<6xf16>
  %y = linalg.fill ins(%one : f16) outs(%e : tensor<6xf16>) -> tensor<6xf16>
  %f = tensor.empty() : tensor<6xf32>
  %zf = linalg.fill ins(%wide : f32) outs(%f : tensor<6xf32>) -> tensor<6xf32>
  %h = tensor.empty() : tensor<5xf16>
  %zh = linalg.fill ins(%c : f16) outs(%h : tensor<5xf16>) -> tensor<5xf16>
  %0 = linalg.generic {indexing_maps = [#x, #w, #n], iterator_types = ["parallel", "reduction"]}
      ins(%x, %v : tensor<8xf16>, tensor<6x8xf16>) outs(%z : tensor<6xf16>) {
  ^bb0(%a: f16, %b: f16, %s: f16):
    %m = arith.mulf %a, %b : f16
    %r = arith.addf %s, %m : f16
    linalg.yield %r : f16
  } -> tensor<6xf16>
  %1 = linalg.generic {indexing_maps = [#x, #w, #n], iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : tensor<8xf16>, tensor<6x8xf16>) outs(%z : tensor<6xf16>) {
  ^bb0(%a: f16, %b: f16, %s: f16):
    %m = arith.mulf %a, %b : f16
    %r = arith.addf %s, %m : f16
    linalg.yield %r : f16
  } -> tensor<6xf16>
  %2 = linalg.generic {indexing_maps = [#x, #w, #n], iterator_types = ["parallel", "reduction"]}
      ins(%x, %u : tensor<8xf16>, tensor<6x8xf16>) outs(%zf : tensor<6xf32>) {
  ^bb0(%a: f16, %b: f16, %s: f32):
    %p = arith.extf %a : f16 to f32
    %q = arith.extf %b : f16 to f32
    %m = arith.mulf %p, %q : f32
    %r = arith.addf %s, %m : f32
    linalg.yield %r : f32
  } -> tensor<6xf32>
  %3 = linalg.generic {indexing_maps = [#x, #w, #n], iterator_types = ["parallel", "reduction"]}
      ins(%x, %u : tensor<8xf16>, tensor<6x8xf16>) outs(%y : tensor<6xf16>) {
  ^bb0(%a: f16, %b: f16, %s: f16):
    %m = arith.mulf %a, %b : f16
    %r = arith.addf %s, %m : f16
    linalg.yield %r : f16
  } -> tensor<6xf16>
  %4 = linalg.generic {indexing_maps = [#x, #w, #n], iterator_types = ["parallel", "reduction"]}
      ins(%x, %t : tensor<8xf16>, tensor<5x8xf16>) outs(%zh : tensor<5xf16>) {
  ^bb0(%a: f16, %b: f16, %s: f16):
    %m = arith.mulf %a, %b : f16
    %r = arith.addf %s, %m : f16
    linalg.yield %r : f16
  } -> tensor<5xf16>
  return %0, %1, %2, %3, %4 : tensor<6xf16>, tensor<6xf16>, tensor<6xf32>, tensor<6xf16>, tensor<5xf16>
}

// -----

// Two tables that are read at the same index; what asks for its place does so in the loops that there are then.
#i = affine_map<(n, k) -> ()>
#t = affine_map<(n, k) -> (k, n)>
#n = affine_map<(n, k) -> (n)>
// CHECK-LABEL: func.func @tables
// CHECK: tensor.insert_slice
// CHECK: %[[S:.*]] = tensor.insert_slice {{.*}} into tensor<9x2x4xf32>
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]} ins(%{{.*}}, %[[S]] : tensor<i64>, tensor<9x2x4xf32>)
// CHECK: linalg.index 2
// CHECK-COUNT-2: tensor.extract_slice
func.func @tables(%at: tensor<i64>, %sine: tensor<9x4xf32> {wse.kind = "parameter"},
                  %cosine: tensor<9x4xf32> {wse.kind = "parameter"}) -> (tensor<4xf32>, tensor<4xf32>) {
  %z = arith.constant dense<-0.0> : tensor<4xf32>
  %c = arith.constant -0.0 : f32
  %0 = linalg.generic {indexing_maps = [#i, #t, #n], iterator_types = ["parallel", "reduction"]}
      ins(%at, %sine : tensor<i64>, tensor<9x4xf32>) outs(%z : tensor<4xf32>) {
  ^bb0(%a: i64, %b: f32, %s: f32):
    %p = arith.index_cast %a : i64 to index
    %k = linalg.index 1 : index
    %e = arith.cmpi eq, %k, %p : index
    %m = arith.select %e, %b, %c : f32
    %r = arith.addf %s, %m : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#i, #t, #n], iterator_types = ["parallel", "reduction"]}
      ins(%at, %cosine : tensor<i64>, tensor<9x4xf32>) outs(%z : tensor<4xf32>) {
  ^bb0(%a: i64, %b: f32, %s: f32):
    %p = arith.index_cast %a : i64 to index
    %k = linalg.index 1 : index
    %e = arith.cmpi eq, %k, %p : index
    %m = arith.select %e, %b, %c : f32
    %r = arith.addf %s, %m : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Not where bodies differ, or where one asks for its place among the columns.
#i = affine_map<(n, k) -> ()>
#t = affine_map<(n, k) -> (k, n)>
#n = affine_map<(n, k) -> (n)>
// CHECK-LABEL: func.func @others
// CHECK-NOT: tensor.insert_slice
func.func @others(%at: tensor<i64>, %sine: tensor<9x4xf32> {wse.kind = "parameter"},
                  %cosine: tensor<9x4xf32> {wse.kind = "parameter"}, %t: tensor<9x4xf32> {wse.kind = "parameter"})
                  -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %z = arith.constant dense<-0.0> : tensor<4xf32>
  %c = arith.constant -0.0 : f32
  %0 = linalg.generic {indexing_maps = [#i, #t, #n], iterator_types = ["parallel", "reduction"]}
      ins(%at, %sine : tensor<i64>, tensor<9x4xf32>) outs(%z : tensor<4xf32>) {
  ^bb0(%a: i64, %b: f32, %s: f32):
    %p = arith.index_cast %a : i64 to index
    %k = linalg.index 0 : index
    %e = arith.cmpi eq, %k, %p : index
    %m = arith.select %e, %b, %c : f32
    %r = arith.addf %s, %m : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#i, #t, #n], iterator_types = ["parallel", "reduction"]}
      ins(%at, %cosine : tensor<i64>, tensor<9x4xf32>) outs(%z : tensor<4xf32>) {
  ^bb0(%a: i64, %b: f32, %s: f32):
    %p = arith.index_cast %a : i64 to index
    %k = linalg.index 0 : index
    %e = arith.cmpi eq, %k, %p : index
    %m = arith.select %e, %b, %c : f32
    %r = arith.addf %s, %m : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %2 = linalg.generic {indexing_maps = [#i, #t, #n], iterator_types = ["parallel", "reduction"]}
      ins(%at, %t : tensor<i64>, tensor<9x4xf32>) outs(%z : tensor<4xf32>) {
  ^bb0(%a: i64, %b: f32, %s: f32):
    %p = arith.index_cast %a : i64 to index
    %k = linalg.index 1 : index
    %e = arith.cmpi ne, %k, %p : index
    %m = arith.select %e, %b, %c : f32
    %r = arith.addf %s, %m : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  return %0, %1, %2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
