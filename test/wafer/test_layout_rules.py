"""Layouts: a reshape keeps its layout only where every PE keeps its elements."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wse_mlir.passes.wafer.shard.layout_rules import grid_mesh, reshape_layout
from wse_mlir.wse_target.layout.mesh import Mesh
from wse_mlir.wse_target.layout.tensor_layout import TensorLayout


def layouts(shape: tuple[int, ...], mesh: Mesh, *more: str) -> list[TensorLayout]:
    every = itertools.product(("", "x", "y", *more), repeat=len(shape))
    named = ((axes, " ".join(axes)) for axes in every)
    return [TensorLayout.blocks(shape, axes, mesh) for axes, text in named if max(map(text.count, "xy")) <= 1]


def owned(layout: TensorLayout, x: int, y: int) -> np.ndarray:
    """Row-major positions of the elements that a PE holds, in the order it holds them."""
    positions = np.arange(int(np.prod(layout.shape))).reshape(layout.shape)
    return positions[np.ix_(*layout.indices(x, y))].reshape(-1)


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
    cut = data.draw(st.integers(1, len(wide)))
    flat = (int(np.prod(wide[:cut])), *wide[cut:])
    source, target = (flat, tuple(wide)) if expand else (tuple(wide), flat)
    layout = data.draw(st.sampled_from(layouts(source, grid_mesh(width, height), "x y", "y x")))
    result = reshape_layout(layout, target)
    if result is None:
        return
    for x, y in itertools.product(range(width), range(height)):
        np.testing.assert_array_equal(owned(layout, x, y), owned(result, x, y))


def test_a_whole_tensor_reshapes_freely() -> None:
    mesh = grid_mesh(4, 2)
    assert reshape_layout(TensorLayout.whole((6, 4), mesh), (24,)) == TensorLayout.whole((24,), mesh)
    rows = TensorLayout.blocks((8, 4), ("x", ""), mesh)
    assert reshape_layout(rows, (32,)) == TensorLayout.blocks((32,), ("x",), mesh)
    # 2 of 6 rows on each PE are 8 of 24 elements, and not the 6 that equal blocks would be
    found = reshape_layout(TensorLayout.blocks((6, 4), ("x", ""), mesh), (24,))
    assert found is not None and [d.pitch for d in found.dims[0].digits] == [8]
    assert reshape_layout(TensorLayout.blocks((8, 4), ("", "x"), mesh), (32,)) is None
