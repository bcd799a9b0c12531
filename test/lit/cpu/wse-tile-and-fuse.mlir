// RUN: wse-opt %s --split-input-file --wse-tile-and-fuse='cpu=x86-64-v4' --canonicalize --cse | filecheck %s

#mat = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#vec = affine_map<(d0) -> (d0)>
#none = affine_map<(d0) -> ()>

// Parts of a normalisation: sums and what is made of them belong to a few rows; buffers between hold those rows only.
// CHECK-LABEL: func.func private @normalisation
// CHECK: %[[SUM:.*]] = memref.alloca() {{.*}} : memref<[[R:[0-9]+]]xf32>
// CHECK-NOT: memref.alloc()
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %{{.*}} step
// CHECK: %[[X:.*]] = memref.subview %{{.*}}[%[[I]], 0] {{\[}}[[R]], 1024]
// CHECK: linalg.generic {{.*}} ins(%[[X]] : {{.*}} outs(%[[SUM]] : memref<[[R]]xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[X]], %[[SUM]] :
// CHECK: } {wse.cost = {{[0-9]+}} : i64, wse.parallel = 0 : i64}
func.func private @normalisation(%x: memref<96x1024xf32>, %out: memref<96x1024xf32>) attributes {wse.kernel} {
  %zero = arith.constant 0.0 : f32
  %sum = memref.alloc() : memref<96xf32>
  linalg.generic {indexing_maps = [#none, #vec], iterator_types = ["parallel"]} ins(%zero : f32) outs(%sum : memref<96xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  }
  linalg.generic {indexing_maps = [#mat, #row], iterator_types = ["parallel", "reduction"]} ins(%x : memref<96x1024xf32>) outs(%sum : memref<96xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#mat, #row, #mat], iterator_types = ["parallel", "parallel"]} ins(%x, %sum : memref<96x1024xf32>, memref<96xf32>) outs(%out : memref<96x1024xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %s = arith.subf %a, %b : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#q = affine_map<(h, q, k, d) -> (h, q, d)>
#k = affine_map<(h, q, k, d) -> (h floordiv 2, k, d)>
#s = affine_map<(h, q, k, d) -> (h, q, k)>
#p = affine_map<(h, q, d, k) -> (h, q, k)>
#v = affine_map<(h, q, d, k) -> (h, k, d)>
#o = affine_map<(h, q, d, k) -> (q, h, d)>
#all = affine_map<(h, q, k) -> (h, q, k)>
#copy = affine_map<(h, k, d) -> (h, k, d)>

// Attention: loops over heads and rows. What is prepared for each head comes before its rows; a head that shares keys
// with another one takes theirs; what is left of 100 rows after whole tiles is a tile of its own.
// CHECK-LABEL: func.func private @attention
// CHECK-SAME: (%[[Q:.*]]: memref<4x100x16xf32>, %[[K:.*]]: memref<2x512x16xf32>, %[[V:.*]]: memref<4x512x16xf32>, %[[OUT:.*]]: memref<100x4x16xf32>)
// CHECK-DAG: %[[S:.*]] = memref.alloca() {{.*}} : memref<[[T:[0-9]+]]x512xf32>
// CHECK-DAG: %[[W:.*]] = memref.alloca() {{.*}} : memref<512x16xf32>
// CHECK: scf.for %[[H:.*]] = %{{.*}} to %c4 step %c1
// CHECK: linalg.generic {{.*}} outs(%[[W]] : memref<512x16xf32>)
// CHECK: scf.for %[[R:.*]] = %{{.*}} to %{{.*}} step
// CHECK: %[[SHARED:.*]] = affine.apply #{{.*}}(%[[H]])
// CHECK: memref.subview %[[K]][%[[SHARED]], 0, 0] [1, 512, 16]
// CHECK: linalg.generic {{.*}} outs(%[[S]] : memref<[[T]]x512xf32>)
// CHECK: memref.subview %[[OUT]][%[[R]], %[[H]], 0] {{\[}}[[T]], 1, 16]
// CHECK: } {wse.cost
// CHECK: } {wse.cost
func.func private @attention(%q: memref<4x100x16xf32>, %k: memref<2x512x16xf32>, %v: memref<4x512x16xf32>, %out: memref<100x4x16xf32>) attributes {wse.kernel} {
  %s = memref.alloc() : memref<4x100x512xf32>
  %w = memref.alloc() : memref<4x512x16xf32>
  linalg.generic {indexing_maps = [#q, #k, #s], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%q, %k : memref<4x100x16xf32>, memref<2x512x16xf32>) outs(%s : memref<4x100x512xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  }
  linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s : memref<4x100x512xf32>) outs(%s : memref<4x100x512xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = math.exp %a : f32
    linalg.yield %m : f32
  }
  linalg.generic {indexing_maps = [#copy, #copy], iterator_types = ["parallel", "parallel", "parallel"]} ins(%v : memref<4x512x16xf32>) outs(%w : memref<4x512x16xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  }
  linalg.generic {indexing_maps = [#p, #v, #o], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%s, %w : memref<4x100x512xf32>, memref<4x512x16xf32>) outs(%out : memref<100x4x16xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  }
  return
}

// -----

#mat = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// Few rows fit the first cache as they are: no loops.
// CHECK-LABEL: func.func private @small
// CHECK-NOT: scf.for
// Columns of a buffer that is read by another view of it may overlap what is written: nothing changes.
// CHECK-LABEL: func.func private @overlap
// CHECK-NOT: scf.for
// It is no kernel.
// CHECK-LABEL: func.func @main
// CHECK-NOT: scf.for
func.func private @small(%x: memref<4x64xf32>, %sum: memref<4xf32>, %out: memref<4x64xf32>) attributes {wse.kernel} {
  linalg.generic {indexing_maps = [#mat, #row], iterator_types = ["parallel", "reduction"]} ins(%x : memref<4x64xf32>) outs(%sum : memref<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#mat, #row, #mat], iterator_types = ["parallel", "parallel"]} ins(%x, %sum : memref<4x64xf32>, memref<4xf32>) outs(%out : memref<4x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %s = arith.subf %a, %b : f32
    linalg.yield %s : f32
  }
  return
}
func.func private @overlap(%x: memref<97x2048xf32>, %sum: memref<96xf32>) attributes {wse.kernel} {
  %up = memref.subview %x[0, 0] [96, 2048] [1, 1] : memref<97x2048xf32> to memref<96x2048xf32, strided<[2048, 1]>>
  %down = memref.subview %x[1, 0] [96, 2048] [1, 1] : memref<97x2048xf32> to memref<96x2048xf32, strided<[2048, 1], offset: 2048>>
  linalg.generic {indexing_maps = [#mat, #row], iterator_types = ["parallel", "reduction"]} ins(%up : memref<96x2048xf32, strided<[2048, 1]>>) outs(%sum : memref<96xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#row, #mat], iterator_types = ["parallel", "parallel"]} ins(%sum : memref<96xf32>) outs(%down : memref<96x2048xf32, strided<[2048, 1], offset: 2048>>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  }
  return
}
func.func @main(%x: memref<96x2048xf32>, %sum: memref<96xf32>, %out: memref<96x2048xf32>) {
  linalg.generic {indexing_maps = [#mat, #row], iterator_types = ["parallel", "reduction"]} ins(%x : memref<96x2048xf32>) outs(%sum : memref<96xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#mat, #row, #mat], iterator_types = ["parallel", "parallel"]} ins(%x, %sum : memref<96x2048xf32>, memref<96xf32>) outs(%out : memref<96x2048xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %s = arith.subf %a, %b : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#q = affine_map<(h, q, k, d) -> (h, q, d)>
#kp = affine_map<(h, q, k, d) -> (h, k floordiv 64, d, k mod 64)>
#s = affine_map<(h, q, k, d) -> (h, q, k)>
#p = affine_map<(h, q, d, k) -> (h, q, k)>
#v = affine_map<(h, q, d, k) -> (h, k, d)>
#o = affine_map<(h, q, d, k) -> (h, q, d)>
#all = affine_map<(h, q, k) -> (h, q, k)>
#row = affine_map<(h, q, k) -> (h, q)>

// Keys behind a query are hidden: a tile of queries stops behind the last key that one of them sees. The maximum is known
// before the exponentials begin, so there are two loops over blocks of keys, each with what is left of 200 keys.
// CHECK-LABEL: func.func private @causal
// CHECK: scf.for %[[H:.*]] =
// CHECK: scf.for %[[R:.*]] = %{{.*}} to %{{.*}} step %{{.*}} {
// CHECK: %[[END:.*]] = affine.apply #{{.*}}(%[[R]])
// CHECK: %[[SEEN:.*]] = arith.minsi %[[END]], %c200
// CHECK: scf.for %[[K:.*]] = %c0 to %{{.*}} step %c64
// CHECK: %[[PANEL:.*]] = affine.apply #{{.*}}(%[[K]])
// CHECK: memref.subview %{{.*}}[%[[H]], %[[PANEL]], 0, 0] [1, 1, 16, 64]
// CHECK: arith.select
// CHECK: arith.maximumf
// CHECK: scf.for %{{.*}} = %c192 to %{{.*}} step %c8
// CHECK: arith.maximumf
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c64
// CHECK: math.exp
// CHECK: memref.subview %{{.*}}[%[[H]], %{{.*}}, 0] [1, 64, 16]
// CHECK: scf.for %{{.*}} = %c192
// CHECK: math.exp
// Weights that others see are all computed.
// CHECK-LABEL: func.func private @weights
// CHECK-NOT: step %c8
// CHECK: return
func.func private @causal(%q: memref<4x200x16xf32>, %k: memref<4x4x16x64xf32>, %v: memref<4x200x16xf32>, %max: memref<4x200xf32>, %out: memref<4x200x16xf32>) attributes {wse.kernel} {
  %low = arith.constant 0xFF800000 : f32
  %s = memref.alloc() : memref<4x200x200xf32>
  linalg.generic {indexing_maps = [#q, #kp, #s], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%q, %k : memref<4x200x16xf32>, memref<4x4x16x64xf32>) outs(%s : memref<4x200x200xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  }
  linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s : memref<4x200x200xf32>) outs(%s : memref<4x200x200xf32>) {
  ^bb0(%a: f32, %b: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %seen = arith.cmpi sle, %j, %i : index
    %m = arith.select %seen, %a, %low : f32
    linalg.yield %m : f32
  }
  linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "parallel", "reduction"]} ins(%s : memref<4x200x200xf32>) outs(%max : memref<4x200xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.maximumf %a, %b : f32
    linalg.yield %m : f32
  }
  linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s, %max : memref<4x200x200xf32>, memref<4x200xf32>) outs(%s : memref<4x200x200xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %d = arith.subf %a, %b : f32
    %m = math.exp %d : f32
    linalg.yield %m : f32
  }
  linalg.generic {indexing_maps = [#p, #v, #o], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%s, %v : memref<4x200x200xf32>, memref<4x200x16xf32>) outs(%out : memref<4x200x16xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  }
  return
}
func.func private @weights(%q: memref<4x200x16xf32>, %k: memref<4x4x16x64xf32>, %v: memref<4x200x16xf32>, %s: memref<4x200x200xf32>, %out: memref<4x200x16xf32>) attributes {wse.kernel} {
  %low = arith.constant 0xFF800000 : f32
  linalg.generic {indexing_maps = [#q, #kp, #s], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%q, %k : memref<4x200x16xf32>, memref<4x4x16x64xf32>) outs(%s : memref<4x200x200xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  }
  linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s : memref<4x200x200xf32>) outs(%s : memref<4x200x200xf32>) {
  ^bb0(%a: f32, %b: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %seen = arith.cmpi sle, %j, %i : index
    %m = arith.select %seen, %a, %low : f32
    %e = math.exp %m : f32
    linalg.yield %e : f32
  }
  linalg.generic {indexing_maps = [#p, #v, #o], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%s, %v : memref<4x200x200xf32>, memref<4x200x16xf32>) outs(%out : memref<4x200x16xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %m = arith.mulf %a, %b : f32
    %n = arith.addf %c, %m : f32
    linalg.yield %n : f32
  }
  return
}

// -----

#image = affine_map<(c, y, x) -> (y, x, c)>
#channel = affine_map<(c, y, x) -> (c)>

// Channels that lie side by side are normalised several cache lines at a time, in vectors over channels: here four lines.
// CHECK-LABEL: func.func private @channels
// CHECK:         scf.for %[[C:.*]] = %c0 to %c96 step %c48
// CHECK:           memref.subview %{{.*}}[0, 0, %[[C]]] [30, 30, 48] [1, 1, 1]
func.func private @channels(%x: memref<30x30x96xf32>, %y: memref<30x30x96xf32>) attributes {wse.kernel} {
  %zero = arith.constant 0.0 : f32
  %m = memref.alloc() : memref<96xf32>
  linalg.generic {indexing_maps = [affine_map<(c) -> ()>, affine_map<(c) -> (c)>], iterator_types = ["parallel"]}
    ins(%zero : f32) outs(%m : memref<96xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  linalg.generic {indexing_maps = [#image, #channel], iterator_types = ["parallel", "reduction", "reduction"]}
    ins(%x : memref<30x30x96xf32>) outs(%m : memref<96xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#image, #channel, #image], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%x, %m : memref<30x30x96xf32>, memref<96xf32>) outs(%y : memref<30x30x96xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.subf %a, %b : f32
    linalg.yield %s : f32
  }
  memref.dealloc %m : memref<96xf32>
  return
}
