"""Layouts: redistributions arrive, and a reshape keeps its layout only where every PE keeps its elements."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from wse_mlir.passes.wafer.layout_rules import Axes, Grid, apply_step, redistribution, reshape_axes, whole


def layouts(rank: int) -> list[Axes]:
    every = itertools.product(("", "x", "y"), repeat=rank)
    return [a for a in every if a.count("x") <= 1 and a.count("y") <= 1]


def test_every_redistribution_arrives_and_never_splits_over_an_axis_in_use() -> None:
    for source, target in itertools.product(layouts(3), repeat=2):
        axes = source
        for step in redistribution(source, target):
            if step.kind == "slice":
                assert step.axis not in axes and axes[step.dim] == ""
            else:
                assert axes[step.dim] == step.axis
            axes = apply_step(axes, step)
        assert axes == target


def owned(sizes: tuple[int, ...], axes: Axes, grid: Grid, x: int, y: int) -> np.ndarray:
    """Row-major positions of the elements that a PE holds, in the order it holds them."""
    positions = np.arange(int(np.prod(sizes))).reshape(sizes)
    for dim, (size, axis) in enumerate(zip(sizes, axes, strict=True)):
        block, place = grid.block(size, axis), {"x": x, "y": y, "": 0}[axis]
        positions = np.take(positions, range(min(place * block, size), min((place + 1) * block, size)), dim)
    return positions.reshape(-1)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=4),
    st.integers(1, 4),
    st.integers(1, 4),
    st.booleans(),
    st.data(),
)
def test_a_reshape_that_keeps_its_layout_moves_nothing(
    wide: list[int], width: int, height: int, expand: bool, data: st.DataObject
) -> None:
    grid = Grid(width, height)
    cut = data.draw(st.integers(1, len(wide)))
    groups = [list(range(cut)), *[[d] for d in range(cut, len(wide))]]
    flat = tuple(int(np.prod([wide[d] for d in group])) for group in groups)
    source, target = (flat, tuple(wide)) if expand else (tuple(wide), flat)
    axes = data.draw(st.sampled_from(layouts(len(source))))
    result = reshape_axes(source, target, groups, axes, grid, expand=expand)
    if result is None:
        return
    for x, y in itertools.product(range(width), range(height)):
        np.testing.assert_array_equal(owned(source, axes, grid, x, y), owned(target, result, grid, x, y))


def test_a_whole_tensor_reshapes_freely() -> None:
    grid = Grid(4, 2)
    assert reshape_axes((6, 4), (24,), [[0, 1]], whole(2), grid, expand=False) == ("",)
    # 6 rows over 4 PEs are 2 each, but 24 elements over 4 PEs are 6: the tiles would not line up
    assert reshape_axes((6, 4), (24,), [[0, 1]], ("x", ""), grid, expand=False) is None
    assert reshape_axes((8, 4), (32,), [[0, 1]], ("x", ""), grid, expand=False) == ("x",)
    assert reshape_axes((8, 4), (32,), [[0, 1]], ("", "x"), grid, expand=False) is None
