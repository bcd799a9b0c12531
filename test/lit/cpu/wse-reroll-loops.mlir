// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(wse-reroll-loops{operations=8 trips=4}))' | filecheck %s

// Steps read slices that advance and insert what they compute in order; the last state is a result as well.
// CHECK-LABEL: func.func @steps(
// CHECK-SAME: %[[X:.*]]: tensor<4x4xf32>, %[[W:.*]]: tensor<4x4xf32>, %[[H:.*]]: tensor<1x4xf32>, %[[Y:.*]]: tensor<4x4xf32>)
// CHECK: %[[R:.*]]:2 = scf.for %[[I:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args(%[[S:.*]] = %[[H]], %[[T:.*]] = %[[Y]])
// CHECK: %[[M:.*]] = linalg.matmul ins(%[[S]], %[[W]] :
// CHECK: %[[XI:.*]] = tensor.extract_slice %[[X]][%[[I]], 0] [1, 4]
// CHECK: %[[N:.*]] = linalg.generic {{.*}} ins(%[[XI]], %[[M]] :
// CHECK: %[[U:.*]] = tensor.insert_slice %[[N]] into %[[T]][%[[I]], 0] [1, 4]
// CHECK: scf.yield %[[N]], %[[U]]
// CHECK-NOT: linalg.matmul
// CHECK: return %[[R]]#1, %[[R]]#0

