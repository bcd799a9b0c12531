// RUN: wse-reduce %s --test 'grep -q math.exp2' -o %t.out 2> %t.err
// RUN: filecheck %s --input-file=%t.out --match-full-lines
// RUN: filecheck %s --input-file=%t.err --check-prefix=SUMMARY
// RUN: wse-opt %s --emit-bytecode | wse-reduce - --test 'sh -c "wse-opt {} | grep -q math.exp2"' --max-tests 3 2>&1 | filecheck %s --check-prefix=FEW
// RUN: wse-reduce %s --test 'grep -q math.exp2' --keep-locations | filecheck %s --check-prefix=PLACES
// RUN: wse-reduce %s --test 'grep -q loc(.*wse-reduce' 2>&1 | filecheck %s --check-prefix=NEEDED

// Of a program with calls, loops and shapes, the operation that is looked for stays, on an argument.
// CHECK: module {
// CHECK-NEXT: func.func @main(%arg0: tensor<1xf32>) {
// CHECK-NEXT: %0 = math.exp2 %arg0 : tensor<1xf32>
// CHECK-NEXT: return
// CHECK-NEXT: }
// CHECK-NEXT: }

// What was done is said on standard error.
// SUMMARY: wse-reduce: {{[0-9]+}} operations, {{[0-9]+}} characters -> 4 operations, 109 characters; {{[0-9]+}} tests, {{[0-9.]+}} s; the result is in {{.*}}.out

// A limit leaves the best so far, from bytecode on standard input too; the path stands where {} is.
// FEW: wse-reduce: {{[0-9]+}} operations, {{.*}}; 3 tests
// FEW-NEXT: wse-reduce: stopped after 3 tests (--max-tests), there may be more to remove

// Locations stay when they are asked for, and when the test needs them.
// PLACES: math.exp2 %arg0 : tensor<1xf32> loc(#[[LOC:loc[0-9]*]])
// PLACES: #[[LOC]] = loc("{{.*}}wse-reduce.mlir":[[# @LINE + 17]]:10)
// NEEDED: wse-reduce: locations are kept: without them the input is not interesting
// NEEDED: loc("{{.*}}wse-reduce.mlir":

func.func private @scale(%x: tensor<64xf32>, %by: f32) -> tensor<64xf32> {
  %0 = tensor.splat %by : tensor<64xf32>
  %1 = arith.mulf %x, %0 : tensor<64xf32>
  return %1 : tensor<64xf32>
}

func.func @main(%x: tensor<64xf32>, %n: index) -> (tensor<64xf32>, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %half = arith.constant 5.0e-01 : f32
  %0 = call @scale(%x, %half) : (tensor<64xf32>, f32) -> tensor<64xf32>
  %1 = scf.for %i = %c0 to %n step %c1 iter_args(%y = %0) -> tensor<64xf32> {
    %2 = arith.addf %y, %x : tensor<64xf32>
    %3 = math.exp2 %2 : tensor<64xf32>
    scf.yield %3 : tensor<64xf32>
  }
  %4 = arith.subf %1, %0 : tensor<64xf32>
  return %4, %n : tensor<64xf32>, index
}
