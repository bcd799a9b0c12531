"""Fragments one after the other: every PE runs its parts' bodies in order, in as few classes as there are texts."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wse_mlir.passes.wafer.algorithms.fragment import Fragment, RectangleText, sequence
from wse_mlir.wse_target.image import StridedRect
from wse_mlir.wse_target.instructions import Control
from wse_mlir.wse_target.layout.rectangle import progressions
from wse_mlir.wse_target.quasi_affine import const

GRID = (7, 6)


def text(number: int) -> Control:
    return Control("scalar", const(number))


def pes(where: StridedRect) -> list[tuple[int, int]]:
    (bx, by), (w, h), (sx, sy) = where.base, where.extent, where.step
    return [(bx + sx * i, by + sy * j) for i in range(w) for j in range(h)]


def run(fragment: Fragment) -> dict[tuple[int, int], list[int]]:
    """What each PE executes, as numbers of texts."""
    done: dict[tuple[int, int], list[int]] = {}
    for part in fragment.parts:
        for pe in pes(part.where):
            assert pe not in done, "parts are disjoint"
            done[pe] = [op.count.value for op in part.body]  # type: ignore[union-attr]
    return done


@st.composite
def rectangles(draw: st.DrawFn) -> StridedRect:
    spans = []
    for size in GRID:
        base = draw(st.integers(0, size - 1))
        step = draw(st.integers(1, 3))
        spans.append((base, draw(st.integers(1, (size - 1 - base) // step + 1)), step))
    return StridedRect(*zip(*spans, strict=True))  # type: ignore[arg-type]


@given(st.lists(st.tuples(rectangles(), st.integers(0, 3)), max_size=6))
@settings(max_examples=60)
def test_every_pe_runs_its_texts_in_order(steps: list[tuple[StridedRect, int]]) -> None:
    fragments = [Fragment((RectangleText(where, (text(number),)),)) for where, number in steps]
    expected: dict[tuple[int, int], list[int]] = {}
    for where, number in steps:
        for pe in pes(where):
            expected.setdefault(pe, []).append(number)
    assert run(sequence(fragments, GRID)) == expected


def test_cells_with_one_text_are_one_class() -> None:
    """The first row's odd and even columns differ; the other rows do not care, and stay whole."""
    odd, even = StridedRect((1, 0), (3, 1), (2, 1)), StridedRect((0, 0), (4, 1), (2, 1))
    everywhere = Fragment((RectangleText(StridedRect((0, 0), GRID), (text(0),)),))
    row = Fragment((RectangleText(odd, (text(1),)), RectangleText(even, (text(2),))))
    found = {part.where for part in sequence([everywhere, row, everywhere], GRID).parts}
    assert found == {odd, even, StridedRect((0, 1), (7, 5))}


def test_equal_texts_of_different_parts_are_one_class() -> None:
    halves = StridedRect((0, 0), (3, 6)), StridedRect((3, 0), (4, 6))
    split = Fragment(tuple(RectangleText(where, (text(1),)) for where in halves))
    assert [part.where for part in sequence([split], GRID).parts] == [StridedRect((0, 0), GRID)]


def test_a_whole_wafer_of_chains_makes_few_classes() -> None:
    grid = (750, 994)
    x = [
        StridedRect((b, 0), (c, 994), (s, 1))
        for b, c, s in ((0, 1, 1), (1, 374, 2), (2, 374, 2), (749, 1, 1))
    ]
    y = [
        StridedRect((0, b), (750, c), (1, s))
        for b, c, s in ((0, 1, 1), (1, 496, 2), (2, 496, 2), (993, 1, 1))
    ]
    lines = [
        Fragment(tuple(RectangleText(where, (text(k),)) for k, where in enumerate(axis)))
        for axis in (x, y) * 50
    ]
    parts = sequence(lines, grid).parts
    assert len(parts) == 16 and sum(np.prod(part.where.extent) for part in parts) == 750 * 994


def test_progressions_cover_everything_once() -> None:
    for members in ([0, 1, 2, 3], [0, 2, 4, 5, 6, 9], [1, 5], [3], []):
        found = [b + s * i for b, c, s in progressions(members) for i in range(c)]
        assert sorted(found) == members
