"""What layouts of digits say, against each index asked by itself."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_layouts import coordinates, held_indices, layouts, meshes

from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.layout.dimension import Digit, Dimension
from wse_mlir.wse_target.layout.mesh import Mesh, SubAxis, ring_label, ring_position
from wse_mlir.wse_target.layout.rectangle import Rect
from wse_mlir.wse_target.layout.tensor_layout import TIME, Partial, TensorLayout
from wse_mlir.wse_target.layout.text import layout_text, parse_layout

SQUARE = Mesh.of(Rect(0, 0, 4, 4))


@given(meshes())
def test_coordinates_of_sub_axes(mesh: Mesh) -> None:
    for x, y in itertools.product(range(mesh.rect.w), range(mesh.rect.h)):
        wanted = coordinates(mesh, x, y)
        assert {n: int(mesh.coordinate(n).evaluate({"x": x, "y": y})) for n in mesh.names} == wanted


@given(st.integers(1, 9))
def test_neighbours_on_an_interleaved_ring_are_two_hops_apart_at_most(extent: int) -> None:
    positions = [int(ring_position(label, extent).evaluate({})) for label in range(extent)]
    assert sorted(positions) == list(range(extent))
    assert [int(ring_label(p, extent).evaluate({})) for p in positions] == list(range(extent))
    assert all(abs(a - b) <= 2 for a, b in zip(positions, positions[1:] + positions[:1], strict=True))


@given(layouts())
def test_every_pe_holds_the_indices_whose_digits_are_its_own(layout: TensorLayout) -> None:
    assert layout.problem() == ""
    held = np.zeros(layout.shape, int)
    for x, y in itertools.product(range(layout.mesh.rect.w), range(layout.mesh.rect.h)):
        at = coordinates(layout.mesh, x, y)
        found = layout.indices(x, y)
        assert [list(f) for f in found] == [held_indices(dim, at) for dim in layout.dims]
        for dim in range(len(layout.dims)):
            assert all(b - a <= layout.dims[dim].room for a, b in layout.tile_ranges(dim, x, y))
        held[np.ix_(*found)] += 1
    copies = np.prod([layout.mesh[name].extent for name in layout.copied], dtype=int)
    assert (held == copies).all()


@given(layouts())
def test_simplified_layouts_say_the_same(layout: TensorLayout) -> None:
    simple = layout.simplified()
    assert simple.problem() == "" and simple.elements <= layout.elements
    for x, y in itertools.product(range(layout.mesh.rect.w), range(layout.mesh.rect.h)):
        for a, b in zip(layout.indices(x, y), simple.indices(x, y), strict=True):
            assert list(a) == list(b)


@given(
    layouts(),
    st.tuples(st.integers(-2, 3), st.integers(-2, 3)),
    st.tuples(st.integers(-3, 3), st.integers(-3, 3)),
)
def test_halos_and_cuts(layout: TensorLayout, halo: tuple[int, int], cut: tuple[int, int]) -> None:
    dim = layout.dims[0]
    if dim.pieces:
        return
    low, high = cut[0], max(cut[0], dim.size + cut[1])
    digits = tuple(replace(d, pitch=d.pitch + 6) for d in dim.digits)
    dim = Dimension(dim.size, digits, low, high, *halo)
    layout = replace(layout, dims=(dim, *layout.dims[1:]))
    for x, y in itertools.product(range(layout.mesh.rect.w), range(layout.mesh.rect.h)):
        assert list(layout.indices(x, y)[0]) == held_indices(dim, coordinates(layout.mesh, x, y))
        assert all(b - a <= dim.room for a, b in layout.tile_ranges(0, x, y))


@given(layouts(), st.booleans())
def test_text_reads_back(layout: TensorLayout, is_resident: bool) -> None:
    layout = replace(layout, is_resident=is_resident)
    if layout.copied:
        layout = layout.with_partial(Partial("add", layout.copied))
    assert parse_layout(layout_text(layout), layout.shape) == layout


def test_blocks_that_rotate_and_skewed_blocks_cover_a_product() -> None:
    """Cannon's: at every time each PE has blocks of both operands of one k, and over time of every k."""
    k = Digit(4, 3, ("x", "y"), rotates=True)
    a = TensorLayout(SQUARE, (Dimension.blocks(8, "y", 4), Dimension(12, (k,), 0, 12)))
    b = TensorLayout(SQUARE, (Dimension(12, (k,), 0, 12), Dimension.blocks(8, "x", 4)))
    assert a.problem() == b.problem() == ""
    for x, y in itertools.product(range(4), range(4)):
        blocks = [a.tile_range(x, y, time)[1] for time in range(4)]
        assert blocks == [b.tile_range(x, y, time)[0] for time in range(4)]
        assert sorted(blocks) == [(0, 3), (3, 6), (6, 9), (9, 12)]
    assert layout_text(a) == "[y:4/2, (x+y+t):4/3] on x:4; y:4 at (0, 0)"
    assert TIME in str(a.span(1)[0])


def test_what_is_no_layout() -> None:
    def problem(*dims: Dimension, partial: tuple[Partial, ...] = ()) -> str:
        return TensorLayout(SQUARE, dims, partial).problem()

    x, y = Dimension.blocks(8, "x", 4), Dimension.blocks(8, "y", 4)
    assert problem(x, y) == ""
    assert problem(x, x) == "digits along x and x depend on each other"
    assert "has no sub-axis 'z'" in problem(Dimension.blocks(8, "z", 4))
    assert problem(Dimension.blocks(8, "x", 2)) == "dimension 0: 2 pieces along sub-axis x:4"
    assert "leave some of 8 indices out" in problem(Dimension(8, (Digit(4, 1, ("x",)),), 0, 8))
    assert "which is bound" in problem(x, partial=(Partial("add", ("x",)),))
    skewed = Dimension(8, (Digit(4, 2, ("x", "y")),), 0, 8)
    assert problem(skewed, y) == "" and "depend on each other" in problem(skewed, y, x)
    with pytest.raises(ValueError, match=r"sub-axes of x have 3 \* 2 = 6 PEs, the rectangle has 8"):
        Mesh(Rect(0, 0, 8, 1), (SubAxis("xo", 3), SubAxis("xi", 2)), (SubAxis("y", 1),))
    with pytest.raises(ValueError, match="two sub-axes have one name"):
        Mesh(Rect(0, 0, 2, 2), (SubAxis("x", 2),), (SubAxis("x", 2),))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[x:4/2, -]", "is no layout"),
        ("[x:4/2] on x:4; y:1 at (0, 0)", "has 1 dimensions, the tensor has 2"),
        ("[x:4/2, b] on x:4; y:1 at (0, 0)", "'b' is no digit"),
        ("[x:4/1, -] on x:4; y:1 at (0, 0)", "leave some of 8 indices out"),
        ("[x:4/2, -] on x:4 q; y:1 at (0, 0)", "'x:4 q' are no sub-axes"),
        ("[x:4/2, -] on x:4; x:1 at (0, 0)", "two sub-axes have one name"),
        ("[x:4/2, -] on x:4; y:2 at (0, 0), partial sum over y", "nothing is combined by 'sum'"),
        ("[x:4/2, -] on x:4; y:2 at (0, 0), quickly", "is no part of a layout's text"),
    ],
)
def test_texts_that_are_no_layouts(text: str, complaint: str) -> None:
    with pytest.raises(TargetError, match=complaint):
        parse_layout(text, (8, 3))
