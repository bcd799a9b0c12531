// RUN: wse-opt %s --pass-pipeline='builtin.module(func.func(wse-separate-extremes),canonicalize,cse)' --split-input-file | filecheck %s

#all = affine_map<(d0, d1) -> (d0, d1)>
#lines = affine_map<(d0, d1) -> (d0)>

// CHECK-LABEL: func.func @argmax
// CHECK-SAME:    %[[X:[a-z0-9_]+]]: tensor<3x5xf32>
// CHECK:         %[[M:.*]] = linalg.generic {{.*}} ins(%[[X]] : tensor<3x5xf32>)
// CHECK:           arith.maximumf
// CHECK:         %[[P:.*]] = linalg.generic {{.*}} ins(%[[X]], %[[M]] : tensor<3x5xf32>, tensor<3xf32>) outs(%{{.*}} : tensor<3xi32>)
// CHECK:           %[[SAME:.*]] = arith.cmpf oeq
// CHECK:           %[[NAN:.*]] = arith.cmpf uno
// CHECK:           arith.ori %[[SAME]], %[[NAN]]
// CHECK:           arith.minsi
// CHECK:         linalg.generic {{.*}} ins(%[[P]] : tensor<3xi32>) outs(%{{.*}} : tensor<3xi64>)
// CHECK:           arith.extsi
func.func @argmax(%x: tensor<3x5xf32>) -> (tensor<3xf32>, tensor<3xi64>) {
  %lowest = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0 : i64
  %e = tensor.empty() : tensor<3xf32>
  %m = linalg.fill ins(%lowest : f32) outs(%e : tensor<3xf32>) -> tensor<3xf32>
  %f = tensor.empty() : tensor<3xi64>
  %p = linalg.fill ins(%zero : i64) outs(%f : tensor<3xi64>) -> tensor<3xi64>
  %0:2 = linalg.generic {indexing_maps = [#all, #lines, #lines], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<3x5xf32>) outs(%m, %p : tensor<3xf32>, tensor<3xi64>) {
  ^bb0(%in: f32, %best: f32, %at: i64):
    %i = linalg.index 1 : index
    %k = arith.index_cast %i : index to i64
    %g = arith.maximumf %in, %best : f32
    %c = arith.cmpf ugt, %in, %best : f32
    %o = arith.cmpf ord, %best, %best : f32
    %w = arith.andi %c, %o : i1
    %s = arith.select %w, %k, %at : i64
    linalg.yield %g, %s : f32, i64
  } -> (tensor<3xf32>, tensor<3xi64>)
  return %0#0, %0#1 : tensor<3xf32>, tensor<3xi64>
}

// -----

#all = affine_map<(d0, d1) -> (d0, d1)>
#lines = affine_map<(d0, d1) -> (d0)>

// The last of equal elements, one that starts from another number, and one that knows no NaN are other searches.
// CHECK-LABEL: func.func @others
// CHECK-COUNT-3: linalg.generic {{.*}}["parallel", "reduction"]
// CHECK-NOT:     linalg.generic
func.func @others(%x: tensor<3x5xi32>, %m: tensor<3xi32>, %p: tensor<3xi32>, %y: tensor<3x5xf32>, %n: tensor<3xf32>) -> (tensor<3xi32>, tensor<3xi32>, tensor<3xi32>) {
  %lowest = arith.constant -2147483648 : i32
  %l = linalg.fill ins(%lowest : i32) outs(%m : tensor<3xi32>) -> tensor<3xi32>
  %low = arith.constant 0xFF800000 : f32
  %nl = linalg.fill ins(%low : f32) outs(%n : tensor<3xf32>) -> tensor<3xf32>
  %zero = arith.constant 0 : i32
  %z = linalg.fill ins(%zero : i32) outs(%p : tensor<3xi32>) -> tensor<3xi32>
  %0:2 = linalg.generic {indexing_maps = [#all, #lines, #lines], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<3x5xi32>) outs(%l, %z : tensor<3xi32>, tensor<3xi32>) {
  ^bb0(%in: i32, %best: i32, %at: i32):
    %i = linalg.index 1 : index
    %k = arith.index_cast %i : index to i32
    %g = arith.maxsi %in, %best : i32
    %c = arith.cmpi sge, %in, %best : i32
    %s = arith.select %c, %k, %at : i32
    linalg.yield %g, %s : i32, i32
  } -> (tensor<3xi32>, tensor<3xi32>)
  %1:2 = linalg.generic {indexing_maps = [#all, #lines, #lines], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<3x5xi32>) outs(%m, %z : tensor<3xi32>, tensor<3xi32>) {
  ^bb0(%in: i32, %best: i32, %at: i32):
    %i = linalg.index 1 : index
    %k = arith.index_cast %i : index to i32
    %g = arith.maxsi %in, %best : i32
    %c = arith.cmpi sgt, %in, %best : i32
    %s = arith.select %c, %k, %at : i32
    linalg.yield %g, %s : i32, i32
  } -> (tensor<3xi32>, tensor<3xi32>)
  %2:2 = linalg.generic {indexing_maps = [#all, #lines, #lines], iterator_types = ["parallel", "reduction"]}
      ins(%y : tensor<3x5xf32>) outs(%nl, %z : tensor<3xf32>, tensor<3xi32>) {
  ^bb0(%in: f32, %best: f32, %at: i32):
    %i = linalg.index 1 : index
    %k = arith.index_cast %i : index to i32
    %g = arith.maximumf %in, %best : f32
    %c = arith.cmpf ogt, %in, %best : f32
    %s = arith.select %c, %k, %at : i32
    linalg.yield %g, %s : f32, i32
  } -> (tensor<3xf32>, tensor<3xi32>)
  return %0#1, %1#1, %2#1 : tensor<3xi32>, tensor<3xi32>, tensor<3xi32>
}
