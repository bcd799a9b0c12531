"""Rectangles of PEs, without MLIR."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from wse_mlir.wse_target.image import StridedRect
from wse_mlir.wse_target.layout import Rect, common_pe

SMALL = st.integers(1, 5)


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
