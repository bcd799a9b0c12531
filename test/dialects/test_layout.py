"""Rectangles and layouts, without MLIR."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wse_mlir.wse_target.image import StridedRect
from wse_mlir.wse_target.layout import Layout, Rect, common_pe

SMALL = st.integers(1, 5)


@given(
    st.tuples(st.integers(1, 17), st.integers(1, 17)),
    SMALL,
    SMALL,
    st.sampled_from([("x", "y"), ("y", "x"), ("x", ""), ("", "y"), ("", "")]),
)
def test_blocks_cover_the_tensor_exactly_once_per_replica(shape, width, height, axes):
    layout = Layout(axes, Rect(0, 0, width, height))
    replicas = 1
    for axis in layout.replicated:
        replicas *= layout.axis_extent(axis)
    held: dict[tuple[int, ...], int] = {}
    for x, y in itertools.product(range(width), range(height)):
        ranges = layout.tile_range(shape, x, y)
        tile = layout.tile_shape(shape)
        assert all(stop - start <= size for (start, stop), size in zip(ranges, tile, strict=True))
        for index in itertools.product(*(range(*r) for r in ranges)):
            held[index] = held.get(index, 0) + 1
    assert held == dict.fromkeys(itertools.product(*(range(n) for n in shape)), replicas)


def test_what_a_layout_says():
    layout = Layout(("y", "", "x"), Rect(2, 3, 4, 5))
    assert [layout.axis_extent(a) for a in ("x", "y", "")] == [4, 5, 1]
    assert [layout.dim_extent(d) for d in range(3)] == [5, 1, 4]
    assert (layout.dim_of("x"), layout.dim_of("y"), layout.with_axes(("", "x")).dim_of("y")) == (2, 0, None)
    assert (layout.replicated, Layout(("",), layout.rect).replicated) == ((), ("x", "y"))
    assert layout.tile_shape((11, 7, 3)) == (3, 7, 1)
    assert str(layout) == "[y, -, x] on 4 x 5 at (2, 3)"
    with pytest.raises(ValueError, match="a layout of 3 dimensions for a tensor of 2"):
        layout.tile_shape((4, 4))


def test_rectangles():
    rect = Rect(2, 3, 4, 5)
    assert rect.size == 20
    assert rect.contains(Rect(2, 3, 4, 5)) and rect.contains(Rect(5, 7, 1, 1))
    assert not rect.contains(Rect(1, 3, 2, 2)) and not rect.contains(Rect(5, 7, 1, 2))
    assert rect.overlaps(Rect(5, 7, 9, 9)) and not rect.overlaps(Rect(6, 3, 1, 1))


def pes(rect: StridedRect) -> set[tuple[int, int]]:
    xs, ys = (
        range(base, base + extent * step, step)
        for base, extent, step in zip(rect.base, rect.extent, rect.step, strict=True)
    )
    return set(itertools.product(xs, ys))


PAIR = st.tuples(st.integers(0, 6), st.integers(0, 6))
STRIDED = st.builds(StridedRect, PAIR, st.tuples(SMALL, SMALL), st.tuples(SMALL, SMALL))


@given(STRIDED, STRIDED)
def test_the_first_common_pe_is_that_of_the_sets(left, right):
    assert common_pe(left, right) == min(pes(left) & pes(right), default=None)
