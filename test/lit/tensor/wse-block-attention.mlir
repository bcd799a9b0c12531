// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-block-attention{keys=4}),canonicalize)' | filecheck %s

#qd = affine_map<(q, k, d) -> (q, d)>
#kd = affine_map<(q, k, d) -> (k, d)>
#qk = affine_map<(q, k, d) -> (q, k)>
#all = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
#weights = affine_map<(q, d, k) -> (q, k)>
#values = affine_map<(q, d, k) -> (k, d)>
#mixed = affine_map<(q, d, k) -> (q, d)>

// Scores of four keys at a time: a loop whose state are the greatest score, the sum and the output of each row.
// CHECK-LABEL: func.func @equal_blocks(
// CHECK-SAME:    %[[Q:.*]]: tensor<6x4xf32>, %[[K:.*]]: tensor<8x4xf32>, %[[V:.*]]: tensor<8x5xf32>)
// CHECK-NOT:     6x8
// CHECK:         %[[R:.*]]:3 = scf.for %[[J:.*]] = %c0 to %c2 step %c1 iter_args(%[[M0:.*]] = %cst{{.*}}, %[[L0:.*]] = %cst{{.*}}, %[[O0:.*]] = %cst{{.*}}) ->
// CHECK:           %[[KJ:.*]] = tensor.extract_slice %[[K]][%[[J]], 0] [4, 4] [2, 1]
// CHECK:           %[[S:.*]] = linalg.generic {{.*}} ins(%[[Q]], %[[KJ]] :
// CHECK:           %[[MJ:.*]] = linalg.generic {{.*}} ins(%[[S]] : tensor<6x4xf32>)
// CHECK:             arith.maximumf
// CHECK:           %[[M:.*]]:3 = linalg.generic {{.*}} ins(%[[M0]], %[[MJ]] :
// CHECK:             %[[M1:.*]] = arith.maximumf
// CHECK:             %[[REF:.*]] = arith.maximumf %[[M1]], %cst
// CHECK:             %[[OLD:.*]] = arith.maximumf %{{.*}}, %cst
// CHECK:             %[[D:.*]] = arith.subf %[[OLD]], %[[REF]]
// CHECK:             %[[SCALE:.*]] = math.exp %[[D]]
// CHECK:             linalg.yield %[[M1]], %[[REF]], %[[SCALE]]
// CHECK:           %[[E:.*]] = linalg.generic {{.*}} ins(%[[S]], %[[M]]#1 :
// CHECK:             math.exp
// CHECK:           %[[LJ:.*]] = linalg.generic {{.*}} ins(%[[E]] :
// CHECK:           %[[L:.*]] = linalg.generic {{.*}} ins(%[[L0]], %[[M]]#2, %[[LJ]] :
// CHECK:             %[[LS:.*]] = arith.mulf
// CHECK:             arith.addf %[[LS]]
// CHECK:           %[[VJ:.*]] = tensor.extract_slice %[[V]][%[[J]], 0] [4, 5] [2, 1]
// CHECK:           %[[OJ:.*]] = linalg.generic {{.*}} ins(%[[E]], %[[VJ]] :
// CHECK:           %[[O:.*]] = linalg.generic {{.*}} ins(%[[O0]], %[[M]]#2, %[[OJ]] :
// CHECK:           scf.yield %[[M]]#0, %[[L]], %[[O]]
// A row whose scores all are minus infinity stays NaN.
// CHECK:         %[[NAN:.*]] = linalg.generic {{.*}} ins(%[[R]]#0 :
// CHECK:           arith.subf
// CHECK-DAG:     linalg.generic {{.*}} ins(%[[R]]#1, %[[NAN]] :
// CHECK-DAG:     linalg.generic {{.*}} ins(%[[R]]#2, %[[NAN]] :
func.func @equal_blocks(%q: tensor<6x4xf32>, %k: tensor<8x4xf32>, %v: tensor<8x5xf32>) -> (tensor<6x5xf32>, tensor<6xf32>) {
  %zs = arith.constant dense<0.0> : tensor<6x8xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<6x4xf32>, tensor<8x4xf32>) outs(%zs : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x8xf32>
  %low = arith.constant dense<0xFF800000> : tensor<6xf32>
  %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%s : tensor<6x8xf32>) outs(%low : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.maximumf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %es = tensor.empty() : tensor<6x8xf32>
  %e = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<6x8xf32>, tensor<6xf32>) outs(%es : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<6x8xf32>
  %zl = arith.constant dense<0.0> : tensor<6xf32>
  %l = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<6x8xf32>) outs(%zl : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.addf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %zo = arith.constant dense<0.0> : tensor<6x5xf32>
  %o = linalg.generic {indexing_maps = [#weights, #values, #mixed], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%e, %v : tensor<6x8xf32>, tensor<8x5xf32>) outs(%zo : tensor<6x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %c, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x5xf32>
  return %o, %l : tensor<6x5xf32>, tensor<6xf32>
}

// -----

#qd = affine_map<(q, k, d) -> (q, d)>
#kd = affine_map<(q, k, d) -> (k, d)>
#qk = affine_map<(q, k, d) -> (q, k)>
#all = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
#weights = affine_map<(q, d, k) -> (q, k)>
#values = affine_map<(q, d, k) -> (k, d)>
#mixed = affine_map<(q, d, k) -> (q, d)>

// Seventeen keys: two blocks of four and three of three. Peaks that are never minus infinity leave no row to correct.
// CHECK-LABEL: func.func @blocks_of_two_sizes(
// CHECK:         %[[A:.*]]:3 = scf.for %{{.*}} = %c0 to %c2 step %c1
// CHECK:           tensor.extract_slice %{{.*}}[%{{.*}}, 0] [4, 4] [5, 1]
// CHECK:         %[[B:.*]]:3 = scf.for %{{.*}} = %c2 to %c5 step %c1 iter_args(%{{.*}} = %[[A]]#0, %{{.*}} = %[[A]]#1, %{{.*}} = %[[A]]#2)
// CHECK:           tensor.extract_slice %{{.*}}[%{{.*}}, 0] [3, 4] [5, 1]
// CHECK:         return %[[B]]#2, %[[B]]#1
func.func @blocks_of_two_sizes(%q: tensor<6x4xf32>, %k: tensor<17x4xf32>, %v: tensor<17x5xf32>) -> (tensor<6x5xf32>, tensor<6xf32>) {
  %zs = arith.constant dense<0.0> : tensor<6x17xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<6x4xf32>, tensor<17x4xf32>) outs(%zs : tensor<6x17xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x17xf32>
  %low = arith.constant dense<0xFF800000> : tensor<6xf32>
  %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%s : tensor<6x17xf32>) outs(%low : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.maximumf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %es = tensor.empty() : tensor<6x17xf32>
  %e = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<6x17xf32>, tensor<6xf32>) outs(%es : tensor<6x17xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %g = arith.constant -1.0e30 : f32
    %r = arith.maximumf %b, %g : f32
    %d = arith.subf %a, %r : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<6x17xf32>
  %zl = arith.constant dense<0.0> : tensor<6xf32>
  %l = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<6x17xf32>) outs(%zl : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.addf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %zo = arith.constant dense<0.0> : tensor<6x5xf32>
  %o = linalg.generic {indexing_maps = [#weights, #values, #mixed], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%e, %v : tensor<6x17xf32>, tensor<17x5xf32>) outs(%zo : tensor<6x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %c, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x5xf32>
  return %o, %l : tensor<6x5xf32>, tensor<6xf32>
}

// -----

#qd = affine_map<(q, k, d) -> (q, d)>
#kd = affine_map<(q, k, d) -> (k, d)>
#qk = affine_map<(q, k, d) -> (q, k)>
#all = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
#weights = affine_map<(q, d, k) -> (q, k)>
#values = affine_map<(q, d, k) -> (k, d)>
#mixed = affine_map<(q, d, k) -> (q, d)>

// Weights that are divided before the product: powers are rounded as they were, rows are divided at the end.
// CHECK-LABEL: func.func @weights_first(
// CHECK:         %[[R:.*]]:3 = scf.for
// CHECK:           %[[E:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<6x4xf32>)
// CHECK:             math.exp
// CHECK:           %[[H:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<6x4xf32>) outs(%{{.*}} : tensor<6x4xf16>)
// CHECK-NEXT:      ^bb0
// CHECK-NEXT:        arith.truncf
// CHECK-NOT:       arith.divf
// CHECK:         %[[L:.*]] = linalg.generic {{.*}} ins(%[[R]]#1,
// CHECK:         %[[F:.*]] = linalg.generic {{.*}} ins(%[[L]] : tensor<6xf32>)
// CHECK:           arith.divf %cst{{.*}}, %in
// CHECK:         linalg.generic {{.*}} ins(%[[R]]#2, %[[F]],
// CHECK:           arith.mulf
// CHECK:           arith.addf
func.func @weights_first(%q: tensor<6x4xf32>, %k: tensor<8x4xf32>, %v: tensor<8x5xf16>) -> tensor<6x5xf32> {
  %zs = arith.constant dense<0.0> : tensor<6x8xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<6x4xf32>, tensor<8x4xf32>) outs(%zs : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x8xf32>
  %low = arith.constant dense<0xFF800000> : tensor<6xf32>
  %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%s : tensor<6x8xf32>) outs(%low : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.maximumf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %es = tensor.empty() : tensor<6x8xf32>
  %e = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<6x8xf32>, tensor<6xf32>) outs(%es : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<6x8xf32>
  %zl = arith.constant dense<0.0> : tensor<6xf32>
  %l = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<6x8xf32>) outs(%zl : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.addf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %ws = tensor.empty() : tensor<6x8xf16>
  %w = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%e, %l : tensor<6x8xf32>, tensor<6xf32>) outs(%ws : tensor<6x8xf16>) {
  ^bb0(%a: f32, %b: f32, %o: f16):
    %d = arith.divf %a, %b : f32
    %t = arith.truncf %d : f32 to f16
    linalg.yield %t : f16
  } -> tensor<6x8xf16>
  %zo = arith.constant dense<0.0> : tensor<6x5xf32>
  %o = linalg.generic {indexing_maps = [#weights, #values, #mixed], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%w, %v : tensor<6x8xf16>, tensor<8x5xf16>) outs(%zo : tensor<6x5xf32>) {
  ^bb0(%a: f16, %b: f16, %c: f32):
    %x = arith.extf %a : f16 to f32
    %y = arith.extf %b : f16 to f32
    %p = arith.mulf %x, %y : f32
    %n = arith.addf %c, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x5xf32>
  return %o : tensor<6x5xf32>
}

// -----

#scores = affine_map<(h, g, q, k, d) -> (h, g, q, k)>
#queries = affine_map<(h, g, q, k, d) -> (h, g, q, d)>
#keys = affine_map<(h, g, q, k, d) -> (h, k, d)>
#four = affine_map<(h, g, q, d, k) -> (h, g, q, k)>
#value = affine_map<(h, g, q, d, k) -> (h, k, d)>
#out = affine_map<(h, g, q, d, k) -> (h, g, q, d)>
#all = affine_map<(h, q, k) -> (h, q, k)>
#mask = affine_map<(h, q, k) -> (q, k)>
#row = affine_map<(h, q, k) -> (h, q)>
#first = affine_map<(q, k) -> (k)>
#second = affine_map<(q, k) -> (q)>
#both = affine_map<(q, k) -> (q, k)>

// Heads that share keys are a loop of the products, and none of the softmax; the mask is made for each block.
// CHECK-LABEL: func.func @grouped(
// CHECK-SAME:    %[[Q:.*]]: tensor<2x3x6x4xf32>, %[[K:.*]]: tensor<2x8x4xf32>, %[[V:.*]]: tensor<2x8x5xf32>, %[[AT:.*]]: tensor<8xi64>, %[[ROWS:.*]]: tensor<6xi64>)
// CHECK:         %[[R:.*]]:2 = scf.for %[[J:.*]] = %c0 to %c2 step %c1
// CHECK-DAG:       %[[PJ:.*]] = tensor.extract_slice %[[AT]][%[[J]]] [4] [2]
// CHECK-DAG:       linalg.generic {{.*}} ins(%[[PJ]], %[[ROWS]] : tensor<4xi64>, tensor<6xi64>) outs(%{{.*}} : tensor<6x4xi1>)
// CHECK-DAG:       %[[KJ:.*]] = tensor.extract_slice %[[K]][0, %[[J]], 0] [2, 4, 4] [1, 2, 1]
// CHECK-DAG:       %[[S:.*]] = linalg.generic {{.*}} ins(%[[Q]], %[[KJ]] :
// CHECK-DAG:       tensor.collapse_shape %[[S]] {{\[\[}}0, 1], [2], [3]] : tensor<2x3x6x4xf32> into tensor<6x6x4xf32>
// CHECK:           %[[M:.*]]:3 = linalg.generic
// CHECK:           tensor.expand_shape %{{.*}} {{\[\[}}0, 1], [2], [3]] output_shape [2, 3, 6, 4] : tensor<6x6x4xf32>
// CHECK:           tensor.expand_shape %[[M]]#2 {{\[\[}}0, 1], [2]] output_shape [2, 3, 6] : tensor<6x6xf32>
func.func @grouped(%q: tensor<2x3x6x4xf32>, %k: tensor<2x8x4xf32>, %v: tensor<2x8x5xf32>, %at: tensor<8xi64>, %rows: tensor<6xi64>) -> tensor<2x3x6x5xf32> {
  %inf = arith.constant 0xFF800000 : f32
  %zs = arith.constant dense<0.0> : tensor<2x3x6x8xf32>
  %s4 = linalg.generic {indexing_maps = [#queries, #keys, #scores], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x3x6x4xf32>, tensor<2x8x4xf32>) outs(%zs : tensor<2x3x6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<2x3x6x8xf32>
  %s = tensor.collapse_shape %s4 [[0, 1], [2], [3]] : tensor<2x3x6x8xf32> into tensor<6x6x8xf32>
  %hs = tensor.empty() : tensor<6x8xi1>
  %h = linalg.generic {indexing_maps = [#first, #second, #both], iterator_types = ["parallel", "parallel"]}
      ins(%at, %rows : tensor<8xi64>, tensor<6xi64>) outs(%hs : tensor<6x8xi1>) {
  ^bb0(%a: i64, %b: i64, %o: i1):
    %c = arith.cmpi sle, %a, %b : i64
    linalg.yield %c : i1
  } -> tensor<6x8xi1>
  %low = arith.constant dense<0xFF800000> : tensor<6x6xf32>
  %m = linalg.generic {indexing_maps = [#mask, #all, #row], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%h, %s : tensor<6x8xi1>, tensor<6x6x8xf32>) outs(%low : tensor<6x6xf32>) {
  ^bb0(%c: i1, %a: f32, %o: f32):
    %x = arith.select %c, %a, %inf : f32
    %n = arith.maximumf %x, %o : f32
    linalg.yield %n : f32
  } -> tensor<6x6xf32>
  %es = tensor.empty() : tensor<6x6x8xf32>
  %e = linalg.generic {indexing_maps = [#all, #mask, #row, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s, %h, %m : tensor<6x6x8xf32>, tensor<6x8xi1>, tensor<6x6xf32>) outs(%es : tensor<6x6x8xf32>) {
  ^bb0(%a: f32, %c: i1, %b: f32, %o: f32):
    %x = arith.select %c, %a, %inf : f32
    %d = arith.subf %x, %b : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<6x6x8xf32>
  %e4 = tensor.expand_shape %e [[0, 1], [2], [3]] output_shape [2, 3, 6, 8] : tensor<6x6x8xf32> into tensor<2x3x6x8xf32>
  %zo = arith.constant dense<0.0> : tensor<2x3x6x5xf32>
  %r = linalg.generic {indexing_maps = [#four, #value, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%e4, %v : tensor<2x3x6x8xf32>, tensor<2x8x5xf32>) outs(%zo : tensor<2x3x6x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<2x3x6x5xf32>
  return %r : tensor<2x3x6x5xf32>
}

// -----

#qd = affine_map<(q, k, d) -> (q, d)>
#kd = affine_map<(q, k, d) -> (k, d)>
#qk = affine_map<(q, k, d) -> (q, k)>
#all = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
#weights = affine_map<(q, d, k) -> (q, k)>
#values = affine_map<(q, d, k) -> (k, d)>
#mixed = affine_map<(q, d, k) -> (q, d)>

// Four keys are one block.
// CHECK-LABEL: func.func @few_keys(
// CHECK-NOT:     scf.for
func.func @few_keys(%q: tensor<6x4xf32>, %k: tensor<4x4xf32>, %v: tensor<4x5xf32>) -> (tensor<6x5xf32>, tensor<6xf32>) {
  %zs = arith.constant dense<0.0> : tensor<6x4xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<6x4xf32>, tensor<4x4xf32>) outs(%zs : tensor<6x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x4xf32>
  %low = arith.constant dense<0xFF800000> : tensor<6xf32>
  %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%s : tensor<6x4xf32>) outs(%low : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.maximumf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %es = tensor.empty() : tensor<6x4xf32>
  %e = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<6x4xf32>, tensor<6xf32>) outs(%es : tensor<6x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<6x4xf32>
  %zl = arith.constant dense<0.0> : tensor<6xf32>
  %l = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<6x4xf32>) outs(%zl : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.addf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %zo = arith.constant dense<0.0> : tensor<6x5xf32>
  %o = linalg.generic {indexing_maps = [#weights, #values, #mixed], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%e, %v : tensor<6x4xf32>, tensor<4x5xf32>) outs(%zo : tensor<6x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %c, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x5xf32>
  return %o, %l : tensor<6x5xf32>, tensor<6xf32>
}

// -----

#qd = affine_map<(q, k, d) -> (q, d)>
#kd = affine_map<(q, k, d) -> (k, d)>
#qk = affine_map<(q, k, d) -> (q, k)>
#all = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
#weights = affine_map<(q, d, k) -> (q, k)>
#values = affine_map<(q, d, k) -> (k, d)>
#mixed = affine_map<(q, d, k) -> (q, d)>

// All keys at once, as this one asks.
// CHECK-LABEL: func.func @asked_otherwise(
// CHECK-NOT:     scf.for
func.func @asked_otherwise(%q: tensor<6x4xf32>, %k: tensor<8x4xf32>, %v: tensor<8x5xf32>) -> (tensor<6x5xf32>, tensor<6xf32>) {
  %zs = arith.constant dense<0.0> : tensor<6x8xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<6x4xf32>, tensor<8x4xf32>) outs(%zs : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x8xf32>
  %low = arith.constant dense<0xFF800000> : tensor<6xf32>
  %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"], wse.keys = 0 : i64}
      ins(%s : tensor<6x8xf32>) outs(%low : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.maximumf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %es = tensor.empty() : tensor<6x8xf32>
  %e = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<6x8xf32>, tensor<6xf32>) outs(%es : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<6x8xf32>
  %zl = arith.constant dense<0.0> : tensor<6xf32>
  %l = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<6x8xf32>) outs(%zl : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.addf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %zo = arith.constant dense<0.0> : tensor<6x5xf32>
  %o = linalg.generic {indexing_maps = [#weights, #values, #mixed], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%e, %v : tensor<6x8xf32>, tensor<8x5xf32>) outs(%zo : tensor<6x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %c, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x5xf32>
  return %o, %l : tensor<6x5xf32>, tensor<6xf32>
}

// -----

#qd = affine_map<(q, k, d) -> (q, d)>
#kd = affine_map<(q, k, d) -> (k, d)>
#qk = affine_map<(q, k, d) -> (q, k)>
#all = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
#weights = affine_map<(q, d, k) -> (q, k)>
#values = affine_map<(q, d, k) -> (k, d)>
#mixed = affine_map<(q, d, k) -> (q, d)>

// Two keys at a time, as this one asks.
// CHECK-LABEL: func.func @asked(
// CHECK:         scf.for %{{.*}} = %c0 to %c4 step %c1
func.func @asked(%q: tensor<6x4xf32>, %k: tensor<8x4xf32>, %v: tensor<8x5xf32>) -> (tensor<6x5xf32>, tensor<6xf32>) {
  %zs = arith.constant dense<0.0> : tensor<6x8xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<6x4xf32>, tensor<8x4xf32>) outs(%zs : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x8xf32>
  %low = arith.constant dense<0xFF800000> : tensor<6xf32>
  %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"], wse.keys = 2 : i64}
      ins(%s : tensor<6x8xf32>) outs(%low : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.maximumf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %es = tensor.empty() : tensor<6x8xf32>
  %e = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<6x8xf32>, tensor<6xf32>) outs(%es : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<6x8xf32>
  %zl = arith.constant dense<0.0> : tensor<6xf32>
  %l = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<6x8xf32>) outs(%zl : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.addf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %zo = arith.constant dense<0.0> : tensor<6x5xf32>
  %o = linalg.generic {indexing_maps = [#weights, #values, #mixed], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%e, %v : tensor<6x8xf32>, tensor<8x5xf32>) outs(%zo : tensor<6x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %c, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x5xf32>
  return %o, %l : tensor<6x5xf32>, tensor<6xf32>
}

// -----

#qd = affine_map<(q, k, d) -> (q, d)>
#kd = affine_map<(q, k, d) -> (k, d)>
#qk = affine_map<(q, k, d) -> (q, k)>
#all = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
#weights = affine_map<(q, d, k) -> (q, k)>
#values = affine_map<(q, d, k) -> (k, d)>
#mixed = affine_map<(q, d, k) -> (q, d)>

// Somebody wants all powers.
// CHECK-LABEL: func.func @powers_are_wanted(
// CHECK-NOT:     scf.for
func.func @powers_are_wanted(%q: tensor<6x4xf32>, %k: tensor<8x4xf32>, %v: tensor<8x5xf32>) -> (tensor<6x5xf32>, tensor<6x8xf32>) {
  %zs = arith.constant dense<0.0> : tensor<6x8xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<6x4xf32>, tensor<8x4xf32>) outs(%zs : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x8xf32>
  %low = arith.constant dense<0xFF800000> : tensor<6xf32>
  %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%s : tensor<6x8xf32>) outs(%low : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.maximumf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %es = tensor.empty() : tensor<6x8xf32>
  %e = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<6x8xf32>, tensor<6xf32>) outs(%es : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<6x8xf32>
  %zl = arith.constant dense<0.0> : tensor<6xf32>
  %l = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<6x8xf32>) outs(%zl : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.addf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %zo = arith.constant dense<0.0> : tensor<6x5xf32>
  %o = linalg.generic {indexing_maps = [#weights, #values, #mixed], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%e, %v : tensor<6x8xf32>, tensor<8x5xf32>) outs(%zo : tensor<6x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %c, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x5xf32>
  return %o, %e : tensor<6x5xf32>, tensor<6x8xf32>
}

// -----

#qd = affine_map<(q, k, d) -> (q, d)>
#kd = affine_map<(q, k, d) -> (k, d)>
#qk = affine_map<(q, k, d) -> (q, k)>
#all = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
#weights = affine_map<(q, d, k) -> (q, k)>
#values = affine_map<(q, d, k) -> (k, d)>
#mixed = affine_map<(q, d, k) -> (q, d)>

// Somebody else reads the peaks.
// CHECK-LABEL: func.func @peaks_are_wanted(
// CHECK-NOT:     scf.for
func.func @peaks_are_wanted(%q: tensor<6x4xf32>, %k: tensor<8x4xf32>, %v: tensor<8x5xf32>) -> (tensor<6x5xf32>, tensor<6xf32>) {
  %zs = arith.constant dense<0.0> : tensor<6x8xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<6x4xf32>, tensor<8x4xf32>) outs(%zs : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x8xf32>
  %low = arith.constant dense<0xFF800000> : tensor<6xf32>
  %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%s : tensor<6x8xf32>) outs(%low : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.maximumf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %es = tensor.empty() : tensor<6x8xf32>
  %e = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<6x8xf32>, tensor<6xf32>) outs(%es : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<6x8xf32>
  %zl = arith.constant dense<0.0> : tensor<6xf32>
  %l = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<6x8xf32>) outs(%zl : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.addf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %zo = arith.constant dense<0.0> : tensor<6x5xf32>
  %o = linalg.generic {indexing_maps = [#weights, #values, #mixed], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%e, %v : tensor<6x8xf32>, tensor<8x5xf32>) outs(%zo : tensor<6x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %c, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x5xf32>
  return %o, %m : tensor<6x5xf32>, tensor<6xf32>
}

// -----

#qd = affine_map<(q, k, d) -> (q, d)>
#kd = affine_map<(q, k, d) -> (k, d)>
#qk = affine_map<(q, k, d) -> (q, k)>
#all = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
#weights = affine_map<(q, d, k) -> (q, k)>
#values = affine_map<(q, d, k) -> (k, d)>
#mixed = affine_map<(q, d, k) -> (q, d)>

// The greatest of something else.
// CHECK-LABEL: func.func @other_peaks(
// CHECK-NOT:     scf.for
func.func @other_peaks(%q: tensor<6x4xf32>, %k: tensor<8x4xf32>, %v: tensor<8x5xf32>) -> (tensor<6x5xf32>, tensor<6xf32>) {
  %zs = arith.constant dense<0.0> : tensor<6x8xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<6x4xf32>, tensor<8x4xf32>) outs(%zs : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x8xf32>
  %low = arith.constant dense<0xFF800000> : tensor<6xf32>
  %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%s : tensor<6x8xf32>) outs(%low : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.mulf %a, %a : f32
    %n = arith.maximumf %t, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %es = tensor.empty() : tensor<6x8xf32>
  %e = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<6x8xf32>, tensor<6xf32>) outs(%es : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<6x8xf32>
  %zl = arith.constant dense<0.0> : tensor<6xf32>
  %l = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<6x8xf32>) outs(%zl : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.addf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %zo = arith.constant dense<0.0> : tensor<6x5xf32>
  %o = linalg.generic {indexing_maps = [#weights, #values, #mixed], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%e, %v : tensor<6x8xf32>, tensor<8x5xf32>) outs(%zo : tensor<6x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %c, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x5xf32>
  return %o, %l : tensor<6x5xf32>, tensor<6xf32>
}

// -----

#qd = affine_map<(q, k, d) -> (q, d)>
#kd = affine_map<(q, k, d) -> (k, d)>
#qk = affine_map<(q, k, d) -> (q, k)>
#all = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
#weights = affine_map<(q, d, k) -> (q, k)>
#values = affine_map<(q, d, k) -> (k, d)>
#mixed = affine_map<(q, d, k) -> (q, d)>

// A row's greatest score is at least 0.
// CHECK-LABEL: func.func @peaks_of_more(
// CHECK-NOT:     scf.for
func.func @peaks_of_more(%q: tensor<6x4xf32>, %k: tensor<8x4xf32>, %v: tensor<8x5xf32>) -> (tensor<6x5xf32>, tensor<6xf32>) {
  %zs = arith.constant dense<0.0> : tensor<6x8xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<6x4xf32>, tensor<8x4xf32>) outs(%zs : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x8xf32>
  %low = arith.constant dense<0.0> : tensor<6xf32>
  %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%s : tensor<6x8xf32>) outs(%low : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.maximumf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %es = tensor.empty() : tensor<6x8xf32>
  %e = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<6x8xf32>, tensor<6xf32>) outs(%es : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<6x8xf32>
  %zl = arith.constant dense<0.0> : tensor<6xf32>
  %l = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<6x8xf32>) outs(%zl : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.addf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %zo = arith.constant dense<0.0> : tensor<6x5xf32>
  %o = linalg.generic {indexing_maps = [#weights, #values, #mixed], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%e, %v : tensor<6x8xf32>, tensor<8x5xf32>) outs(%zo : tensor<6x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %c, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x5xf32>
  return %o, %l : tensor<6x5xf32>, tensor<6xf32>
}

// -----

#qd = affine_map<(q, k, d) -> (q, d)>
#kd = affine_map<(q, k, d) -> (k, d)>
#qk = affine_map<(q, k, d) -> (q, k)>
#all = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
#weights = affine_map<(q, d, k) -> (q, k)>
#values = affine_map<(q, d, k) -> (k, d)>
#mixed = affine_map<(q, d, k) -> (q, d)>

// A sum of squares does not scale as a sum of powers does.
// CHECK-LABEL: func.func @squares(
// CHECK-NOT:     scf.for
func.func @squares(%q: tensor<6x4xf32>, %k: tensor<8x4xf32>, %v: tensor<8x5xf32>) -> (tensor<6x5xf32>, tensor<6xf32>) {
  %zs = arith.constant dense<0.0> : tensor<6x8xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<6x4xf32>, tensor<8x4xf32>) outs(%zs : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x8xf32>
  %low = arith.constant dense<0xFF800000> : tensor<6xf32>
  %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%s : tensor<6x8xf32>) outs(%low : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.maximumf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %es = tensor.empty() : tensor<6x8xf32>
  %e = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<6x8xf32>, tensor<6xf32>) outs(%es : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<6x8xf32>
  %zl = arith.constant dense<0.0> : tensor<6xf32>
  %l = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<6x8xf32>) outs(%zl : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = arith.mulf %a, %a : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %zo = arith.constant dense<0.0> : tensor<6x5xf32>
  %o = linalg.generic {indexing_maps = [#weights, #values, #mixed], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%e, %v : tensor<6x8xf32>, tensor<8x5xf32>) outs(%zo : tensor<6x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %c, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x5xf32>
  return %o, %l : tensor<6x5xf32>, tensor<6xf32>
}

// -----

#qd = affine_map<(q, k, d) -> (q, d)>
#kd = affine_map<(q, k, d) -> (k, d)>
#qk = affine_map<(q, k, d) -> (q, k)>
#all = affine_map<(q, k) -> (q, k)>
#row = affine_map<(q, k) -> (q)>
#weights = affine_map<(q, d, k) -> (q, k)>
#values = affine_map<(q, d, k) -> (k, d)>
#mixed = affine_map<(q, d, k) -> (q, d)>

// What is added to something does not scale either.
// CHECK-LABEL: func.func @sums_on_top(
// CHECK-NOT:     scf.for
func.func @sums_on_top(%q: tensor<6x4xf32>, %k: tensor<8x4xf32>, %v: tensor<8x5xf32>) -> (tensor<6x5xf32>, tensor<6xf32>) {
  %zs = arith.constant dense<0.0> : tensor<6x8xf32>
  %s = linalg.generic {indexing_maps = [#qd, #kd, #qk], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<6x4xf32>, tensor<8x4xf32>) outs(%zs : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %o, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x8xf32>
  %low = arith.constant dense<0xFF800000> : tensor<6xf32>
  %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%s : tensor<6x8xf32>) outs(%low : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.maximumf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %es = tensor.empty() : tensor<6x8xf32>
  %e = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%s, %m : tensor<6x8xf32>, tensor<6xf32>) outs(%es : tensor<6x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<6x8xf32>
  %zl = arith.constant dense<0.0> : tensor<6xf32>
  %l = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<6x8xf32>) outs(%zl : tensor<6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.addf %a, %o : f32
    linalg.yield %n : f32
  } -> tensor<6xf32>
  %zo = arith.constant dense<1.0> : tensor<6x5xf32>
  %o = linalg.generic {indexing_maps = [#weights, #values, #mixed], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%e, %v : tensor<6x8xf32>, tensor<8x5xf32>) outs(%zo : tensor<6x5xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %n = arith.addf %c, %p : f32
    linalg.yield %n : f32
  } -> tensor<6x5xf32>
  return %o, %l : tensor<6x5xf32>, tensor<6xf32>
}
