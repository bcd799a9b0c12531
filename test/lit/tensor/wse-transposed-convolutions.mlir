// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-transposed-convolutions,wse-dce),canonicalize,cse)' --split-input-file | filecheck %s

// Four taps, a step of two: both phases have two taps and become an iterator; the filter is divided, the image only padded.
// CHECK-DAG:   #[[TAPS:.*]] = affine_map<(d0, d1) -> (d1 * 2 + (-d0) mod 2)>
// CHECK-DAG:   #[[IMAGE:.*]] = affine_map<(d0, d1, d2) -> (d0 + d2 - ((-d1) floordiv 2 + 1) + 1)>
// CHECK-DAG:   #[[FILTER:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-LABEL: func.func @joint
// CHECK:         %[[W:.*]] = linalg.generic {indexing_maps = [#[[TAPS]], {{.*}} ins(%arg1 : tensor<4xf32>) outs(%{{.*}} : tensor<2x2xf32>)
// CHECK:         %[[Q:.*]] = linalg.generic {indexing_maps = [#[[IMAGE]], #[[FILTER]], {{.*}} ins(%{{.*}} : tensor<10xf32>, tensor<2x2xf32>)
// CHECK:         tensor.collapse_shape %[[Q]] {{\[\[}}0, 1]] : tensor<8x2xf32> into tensor<16xf32>
#i = affine_map<(o, k) -> (o + k)>
#f = affine_map<(o, k) -> (k)>
#r = affine_map<(o, k) -> (o)>
#s = affine_map<(o) -> ()>
#d = affine_map<(o) -> (o)>
func.func @joint(%x: tensor<8xf32>, %w: tensor<4xf32>, %init: tensor<16xf32>) -> tensor<16xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<19xf32>
  %zeros = linalg.generic {indexing_maps = [#s, #d], iterator_types = ["parallel"]} ins(%zero : f32) outs(%e : tensor<19xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<19xf32>
  %spread = tensor.insert_slice %x into %zeros[2] [8] [2] : tensor<8xf32> into tensor<19xf32>
  %y = linalg.generic {indexing_maps = [#i, #f, #r], iterator_types = ["parallel", "reduction"]}
      ins(%spread, %w : tensor<19xf32>, tensor<4xf32>) outs(%init : tensor<16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %t = arith.addf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<16xf32>
  return %y : tensor<16xf32>
}

// -----

// Three taps: even positions meet one, odd ones two. Each phase is a convolution, the operation behind it is divided too,
// and their results are inserted at every second position.
// CHECK-LABEL: func.func @single
// CHECK-NOT:     tensor<19xf32>
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<8xf32>, tensor<1xf32>)
// CHECK:         %[[E:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<8xf32>) outs(%{{.*}} : tensor<8xf32>)
// CHECK:           math.exp
// CHECK:         tensor.insert_slice %[[E]] into %{{.*}}[0] [8] [2]
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<9xf32>, tensor<2xf32>)
// CHECK:         %[[O:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<8xf32>) outs(%{{.*}} : tensor<8xf32>)
// CHECK:           math.exp
// CHECK:         tensor.insert_slice %[[O]] into %{{.*}}[1] [8] [2]
// CHECK-NOT:     linalg.generic
#i = affine_map<(o, k) -> (o + k)>
#f = affine_map<(o, k) -> (k)>
#r = affine_map<(o, k) -> (o)>
#s = affine_map<(o) -> ()>
#d = affine_map<(o) -> (o)>
func.func @single(%x: tensor<8xf32>, %w: tensor<3xf32>, %init: tensor<16xf32>) -> tensor<16xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<18xf32>
  %zeros = linalg.generic {indexing_maps = [#s, #d], iterator_types = ["parallel"]} ins(%zero : f32) outs(%e : tensor<18xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<18xf32>
  %spread = tensor.insert_slice %x into %zeros[1] [8] [2] : tensor<8xf32> into tensor<18xf32>
  %y = linalg.generic {indexing_maps = [#i, #f, #r], iterator_types = ["parallel", "reduction"]}
      ins(%spread, %w : tensor<18xf32>, tensor<3xf32>) outs(%init : tensor<16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %t = arith.addf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<16xf32>
  %g = tensor.empty() : tensor<16xf32>
  %z = linalg.generic {indexing_maps = [#d, #d], iterator_types = ["parallel"]} ins(%y : tensor<16xf32>) outs(%g : tensor<16xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = math.exp %a : f32
    linalg.yield %t : f32
  } -> tensor<16xf32>
  return %z : tensor<16xf32>
}

// -----

// What lies between the elements is not zero: nothing changes.
// CHECK-LABEL: func.func @ones
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %arg1 : tensor<19xf32>, tensor<4xf32>)
#i = affine_map<(o, k) -> (o + k)>
#f = affine_map<(o, k) -> (k)>
#r = affine_map<(o, k) -> (o)>
func.func @ones(%x: tensor<8xf32>, %w: tensor<4xf32>, %init: tensor<16xf32>) -> tensor<16xf32> {
  %ones = arith.constant dense<1.0> : tensor<19xf32>
  %spread = tensor.insert_slice %x into %ones[2] [8] [2] : tensor<8xf32> into tensor<19xf32>
  %y = linalg.generic {indexing_maps = [#i, #f, #r], iterator_types = ["parallel", "reduction"]}
      ins(%spread, %w : tensor<19xf32>, tensor<4xf32>) outs(%init : tensor<16xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %t = arith.addf %o, %p : f32
    linalg.yield %t : f32
  } -> tensor<16xf32>
  return %y : tensor<16xf32>
}
