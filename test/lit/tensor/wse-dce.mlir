// RUN: wse-opt %s --split-input-file --pass-pipeline='builtin.module(wse-dce)' | filecheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// The index of the maximum is not used: its result, its init and its part of the body go; so does an input nobody reads.
// CHECK-LABEL: func.func @results_and_inputs
// CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<4x8xf32>) outs(%arg2 : tensor<4xf32>) {
// CHECK-NOT: linalg.index
// CHECK: arith.maximumf
// CHECK-NEXT: linalg.yield %{{.*}} : f32
func.func @results_and_inputs(%x: tensor<4x8xf32>, %u: tensor<4x8xf32>, %a: tensor<4xf32>, %b: tensor<4xi64>) -> tensor<4xf32> {
  %0:2 = linalg.generic {indexing_maps = [#id, #id, #row, #row], iterator_types = ["parallel", "reduction"]} ins(%x, %u : tensor<4x8xf32>, tensor<4x8xf32>) outs(%a, %b : tensor<4xf32>, tensor<4xi64>) {
  ^bb0(%in: f32, %unread: f32, %best: f32, %where: i64):
    %i = linalg.index 1 : index
    %j = arith.index_cast %i : index to i64
    %m = arith.maximumf %in, %best : f32
    %g = arith.cmpf ogt, %in, %best : f32
    %s = arith.select %g, %j, %where : i64
    linalg.yield %m, %s : f32, i64
  } -> (tensor<4xf32>, tensor<4xi64>)
  return %0#0 : tensor<4xf32>
}

// The index is used, and its computation reads the running maximum: both results stay.
// CHECK-LABEL: func.func @read_by_another_result
// CHECK: outs(%arg1, %arg2 : tensor<4xf32>, tensor<4xi64>)
func.func @read_by_another_result(%x: tensor<4x8xf32>, %a: tensor<4xf32>, %b: tensor<4xi64>) -> tensor<4xi64> {
  %0:2 = linalg.generic {indexing_maps = [#id, #row, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x8xf32>) outs(%a, %b : tensor<4xf32>, tensor<4xi64>) {
  ^bb0(%in: f32, %best: f32, %where: i64):
    %i = linalg.index 1 : index
    %j = arith.index_cast %i : index to i64
    %m = arith.maximumf %in, %best : f32
    %g = arith.cmpf ogt, %in, %best : f32
    %s = arith.select %g, %j, %where : i64
    linalg.yield %m, %s : f32, i64
  } -> (tensor<4xf32>, tensor<4xi64>)
  return %0#1 : tensor<4xi64>
}

// An input that is not read but gives a loop its trip count stays.
// CHECK-LABEL: func.func @gives_trip_count
// CHECK: ins(%arg0 : tensor<4x8xf32>)
func.func @gives_trip_count(%x: tensor<4x8xf32>, %a: tensor<4xf32>) -> tensor<4xf32> {
  %one = arith.constant 1.0 : f32
  %0 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x8xf32>) outs(%a : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.addf %out, %one : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// Chains without a user go, users first, inside loops too; stores and calls stay.
// CHECK-LABEL: func.func @chains
// CHECK-NEXT: arith.constant
// CHECK-NEXT: arith.constant
// CHECK-NEXT: arith.constant
// CHECK-NEXT: scf.for
// CHECK-NEXT: arith.constant
// CHECK-NEXT: memref.store
// CHECK-NEXT: }
// CHECK-NEXT: call @effect
// CHECK-NEXT: return
func.func @chains(%x: tensor<4xf32>, %m: memref<4xf32>) {
  %lower = arith.constant 0 : index
  %upper = arith.constant 4 : index
  %step = arith.constant 1 : index
  %f = arith.constant 2.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %filled = linalg.fill ins(%f : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %sum = linalg.add ins(%x, %filled : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  scf.for %i = %lower to %upper step %step {
    %dead = arith.addi %i, %i : index
    %value = arith.constant 1.0 : f32
    memref.store %value, %m[%i] : memref<4xf32>
  }
  %unused = call @effect() : () -> f32
  return
}
func.func private @effect() -> f32

// Private functions that nothing reaches go, also when they call each other.
// CHECK-NOT: func.func private @first
// CHECK-NOT: func.func private @second
// CHECK: func.func @public
func.func private @first() {
  call @second() : () -> ()
  return
}
func.func private @second() {
  call @first() : () -> ()
  return
}
func.func @public() {
  return
}

// -----

// An input that is read at places of the body's own is known by its number: all inputs stay.
// CHECK-LABEL: @read_at_places
// CHECK: linalg.generic {{.*}} ins(%arg0, %arg1, %arg2 :
#d = affine_map<(i) -> (i)>
#none = affine_map<(i) -> (0)>
func.func @read_at_places(%x: tensor<4xindex>, %unread: tensor<4xf32>, %table: tensor<9xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %r = linalg.generic {indexing_maps = [#d, #d, #none, #d], iterator_types = ["parallel"]}
      ins(%x, %unread, %table : tensor<4xindex>, tensor<4xf32>, tensor<9xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%i: index, %u: f32, %t: f32, %o: f32):
    %v = tensor.extract %table[%i] : tensor<9xf32>
    linalg.yield %v : f32
  } -> tensor<4xf32>
  return %r : tensor<4xf32>
}
