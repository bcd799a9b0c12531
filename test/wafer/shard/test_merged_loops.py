"""Loops that are merged walk through the same elements of all tiles together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.wafer.shard.merged_loops import LoopSteps, MergedLoops, steps_through, tile_steps


@st.composite
def nests(draw: st.DrawFn) -> tuple[list[int], list[LoopSteps]]:
    trips = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    accesses: list[LoopSteps] = []
    for _ in range(draw(st.integers(1, 3))):
        walked = draw(st.permutations([n for n in range(len(trips)) if draw(st.booleans())]))
        wider = [trips[n] + draw(st.sampled_from([0, 0, 0, 1])) for n in walked]
        accesses.append(dict(zip(walked, tile_steps(wider), strict=True)))
    return trips, accesses


def walked(trips: Sequence[int], accesses: Sequence[LoopSteps]) -> list[tuple[int, ...]]:
    """The elements that are accessed together, in some order."""
    return sorted(
        tuple(sum((steps.get(n) or 0) * i for n, i in enumerate(at)) for steps in accesses)
        for at in itertools.product(*map(range, trips))
    )


@given(nests())
def test_merged_loops_access_the_same_elements_together(nest: tuple[list[int], list[LoopSteps]]) -> None:
    trips, accesses = nest
    merged = MergedLoops.of(trips, accesses)
    assert sorted(n for group in merged.groups for n in group) == [n for n, t in enumerate(trips) if t > 1]
    together: list[int] = []
    for group in merged.groups:
        count = 1
        for loop in group:
            count *= trips[loop]
        together.append(count)
    as_one = [{n: steps.get(g[-1], 0) for n, g in enumerate(merged.groups)} for steps in accesses]
    assert walked(together, as_one) == walked(trips, accesses)
    assert merged.among(range(len(trips))) == sorted(together)
    for outer, inner in itertools.permutations(range(len(together)), 2):
        follows = [(s[outer] or 0) == (s[inner] or 0) * together[inner] for s in as_one]
        assert not all(follows), "no more can be merged"


def test_dimensions_of_whole_tiles_are_one_loop_and_those_of_windows_are_not() -> None:
    with create_context():
        d = [ir.AffineExpr.get_dim(n) for n in range(4)]
        result = steps_through(ir.AffineMap.get(4, 0, d[:3]), (2, 3, 5))
        part = steps_through(ir.AffineMap.get(4, 0, d[:3]), (2, 3, 7))
        window = steps_through(ir.AffineMap.get(4, 0, [d[0], d[1], d[2] + d[3]]), (2, 3, 7))
    assert MergedLoops.of((2, 3, 5, 1), [result, result]).among((0, 1, 2)) == [30]
    assert MergedLoops.of((2, 3, 5, 1), [result, part]).among((0, 1, 2)) == [5, 6]
    assert MergedLoops.of((2, 3, 5, 1), [result, part]).among((1, 2)) == [3, 5]
    assert MergedLoops.of((2, 3, 5, 3), [result, window]).among((0, 1, 2, 3)) == [3, 5, 6]
