"""Layouts of what loops access, against the indices that each PE's iterations access, one by one."""

from __future__ import annotations

import itertools

from hypothesis import assume, given
from hypothesis import strategies as st
from random_layouts import dimensions, meshes
from wse_mlir.wse_target.layout.accesses import Term, accessed
from wse_mlir.wse_target.layout.dimension import Digit, Dimension
from wse_mlir.wse_target.layout.mesh import Mesh
from wse_mlir.wse_target.layout.rectangle import Rect
from wse_mlir.wse_target.layout.tensor_layout import TensorLayout

LINE = Mesh.of(Rect(0, 0, 4, 2))


@given(
    st.integers(1, 20),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 3),
    st.integers(1, 4),
)
def test_windows(size: int, kernel: int, stride: int, dilation: int, padding: int, extent: int) -> None:
    outputs = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    assume(outputs > 0)
    mesh = Mesh.of(Rect(0, 0, extent, 1))
    out = TensorLayout(mesh, (Dimension.blocks(outputs, "x", extent),))
    terms = [Term(stride, out.dims[0]), Term(dilation, Dimension.whole(kernel))]
    read = accessed(terms, -padding, size)
    assert read is not None
    for x in range(extent):
        own = [int(o) for o in out.indices(x, 0)[0]]
        held = list(TensorLayout(mesh, (read,)).indices(x, 0)[0])
        needed = {o * stride + k * dilation - padding for o in own for k in range(kernel)}
        assert needed & set(range(size)) <= set(held)
        whole = range(max(0, min(needed)), min(size, max(needed) + 1)) if needed else range(0)
        assert held == list(whole)


@given(st.data())
def test_any_expression(data: st.DataObject) -> None:
    mesh = data.draw(meshes())
    free = list(mesh.names)
    iterators = [
        data.draw(dimensions(mesh, free, n))
        for n in data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=3))
    ]
    factors = [data.draw(st.integers(-2, 12)) for _ in iterators]
    constant, size = data.draw(st.integers(-3, 3)), data.draw(st.integers(1, 40))
    terms = [Term(f, i) for f, i in zip(factors, iterators, strict=True) if f]
    read = accessed(terms, constant, size)
    assume(read is not None)
    assert read is not None
    nest = TensorLayout(mesh, tuple(term.iterator for term in terms))
    for x, y in itertools.product(range(mesh.rect.w), range(mesh.rect.h)):
        points = itertools.product(*nest.indices(x, y))
        needed = {constant + sum(t.factor * int(i) for t, i in zip(terms, p, strict=True)) for p in points}
        held = [int(i) for i in TensorLayout(mesh, (read,)).indices(x, y)[0]]
        assert needed & set(range(size)) <= set(held)
        if needed and not read.pieces:
            assert held == list(range(max(0, min(needed)), min(size, max(needed) + 1)))


def test_digits_of_one_index_and_what_is_none() -> None:
    heads, inner = Dimension.blocks(8, "x", 4), Dimension.blocks(12, "y", 2)
    flat = accessed([Term(12, heads), Term(1, inner)], 0, 96)
    assert flat == Dimension(96, (Digit(4, 24, ("x",)), Digit(2, 12), Digit(2, 6, ("y",))), 0, 96)
    assert TensorLayout(LINE, (flat,)).problem() == ""
    assert accessed([Term(1, heads), Term(1, inner)], 0, 20) is None
    assert accessed([Term(-1, heads)], 7, 8) is None
    assert accessed([Term(-1, Dimension.whole(8))], 7, 8) == Dimension.whole(8)
    assert accessed([], 3, 8) == Dimension(8, (), 3, 4)
