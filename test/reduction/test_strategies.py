"""Each strategy finds what it is for: small modules, reduced as far as the predicate lets them."""

import re

import pytest

from wse_mlir.reduce import reduce
from wse_mlir.reduce.constants import SimplifyConstants

PROGRAM = """
memref.global "private" constant @table : memref<2x2xf32> = dense<[[1., 2.], [3., 4.]]>
module @inner {
  func.func @hidden(%x: f32) -> f32 {
    %0 = math.sqrt %x : f32
    return %0 : f32
  }
}
func.func private @callee(%x: tensor<64x4xf32> {wse.kind = "input"}, %u: i32) -> (tensor<64x4xf32>, i32) {
  return %x, %u : tensor<64x4xf32>, i32
}
func.func @main(%a: tensor<64x8xf32>, %b: tensor<8x4xf32>, %c: i1, %n: index) -> (tensor<64x4xf32>, index) {
  %z = arith.constant 0.0 : f32
  %three = arith.constant 3 : i32
  %d = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %e = tensor.empty() : tensor<64x4xf32>
  %x = linalg.fill ins(%z : f32) outs(%e : tensor<64x4xf32>) -> tensor<64x4xf32>
  %y = linalg.matmul ins(%a, %b : tensor<64x8xf32>, tensor<8x4xf32>) outs(%x : tensor<64x4xf32>) -> tensor<64x4xf32>
  %c0 = arith.constant 0 : index
  %g:2 = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>,
                       affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y, %d : tensor<64x4xf32>, tensor<4xf32>) outs(%e, %e : tensor<64x4xf32>, tensor<64x4xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32, %k: f32):
    %1 = math.exp %p {note.keep, note.other = "long"} : f32
    %2 = arith.addf %1, %q : f32
    linalg.yield %2, %k : f32, f32
  } -> (tensor<64x4xf32>, tensor<64x4xf32>)
  %r = scf.for %i = %c0 to %n step %n iter_args(%s = %c0) -> index {
    %q = arith.addi %s, %i : index
    %h = scf.if %c -> index {
      %l = arith.muli %q, %q : index
      scf.yield %l : index
    } else {
      scf.yield %q : index
    }
    scf.yield %h : index
  }
  %t:2 = func.call @callee(%g#0, %three) : (tensor<64x4xf32>, i32) -> (tensor<64x4xf32>, i32)
  cf.cond_br %c, ^bb1(%r : index), ^bb2
^bb1(%k: index):
  cf.br ^bb3
^bb3:
  return %y, %k : tensor<64x4xf32>, index
^bb2:
  return %t#0, %r : tensor<64x4xf32>, index
}
llvm.func @native(%p: !llvm.ptr, %q: i32) -> i32 {
  %0 = llvm.mlir.zero : i32
  %1 = llvm.add %q, %0 : i32
  llvm.br ^bb1
^bb1:
  llvm.return %1 : i32
}
"""

SMALLEST = {
    "math.exp": "func.func @main(%arg0: f32) { %0 = math.exp %arg0 : f32 return }",
    "note.keep": "func.func @main(%arg0: f32) { %0 = math.exp %arg0 {note.keep} : f32 return }",
    "arith.muli": "func.func @main(%arg0: index) { %0 = arith.muli %arg0, %arg0 : index return }",
    "math.sqrt": "func.func @hidden(%arg0: f32) { %0 = math.sqrt %arg0 : f32 return }",
    "scf.if": "func.func @main(%arg0: i1) { scf.if %arg0 { } return }",
    "call @callee": "func.func private @callee() func.func @main() { call @callee() : () -> () return }",
    "memref.global": "memref.global @table : memref<1x1xf32>",
    "memref.global, dense": "memref.global @table : memref<1x1xf32> = dense<0.000000e+00>",
    "linalg.matmul": "func.func @main(%arg0: tensor<1x1xf32>) { %0 = linalg.matmul "
    "ins(%arg0, %arg0 : tensor<1x1xf32>, tensor<1x1xf32>) outs(%arg0 : tensor<1x1xf32>) -> tensor<1x1xf32> return }",
    "llvm.add": "llvm.func @native(%arg0: i32) { %0 = llvm.add %arg0, %arg0 : i32 llvm.return }",
    "private @callee": "func.func private @callee()",
    "scf.for": "func.func @main(%arg0: index) { scf.for %arg1 = %arg0 to %arg0 step %arg0 { } return }",
    "return": "func.func @callee() { return }",
    "module": "",
}


def inside(text: str) -> str:
    """What stands in the module, on one line."""
    body = re.sub(r"\s+", " ", text).strip()
    assert body.startswith("module {") and body.endswith("}")
    return body[len("module {") : -1].strip()


@pytest.mark.parametrize("kept", SMALLEST)
def test_only_what_is_asked_for_is_left(kept: str) -> None:
    assert (
        inside(reduce(PROGRAM, lambda text: all(word in text for word in kept.split(", "))).text)
        == SMALLEST[kept]
    )


def test_terminators_with_results_may_go() -> None:
    """An `invoke` is branch and call at once: where its result was used, something stands in."""
    text = """
    llvm.func @callee() -> i32
    llvm.func @handler(...) -> i32
    llvm.func @f() -> i32 attributes {personality = @handler} {
      %0 = llvm.invoke @callee() to ^bb1 unwind ^bb2 : () -> i32
    ^bb1:
      %1 = llvm.mul %0, %0 : i32
      llvm.return %1 : i32
    ^bb2:
      %2 = llvm.landingpad cleanup : !llvm.struct<(ptr, i32)>
      llvm.resume %2 : !llvm.struct<(ptr, i32)>
    }
    """
    kept = reduce(text, lambda t: "llvm.mul" in t).text
    assert inside(kept) == "llvm.func @f(%arg0: i32) { %0 = llvm.mul %arg0, %arg0 : i32 llvm.return }"


def test_data_becomes_zero_or_all_the_same() -> None:
    text = """
    func.func @f() -> (tensor<2x2xf32>, tensor<3xi64>, f32, tensor<2xcomplex<f32>>, tensor<2xui64>) {
      %0 = arith.constant dense<[[3.0, 1.0], [2.0, 4.0]]> : tensor<2x2xf32>
      %1 = arith.constant dense<[7, 8, 9]> : tensor<3xi64>
      %2 = arith.constant 2.5 : f32
      %3 = arith.constant dense<[(1.0, 2.0), (3.0, 4.0)]> : tensor<2xcomplex<f32>>
      %4 = "tosa.const"() {values = dense<[18446744073709551615, 2]> : tensor<2xui64>} : () -> tensor<2xui64>
      return %0, %1, %2, %3, %4 : tensor<2x2xf32>, tensor<3xi64>, f32, tensor<2xcomplex<f32>>, tensor<2xui64>
    }
    """
    strategies = [SimplifyConstants()]
    zeros = reduce(text, lambda t: True, strategies=strategies).text
    assert re.findall(r"constant (.*) :", zeros)[:3] == ["dense<0.000000e+00>", "dense<0>", "0.000000e+00"]
    no_zeros = reduce(text, lambda t: " 0.0" not in t and "<0" not in t, strategies=strategies).text
    assert re.findall(r"constant (.*) :", no_zeros)[:3] == ["dense<3.000000e+00>", "dense<7>", "2.500000e+00"]