#id = affine_map<(i, j) -> (i, j)>
func.func @steps(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>, %h0: tensor<1x4xf32>, %y0: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<1x4xf32>) {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x4xf32>
  %zero = linalg.fill ins(%c : f32) outs(%e : tensor<1x4xf32>) -> tensor<1x4xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m0 = linalg.matmul ins(%h0, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x0, %m0 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m1 = linalg.matmul ins(%h1, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x1, %m1 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x2 = tensor.extract_slice %x[2, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m2 = linalg.matmul ins(%h2, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x2, %m2 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x3 = tensor.extract_slice %x[3, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m3 = linalg.matmul ins(%h3, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h4 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x3, %m3 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %y1 = tensor.insert_slice %h1 into %y0[0, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<4x4xf32>
  %y2 = tensor.insert_slice %h2 into %y1[1, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<4x4xf32>
  %y3 = tensor.insert_slice %h3 into %y2[2, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<4x4xf32>
  %y4 = tensor.insert_slice %h4 into %y3[3, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<4x4xf32>
  return %y4, %h4 : tensor<4x4xf32>, tensor<1x4xf32>
}

// -----

// Slices may go backwards, and what is inserted last may be computed first.
// CHECK-LABEL: func.func @backwards(
// CHECK: scf.for %[[I:.*]] =
// CHECK-DAG: arith.constant -1 : index
// CHECK: %[[K:.*]] = arith.addi
// CHECK: tensor.extract_slice %{{.*}}[%[[K]], 0] [1, 4]
// CHECK: tensor.insert_slice %{{.*}} into %{{.*}}[%{{.*}}, 0] [1, 4]
// CHECK-NOT: linalg.matmul

#id = affine_map<(i, j) -> (i, j)>
func.func @backwards(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>, %h0: tensor<1x4xf32>, %y0: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x4xf32>
  %zero = linalg.fill ins(%c : f32) outs(%e : tensor<1x4xf32>) -> tensor<1x4xf32>
  %x0 = tensor.extract_slice %x[3, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m0 = linalg.matmul ins(%h0, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x0, %m0 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x1 = tensor.extract_slice %x[2, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m1 = linalg.matmul ins(%h1, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x1, %m1 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x2 = tensor.extract_slice %x[1, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m2 = linalg.matmul ins(%h2, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x2, %m2 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x3 = tensor.extract_slice %x[0, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m3 = linalg.matmul ins(%h3, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h4 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x3, %m3 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %y1 = tensor.insert_slice %h4 into %y0[0, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<4x4xf32>
  %y2 = tensor.insert_slice %h3 into %y1[1, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<4x4xf32>
  %y3 = tensor.insert_slice %h2 into %y2[2, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<4x4xf32>
  %y4 = tensor.insert_slice %h1 into %y3[3, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<4x4xf32>
  return %y4 : tensor<4x4xf32>
}

// -----

// Results that are used in no order are stacked.
// CHECK-LABEL: func.func @stacked(
// CHECK: %[[E:.*]] = tensor.empty() : tensor<4x1x4xf32>
// CHECK: %[[R:.*]]:2 = scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %{{.*}} = %[[E]])
// CHECK: tensor.insert_slice %{{.*}} into %{{.*}}[%{{.*}}, 0, 0] [1, 1, 4]
// CHECK: %[[B:.*]] = tensor.extract_slice %[[R]]#1[1, 0, 0]
// CHECK: %[[D:.*]] = tensor.extract_slice %[[R]]#1[3, 0, 0]
// CHECK: return %[[B]], %[[D]]

#id = affine_map<(i, j) -> (i, j)>
func.func @stacked(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>, %h0: tensor<1x4xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>) {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x4xf32>
  %zero = linalg.fill ins(%c : f32) outs(%e : tensor<1x4xf32>) -> tensor<1x4xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m0 = linalg.matmul ins(%h0, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x0, %m0 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m1 = linalg.matmul ins(%h1, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x1, %m1 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x2 = tensor.extract_slice %x[2, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m2 = linalg.matmul ins(%h2, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x2, %m2 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x3 = tensor.extract_slice %x[3, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m3 = linalg.matmul ins(%h3, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h4 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x3, %m3 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  return %h2, %h4 : tensor<1x4xf32>, tensor<1x4xf32>
}

// -----

// Layers have weights of their own: no loop.
// CHECK-LABEL: func.func @weights(
// CHECK-NOT: scf.for

#id = affine_map<(i, j) -> (i, j)>
func.func @weights(%x: tensor<4x4xf32>, %w0: tensor<4x4xf32>, %w1: tensor<4x4xf32>, %w2: tensor<4x4xf32>, %w3: tensor<4x4xf32>, %h0: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x4xf32>
  %zero = linalg.fill ins(%c : f32) outs(%e : tensor<1x4xf32>) -> tensor<1x4xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m0 = linalg.matmul ins(%h0, %w0 : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x0, %m0 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m1 = linalg.matmul ins(%h1, %w1 : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x1, %m1 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x2 = tensor.extract_slice %x[2, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m2 = linalg.matmul ins(%h2, %w2 : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x2, %m2 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x3 = tensor.extract_slice %x[3, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m3 = linalg.matmul ins(%h3, %w3 : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h4 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x3, %m3 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  return %h4 : tensor<1x4xf32>
}

// -----

// Three steps are too few.
// CHECK-LABEL: func.func @few(
// CHECK-NOT: scf.for

#id = affine_map<(i, j) -> (i, j)>
func.func @few(%x: tensor<3x4xf32>, %w: tensor<4x4xf32>, %h0: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x4xf32>
  %zero = linalg.fill ins(%c : f32) outs(%e : tensor<1x4xf32>) -> tensor<1x4xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 4] [1, 1] : tensor<3x4xf32> to tensor<1x4xf32>
  %m0 = linalg.matmul ins(%h0, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x0, %m0 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 4] [1, 1] : tensor<3x4xf32> to tensor<1x4xf32>
  %m1 = linalg.matmul ins(%h1, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x1, %m1 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x2 = tensor.extract_slice %x[2, 0] [1, 4] [1, 1] : tensor<3x4xf32> to tensor<1x4xf32>
  %m2 = linalg.matmul ins(%h2, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x2, %m2 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  return %h3 : tensor<1x4xf32>
}

// -----

// Slices in no order: no loop.
// CHECK-LABEL: func.func @disorder(
// CHECK-NOT: scf.for

#id = affine_map<(i, j) -> (i, j)>
func.func @disorder(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>, %h0: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x4xf32>
  %zero = linalg.fill ins(%c : f32) outs(%e : tensor<1x4xf32>) -> tensor<1x4xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m0 = linalg.matmul ins(%h0, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x0, %m0 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m1 = linalg.matmul ins(%h1, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x1, %m1 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x2 = tensor.extract_slice %x[3, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m2 = linalg.matmul ins(%h2, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x2, %m2 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x3 = tensor.extract_slice %x[2, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m3 = linalg.matmul ins(%h3, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h4 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x3, %m3 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  return %h4 : tensor<1x4xf32>
}

// -----

// Steps that do not depend on each other stay: later passes fuse or share them.
// CHECK-LABEL: func.func @independent(
// CHECK-NOT: scf.for

#id = affine_map<(i, j) -> (i, j)>
func.func @independent(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>, %h0: tensor<1x4xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>) {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x4xf32>
  %zero = linalg.fill ins(%c : f32) outs(%e : tensor<1x4xf32>) -> tensor<1x4xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m0 = linalg.matmul ins(%h0, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x0, %m0 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m1 = linalg.matmul ins(%h0, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x1, %m1 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x2 = tensor.extract_slice %x[2, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m2 = linalg.matmul ins(%h0, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x2, %m2 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x3 = tensor.extract_slice %x[3, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %m3 = linalg.matmul ins(%h0, %w : tensor<1x4xf32>, tensor<4x4xf32>) outs(%zero : tensor<1x4xf32>) -> tensor<1x4xf32>
  %h4 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x3, %m3 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  return %h3, %h4 : tensor<1x4xf32>, tensor<1x4xf32>
}

// -----

// A chain without a product is better fused.
// CHECK-LABEL: func.func @pointwise(
// CHECK-NOT: scf.for

#id = affine_map<(i, j) -> (i, j)>
func.func @pointwise(%x: tensor<4x4xf32>, %h0: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x4xf32>
  %zero = linalg.fill ins(%c : f32) outs(%e : tensor<1x4xf32>) -> tensor<1x4xf32>
  %x0 = tensor.extract_slice %x[0, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %h1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x0, %h0 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x1 = tensor.extract_slice %x[1, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %h2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x1, %h1 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x2 = tensor.extract_slice %x[2, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %h3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x2, %h2 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  %x3 = tensor.extract_slice %x[3, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
  %h4 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x3, %h3 : tensor<1x4xf32>, tensor<1x4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<1x4xf32>
  return %h4 : tensor<1x4xf32>
}
