"""wse-tile keeps the meaning of structured operations for any shape and any tile sizes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native import run_natively

from wse_mlir.passes.infra.diagnostics import CompilerError

Shape = tuple[int, ...]


def tensor_type(shape: Shape, dynamic: bool = False) -> str:
    return "tensor<" + "".join("?x" if dynamic else f"{d}x" for d in shape) + "i32>"


def module(operation: str, shapes: list[Shape], dynamic: bool) -> str:
    """A function whose last argument is accumulated into: producer, the operation, consumer."""
    kinds = [tensor_type(s) for s in shapes]
    inner = [tensor_type(s, dynamic) for s in shapes]
    names = "abcd"[: len(shapes)]
    arguments = ", ".join(f"%{n}: {k}" for n, k in zip(names, kinds, strict=True))
    casts = "".join(
        f"%{n}0 = tensor.cast %{n} : {k} to {i}\n"
        if dynamic
        else f"%{n}0 = tensor.empty() : {k}\n%{n}c = linalg.copy ins(%{n} : {k}) outs(%{n}0 : {k}) -> {k}\n"
        for n, k, i in zip(names, kinds, inner, strict=True)
    )
    suffix = "0" if dynamic else "c"
    operands = [f"%{n}{suffix}" for n in names]
    ins = f"ins({', '.join(operands[:-1])} : {', '.join(inner[:-1])})" if len(operands) > 1 else ""
    final = (
        f"%r1 = tensor.cast %r : {inner[-1]} to {kinds[-1]}"
        if dynamic
        else f"%r1 = linalg.add ins(%r, %r : {kinds[-1]}, {kinds[-1]}) outs(%e : {kinds[-1]}) -> {kinds[-1]}"
    )
    return f"""
    #id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
    func.func @main({arguments}) -> {kinds[-1]} {{
      {casts}
      %e = tensor.empty() : {kinds[-1]}
      %r = {operation.format(ins=ins, outs=f"outs({operands[-1]} : {inner[-1]})")} -> {inner[-1]}
      {final}
      return %r1 : {kinds[-1]}
    }}"""


MATMUL = "linalg.matmul {ins} {outs}"
BATCH_MATMUL = "linalg.batch_matmul {ins} {outs}"
CONV = "linalg.conv_2d_nhwc_hwcf {{strides = dense<[%d, 1]> : tensor<2xi64>, dilations = dense<[1, %d]> : tensor<2xi64>}} {ins} {outs}"  # noqa: E501
TRANSPOSED_SUM = (
    "linalg.generic {{indexing_maps = [affine_map<(d0, d1, d2) -> (d2, d0, d1)>, affine_map<(d0, d1, d2) -> (d1, d0)>],"
    ' iterator_types = ["parallel", "parallel", "reduction"]}} {ins} {outs} {{ ^bb0(%i: i32, %o: i32):'
    " %x = arith.addi %i, %o : i32 linalg.yield %x : i32 }}"
)
INDEXED = (
    "linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>],"
    ' iterator_types = ["parallel", "parallel"]}} {ins} {outs} {{ ^bb0(%i: i32, %o: i32):'
    " %m = linalg.index 0 : index %n = linalg.index 1 : index %c7 = arith.constant 7 : index"
    " %p = arith.muli %m, %c7 : index %q = arith.addi %p, %n : index %w = arith.index_cast %q : index to i32"
    " %x = arith.addi %i, %w : i32 %y = arith.addi %x, %o : i32 linalg.yield %y : i32 }}"
)
SCALAR = (
    "linalg.generic {{indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}}"
    " {ins} {outs} {{ ^bb0(%i: i32, %o: i32): %x = arith.addi %i, %o : i32 linalg.yield %x : i32 }}"
)

dims = st.integers(1, 7)


@st.composite
def operations(draw: st.DrawFn) -> tuple[str, list[Shape]]:
    """An operation and the shapes of its operands."""
    m, n, k, b = (draw(dims) for _ in range(4))
    case = draw(st.sampled_from(["matmul", "batch", "conv", "sum", "indexed", "scalar"]))
    if case == "matmul":
        return MATMUL, [(m, k), (k, n), (m, n)]
    if case == "batch":
        return BATCH_MATMUL, [(b, m, k), (b, k, n), (b, m, n)]
    if case == "conv":
        stride, dilation, kh, kw = (draw(st.integers(1, 3)) for _ in range(4))
        height, width = (m - 1) * stride + kh, (n - 1) + (kw - 1) * dilation + 1
        return CONV % (stride, dilation), [(1, height, width, 2), (kh, kw, 2, k), (1, m, n, k)]
    if case == "sum":
        return TRANSPOSED_SUM, [(k, m, n), (n, m)]
    if case == "indexed":
        return INDEXED, [(n,), (m, n)]
    return SCALAR, [(), ()]


def evaluate(text: str, shapes: list[Shape], passes: str) -> np.ndarray:
    numbers = np.random.default_rng(0)
    inputs = [np.array(numbers.integers(-9, 9, s), dtype=np.int32) for s in shapes]
    output = np.full(shapes[-1], -999, np.int32)
    run_natively(text, [*inputs, output], passes)
    return output


@settings(max_examples=60, deadline=None, derandomize=True)
@given(operations(), st.lists(st.integers(0, 4), max_size=5), st.booleans(), st.booleans(), st.booleans())
def test_tiles_add_up_to_the_whole(
    operation: tuple[str, list[Shape]], sizes: list[int], dynamic: bool, fuse: bool, on_buffers: bool
) -> None:
    op, shapes = operation
    text = module(op, shapes, dynamic)
    options = f"sizes={','.join(map(str, sizes)) or 0} fuse-producers={str(fuse).lower()}"
    tile = f"func.func(wse-tile{{{options}}}),canonicalize,cse"
    tiled = f"wse-bufferize,{tile}" if on_buffers else f"{tile},wse-bufferize"
    expected = evaluate(text, shapes, "wse-bufferize")
    np.testing.assert_array_equal(evaluate(text, shapes, tiled), expected, err_msg=f"{options}\n{text}")


@settings(max_examples=25, deadline=None, derandomize=True)
@given(dims, dims, dims, st.integers(1, 4), st.integers(0, 4), st.booleans())
def test_parallel_tiles_add_up_to_the_whole(
    m: int, n: int, k: int, rows: int, columns: int, fuse: bool
) -> None:
    shapes = [(m, k), (k, n), (m, n)]
    text = module(MATMUL, shapes, False)
    options = f"sizes={rows},{columns} loops=forall only=linalg.matmul fuse-producers={str(fuse).lower()}"
    tiled = f"func.func(wse-tile{{{options}}}),canonicalize,cse,wse-bufferize"
    np.testing.assert_array_equal(evaluate(text, shapes, tiled), evaluate(text, shapes, "wse-bufferize"))


def test_a_dimension_of_size_zero_makes_no_tile() -> None:
    shapes = [(0, 3), (3, 2), (0, 2)]
    text = module(MATMUL, shapes, True)
    assert evaluate(text, shapes, "func.func(wse-tile{sizes=2,2,2}),wse-bufferize").shape == (0, 2)


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(CompilerError, match="expected numbers >= 0"):
        evaluate(module(MATMUL, [(2, 2)] * 3, False), [(2, 2)] * 3, "func.func(wse-tile{sizes=-1})")
