// RUN: wse-opt %s --split-input-file --wse-shrink-padded-filters | filecheck %s

#image = affine_map<(n, f, h, w, c, kh, kw) -> (n, c, h + kh, w + kw)>
#kernel = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#result = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>

// Of a kernel of 3 x 3 on one pixel, only the tap in the middle sees the image; no padding is left.
// CHECK-LABEL: func.func @one_pixel
// CHECK-NOT: tensor.pad
// CHECK: tensor.extract_slice %arg1[0, 0, 1, 1] [16, 8, 1, 1] [1, 1, 1, 1]
// CHECK: linalg.generic {{.*}} ins(%arg0, %{{.*}} : tensor<2x8x1x1xf32>, tensor<16x8x1x1xf32>)
func.func @one_pixel(%x: tensor<2x8x1x1xf32>, %k: tensor<16x8x3x3xf32>, %y: tensor<2x16x1x1xf32>) -> tensor<2x16x1x1xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %zero : f32
  } : tensor<2x8x1x1xf32> to tensor<2x8x3x3xf32>
  %r = linalg.generic {indexing_maps = [#image, #kernel, #result], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%p, %k : tensor<2x8x3x3xf32>, tensor<16x8x3x3xf32>) outs(%y : tensor<2x16x1x1xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %c, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x16x1x1xf32>
  return %r : tensor<2x16x1x1xf32>
}

// -----

#image = affine_map<(n, f, h, w, c, kh, kw) -> (n, c, h * 2 + kh, w * 2 + kw)>
#kernel = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#result = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>

// With stride 2 on 2 x 5 pixels, the first row of the kernel only meets padding; columns and their padding stay.
// CHECK-LABEL: func.func @stride
// CHECK: tensor.pad %arg0 low[0, 0, 0, 1] high[0, 0, 0, 1]
// CHECK: tensor.extract_slice %arg1[0, 0, 1, 0] [16, 8, 2, 3] [1, 1, 1, 1]
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<2x8x2x7xf32>, tensor<16x8x2x3xf32>)
func.func @stride(%x: tensor<2x8x2x5xf32>, %k: tensor<16x8x3x3xf32>, %y: tensor<2x16x1x3xf32>) -> tensor<2x16x1x3xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %zero : f32
  } : tensor<2x8x2x5xf32> to tensor<2x8x4x7xf32>
  %r = linalg.generic {indexing_maps = [#image, #kernel, #result], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%p, %k : tensor<2x8x4x7xf32>, tensor<16x8x3x3xf32>) outs(%y : tensor<2x16x1x3xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %c, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x16x1x3xf32>
  return %r : tensor<2x16x1x3xf32>
}

// -----

#image = affine_map<(n, f, h, c, kh) -> (n, c, h + kh)>
#kernel = affine_map<(n, f, h, c, kh) -> (f, c, kh)>
#result = affine_map<(n, f, h, c, kh) -> (n, f, h)>

// Two pixels are seen by all three taps, and padding that is not zero is seen by all.
// CHECK-LABEL: func.func @all_alive
// CHECK-COUNT-2: linalg.generic {{.*}} ins(%{{.*}}, %arg1 : tensor<1x8x{{[34]}}xf32>, tensor<16x8x3xf32>)
func.func @all_alive(%x: tensor<1x8x2xf32>, %k: tensor<16x8x3xf32>, %y: tensor<1x16x2xf32>, %u: tensor<1x8x1xf32>, %v: tensor<1x16x1xf32>) -> (tensor<1x16x2xf32>, tensor<1x16x1xf32>) {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %p = tensor.pad %x low[0, 0, 1] high[0, 0, 1] {
  ^bb0(%a: index, %b: index, %c: index):
    tensor.yield %zero : f32
  } : tensor<1x8x2xf32> to tensor<1x8x4xf32>
  %r = linalg.generic {indexing_maps = [#image, #kernel, #result], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%p, %k : tensor<1x8x4xf32>, tensor<16x8x3xf32>) outs(%y : tensor<1x16x2xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %c, %m : f32
    linalg.yield %s : f32
  } -> tensor<1x16x2xf32>
  %q = tensor.pad %u low[0, 0, 1] high[0, 0, 1] {
  ^bb0(%a: index, %b: index, %c: index):
    tensor.yield %one : f32
  } : tensor<1x8x1xf32> to tensor<1x8x3xf32>
  %t = linalg.generic {indexing_maps = [#image, #kernel, #result], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%q, %k : tensor<1x8x3xf32>, tensor<16x8x3xf32>) outs(%v : tensor<1x16x1xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %c, %m : f32
    linalg.yield %s : f32
  } -> tensor<1x16x1xf32>
  return %r, %t : tensor<1x16x2xf32>, tensor<1x16x1xf32>
}
