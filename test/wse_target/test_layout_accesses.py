"""Layouts of what loops access, against the indices that each PE's iterations access, one by one."""

from __future__ import annotations

import itertools

from hypothesis import assume, given
from hypothesis import strategies as st
from random_layouts import dimensions, meshes

from wse_mlir.wse_target.layout.accesses import Term, accessed, quotient, together
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


@given(
    st.integers(1, 20),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(-5, 5),
    st.integers(1, 5),
    st.integers(1, 5),
    st.booleans(),
)
def test_quotients(
    size: int, extent: int, factor: int, constant: int, divisor: int, taps: int, split: bool
) -> None:
    mesh = Mesh.of(Rect(0, 0, extent, 1))
    pitch = -(-size // extent // divisor) * divisor + divisor  # which the divisor divides
    dim = Dimension(size, (Digit(extent, pitch, ("x",)),), 0, size) if split else Dimension.whole(size)
    found = quotient([Term(factor, dim), Term(1, Dimension.whole(taps))], constant, divisor)
    assert found is not None
    values, first = found
    whole = max(0, (factor * (size - 1) + constant + taps - 1) // divisor + 1)
    read = accessed([Term(1, values)], first, whole)
    assert read is not None
    for x in range(extent):
        own = TensorLayout(mesh, (dim,)).indices(x, 0)[0]
        needed = {(factor * int(i) + constant + t) // divisor for i in own for t in range(taps)}
        assert needed & set(range(whole)) <= set(TensorLayout(mesh, (read,)).indices(x, 0)[0].tolist())


@given(st.integers(1, 20), st.integers(1, 4), *[st.integers(-3, 3)] * 2, *[st.integers(1, 3)] * 3)
def test_what_two_reads_of_one_tensor_need_together(
    outputs: int, extent: int, one: int, other: int, stride: int, taps: int, size: int
) -> None:
    mesh = Mesh.of(Rect(0, 0, extent, 1))
    out, size = Dimension.blocks(outputs, "x", extent), size * outputs * stride
    reads = [accessed([Term(stride, out), Term(1, Dimension.whole(taps))], at, size) for at in (one, other)]
    assert None not in reads
    both = together(*(read for read in reads if read is not None))
    assume(both is not None)
    for x in range(extent):
        parts = [
            set(TensorLayout(mesh, (d,)).indices(x, 0)[0].tolist()) for d in (*reads, both) if d is not None
        ]
        assert parts[0] | parts[1] <= parts[2]
