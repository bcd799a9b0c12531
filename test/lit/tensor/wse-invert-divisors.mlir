// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-invert-divisors),canonicalize,cse)' | filecheck %s

// By a power of two: the same number, whatever becomes of it. By three: rounded, so not where a floor would show it.
// CHECK-LABEL: func.func @constants
// CHECK-DAG: %[[THIRD:.*]] = arith.constant 0.333333343 : f32
// CHECK-DAG: %[[EIGHTH:.*]] = arith.constant 1.250000e-01 : f32
// CHECK-DAG: %[[THREE:.*]] = arith.constant 3.000000e+00 : f32
// CHECK-DAG: %[[TINY:.*]] = arith.constant 1.000000e-39 : f32
// CHECK: %[[X:.*]] = arith.mulf %{{.*}}, %[[EIGHTH]] : f32
// CHECK: math.floor %[[X]]
// CHECK: arith.mulf %{{.*}}, %[[THIRD]] : f32
// CHECK: %[[Z:.*]] = arith.divf %{{.*}}, %[[THREE]] : f32
// CHECK: math.floor %[[Z]]
// CHECK: arith.divf %{{.*}}, %[[TINY]] : f32
#id = affine_map<(d0) -> (d0)>
func.func @constants(%a: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
  %eight = arith.constant 8.0 : f32
  %three = arith.constant 3.0 : f32
  %tiny = arith.constant 1.0e-39 : f32
  %e = tensor.empty() : tensor<8xf32>
  %r:4 = linalg.generic {indexing_maps = [#id, #id, #id, #id, #id, #id], iterator_types = ["parallel"]}
      ins(%a, %b : tensor<8xf32>, tensor<8xf32>) outs(%e, %e, %e, %e : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
  ^bb0(%x: f32, %y: f32, %o0: f32, %o1: f32, %o2: f32, %o3: f32):
    %0 = arith.divf %x, %eight : f32
    %1 = math.floor %0 : f32
    %2 = arith.divf %x, %three : f32
    %3 = arith.divf %y, %three : f32
    %4 = math.floor %3 : f32
    %5 = arith.divf %x, %tiny : f32
    linalg.yield %1, %2, %4, %5 : f32, f32, f32, f32
  } -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>)
  return %r#0, %r#1, %r#2, %r#3 : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
}

// -----

// One reciprocal for a row, of a divisor that is scaled where it is very small or large; none for rows of two elements,
// nor for a quotient that is compared with a number in the next operation.
// CHECK-LABEL: func.func @rows
// CHECK: ^bb0(%[[X:.*]]: f32, %[[D:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: math.absf %[[D]]
// CHECK: arith.select
// CHECK: %[[S:.*]] = arith.select
// CHECK: %[[T:.*]] = arith.mulf %[[D]], %[[S]]
// CHECK: %[[R:.*]] = arith.divf %{{.*}}, %[[T]]
// CHECK: %[[P:.*]] = arith.mulf %[[X]], %[[R]]
// CHECK: arith.mulf %[[P]], %[[S]]
// CHECK: ^bb0(%[[X:.*]]: f32, %[[D:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: arith.divf %[[X]], %[[D]]
// CHECK: ^bb0(%[[X:.*]]: f32, %[[D:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: arith.divf %[[X]], %[[D]]
#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
func.func @rows(%a: tensor<3x8xf32>, %s: tensor<3xf32>, %b: tensor<3x2xf32>) -> (tensor<3x8xf32>, tensor<3x2xf32>, tensor<3x8xi1>) {
  %one = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<3x8xf32>
  %f = tensor.empty() : tensor<3x2xf32>
  %g = tensor.empty() : tensor<3x8xi1>
  %0 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a, %s : tensor<3x8xf32>, tensor<3xf32>) outs(%e : tensor<3x8xf32>) {
  ^bb0(%x: f32, %d: f32, %o: f32):
    %q = arith.divf %x, %d : f32
    linalg.yield %q : f32
  } -> tensor<3x8xf32>
  %1 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%b, %s : tensor<3x2xf32>, tensor<3xf32>) outs(%f : tensor<3x2xf32>) {
  ^bb0(%x: f32, %d: f32, %o: f32):
    %q = arith.divf %x, %d : f32
    linalg.yield %q : f32
  } -> tensor<3x2xf32>
  %2 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a, %s : tensor<3x8xf32>, tensor<3xf32>) outs(%e : tensor<3x8xf32>) {
  ^bb0(%x: f32, %d: f32, %o: f32):
    %q = arith.divf %x, %d : f32
    %n = arith.negf %q : f32
    linalg.yield %n : f32
  } -> tensor<3x8xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%2 : tensor<3x8xf32>) outs(%g : tensor<3x8xi1>) {
  ^bb0(%x: f32, %o: i1):
    %c = arith.cmpf oge, %x, %one : f32
    linalg.yield %c : i1
  } -> tensor<3x8xi1>
  return %0, %1, %3 : tensor<3x8xf32>, tensor<3x2xf32>, tensor<3x8xi1>
}

// -----

// Square roots need no scaling. The mean of numbers stays a division, a scaled product's sum does not.
// CHECK-LABEL: func.func @roots_and_sums
// CHECK: %[[N:.*]] = math.sqrt
// CHECK-NEXT: %[[R:.*]] = arith.divf %{{.*}}, %[[N]]
// CHECK-NEXT: arith.mulf %{{.*}}, %[[R]]
// CHECK-NEXT: linalg.yield
// CHECK: arith.addf
// CHECK: arith.divf
// CHECK: arith.mulf
// CHECK: arith.addf
// CHECK-NOT: arith.divf
#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#one = affine_map<(d0) -> (d0)>
func.func @roots_and_sums(%a: tensor<3x7xf32>, %s: tensor<3xf32>) -> (tensor<3x7xf32>, tensor<3xf32>, tensor<3xf32>) {
  %seven = arith.constant 7.0 : f32
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x7xf32>
  %f = tensor.empty() : tensor<3xf32>
  %z = linalg.fill ins(%zero : f32) outs(%f : tensor<3xf32>) -> tensor<3xf32>
  %0 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a, %s : tensor<3x7xf32>, tensor<3xf32>) outs(%e : tensor<3x7xf32>) {
  ^bb0(%x: f32, %d: f32, %o: f32):
    %n = math.sqrt %d : f32
    %q = arith.divf %x, %n : f32
    linalg.yield %q : f32
  } -> tensor<3x7xf32>
  %1 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
      ins(%a : tensor<3x7xf32>) outs(%z : tensor<3xf32>) {
  ^bb0(%x: f32, %o: f32):
    %t = arith.addf %o, %x : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  %2 = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]}
      ins(%1 : tensor<3xf32>) outs(%f : tensor<3xf32>) {
  ^bb0(%x: f32, %o: f32):
    %q = arith.divf %x, %seven : f32
    linalg.yield %q : f32
  } -> tensor<3xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id, #row], iterator_types = ["parallel", "reduction"]}
      ins(%a, %a : tensor<3x7xf32>, tensor<3x7xf32>) outs(%z : tensor<3xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %p = arith.mulf %x, %y : f32
    %t = arith.addf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<3xf32>
  %4 = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]}
      ins(%3 : tensor<3xf32>) outs(%f : tensor<3xf32>) {
  ^bb0(%x: f32, %o: f32):
    %q = arith.divf %x, %seven : f32
    linalg.yield %q : f32
  } -> tensor<3xf32>
  return %0, %2, %4 : tensor<3x7xf32>, tensor<3xf32>, tensor<3xf32>
}
