// RUN: wse-opt %s --split-input-file --wse-softmax-reciprocals | filecheck %s

#mat = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// The quotient of a softmax becomes a product; the reciprocals are computed once a row, of sizes known only at run time
// as well.
// CHECK-LABEL: func.func @softmax
// CHECK: arith.addf
// CHECK: %[[SIZE:.*]] = tensor.dim
// CHECK: %[[INIT:.*]] = tensor.empty(%[[SIZE]]) : tensor<?xf32>
// CHECK: %[[R:.*]] = linalg.generic {{.*}} iterator_types = ["parallel"]} {{.*}} outs(%[[INIT]] : tensor<?xf32>)
// CHECK: arith.divf
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[R]] : tensor<?x6xf32>, tensor<?xf32>)
// CHECK-NOT: arith.divf
// CHECK: arith.mulf
// CHECK-NOT: arith.divf
// CHECK: return
func.func @softmax(%x: tensor<?x6xf32>, %m0: tensor<?xf32>, %s0: tensor<?xf32>, %e0: tensor<?x6xf32>) -> tensor<?x6xf32> {
  %m = linalg.generic {indexing_maps = [#mat, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x6xf32>) outs(%m0 : tensor<?xf32>) {
  ^bb0(%a: f32, %c: f32):
    %q = arith.maximumf %a, %c : f32
    linalg.yield %q : f32
  } -> tensor<?xf32>
  %e = linalg.generic {indexing_maps = [#mat, #row, #mat], iterator_types = ["parallel", "parallel"]} ins(%x, %m : tensor<?x6xf32>, tensor<?xf32>) outs(%e0 : tensor<?x6xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.subf %a, %b : f32
    %q = math.exp %p : f32
    linalg.yield %q : f32
  } -> tensor<?x6xf32>
  %s = linalg.generic {indexing_maps = [#mat, #row], iterator_types = ["parallel", "reduction"]} ins(%e : tensor<?x6xf32>) outs(%s0 : tensor<?xf32>) {
  ^bb0(%a: f32, %c: f32):
    %q = arith.addf %a, %c : f32
    linalg.yield %q : f32
  } -> tensor<?xf32>
  %y = linalg.generic {indexing_maps = [#mat, #row, #mat], iterator_types = ["parallel", "parallel"]} ins(%e, %s : tensor<?x6xf32>, tensor<?xf32>) outs(%e0 : tensor<?x6xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %q = arith.divf %a, %b : f32
    linalg.yield %q : f32
  } -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

#mat = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// A quotient by another sum stays: it may be so small that it has no reciprocal.
// CHECK-LABEL: func.func @mean
// CHECK: arith.divf %in, %in_0
func.func @mean(%x: tensor<4x6xf32>, %s0: tensor<4xf32>, %e0: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %s = linalg.generic {indexing_maps = [#mat, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x6xf32>) outs(%s0 : tensor<4xf32>) {
  ^bb0(%a: f32, %c: f32):
    %q = arith.addf %a, %c : f32
    linalg.yield %q : f32
  } -> tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#mat, #row, #mat], iterator_types = ["parallel", "parallel"]} ins(%x, %s : tensor<4x6xf32>, tensor<4xf32>) outs(%e0 : tensor<4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %q = arith.divf %a, %b : f32
    linalg.yield %q : f32
  } -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

#mat = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// So does one by the sum of exponentials of which nothing is subtracted that is known to be the greatest.
// CHECK-LABEL: func.func @unshifted
// CHECK: arith.divf %in, %in_0
func.func @unshifted(%x: tensor<4x6xf32>, %m: tensor<4xf32>, %s0: tensor<4xf32>, %e0: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %e = linalg.generic {indexing_maps = [#mat, #row, #mat], iterator_types = ["parallel", "parallel"]} ins(%x, %m : tensor<4x6xf32>, tensor<4xf32>) outs(%e0 : tensor<4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.subf %a, %b : f32
    %q = math.exp %p : f32
    linalg.yield %q : f32
  } -> tensor<4x6xf32>
  %s = linalg.generic {indexing_maps = [#mat, #row], iterator_types = ["parallel", "reduction"]} ins(%e : tensor<4x6xf32>) outs(%s0 : tensor<4xf32>) {
  ^bb0(%a: f32, %c: f32):
    %q = arith.addf %a, %c : f32
    linalg.yield %q : f32
  } -> tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#mat, #row, #mat], iterator_types = ["parallel", "parallel"]} ins(%e, %s : tensor<4x6xf32>, tensor<4xf32>) outs(%e0 : tensor<4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %q = arith.divf %a, %b : f32
    linalg.yield %q : f32
  } -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

#mat = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// Sizes that are known.
// CHECK-LABEL: func.func @known_sizes
// CHECK: arith.divf {{.*}} : f32
// CHECK-NEXT: linalg.yield
// CHECK-NEXT: } -> tensor<4xf32>
// CHECK: arith.mulf
// CHECK-NOT: arith.divf
// CHECK: return
func.func @known_sizes(%x: tensor<4x6xf32>, %m0: tensor<4xf32>, %s0: tensor<4xf32>, %e0: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %m = linalg.generic {indexing_maps = [#mat, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x6xf32>) outs(%m0 : tensor<4xf32>) {
  ^bb0(%a: f32, %c: f32):
    %q = arith.maximumf %a, %c : f32
    linalg.yield %q : f32
  } -> tensor<4xf32>
  %e = linalg.generic {indexing_maps = [#mat, #row, #mat], iterator_types = ["parallel", "parallel"]} ins(%x, %m : tensor<4x6xf32>, tensor<4xf32>) outs(%e0 : tensor<4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.subf %a, %b : f32
    %q = math.exp %p : f32
    linalg.yield %q : f32
  } -> tensor<4x6xf32>
  %s = linalg.generic {indexing_maps = [#mat, #row], iterator_types = ["parallel", "reduction"]} ins(%e : tensor<4x6xf32>) outs(%s0 : tensor<4xf32>) {
  ^bb0(%a: f32, %c: f32):
    %q = arith.addf %a, %c : f32
    linalg.yield %q : f32
  } -> tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#mat, #row, #mat], iterator_types = ["parallel", "parallel"]} ins(%e, %s : tensor<4x6xf32>, tensor<4xf32>) outs(%e0 : tensor<4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %q = arith.divf %a, %b : f32
    linalg.yield %q : f32
  } -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}
