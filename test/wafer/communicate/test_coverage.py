"""What PEs have and want, told from digits and ranges, against the sets of indices that every PE has."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import replace

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_layouts import dimensions, meshes
from test_movement import plain_dimensions

from wse_mlir.passes.wafer.communicate.coverage import covers, reach_of
from wse_mlir.wse_target.layout.dimension import Dimension
from wse_mlir.wse_target.layout.mesh import Mesh
from wse_mlir.wse_target.layout.tensor_layout import TensorLayout
from wse_mlir.wse_target.layout.text import parse_layout

PE = tuple[int, int]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Mesh, Dimension, Dimension]:
    mesh = draw(meshes())
    size = draw(st.sampled_from([1, 2, 5, 8, 12, 24]))
    found = []
    for _ in range(2):
        of = draw(st.sampled_from([plain_dimensions, plain_dimensions, dimensions]))
        found.append(draw(of(mesh, list(draw(st.permutations(mesh.names))), size)))
    assume(not any(TensorLayout(mesh, (dim,)).problem() for dim in found))
    return mesh, found[0], found[1]


def held(mesh: Mesh, dim: Dimension) -> dict[PE, set[int]]:
    layout = TensorLayout(mesh, (dim,))
    pes = itertools.product(range(mesh.rect.w), range(mesh.rect.h))
    return {pe: set(map(int, layout.indices(*pe)[0])) for pe in pes}


@settings(deadline=None, max_examples=300, derandomize=True, suppress_health_check=list(HealthCheck))
@given(pairs())
def test_coverage_is_that_of_sets(pair: tuple[Mesh, Dimension, Dimension]) -> None:
    mesh, have, want = pair
    assume(not any(digit.rotates for dim in (have, want) for digit in dim.digits))
    had, wanted = held(mesh, have), held(mesh, want)
    assert covers(mesh, have, want) == all(wanted[pe] <= had[pe] for pe in had)
    for name in (n for n in mesh.names if mesh[n].order == "line"):

        def near(pe: PE, reach: int, name: str = name) -> set[int]:
            line = mesh.line(name, *pe)
            place = line.index(pe)
            return set().union(*(had[p] for p in line[max(0, place - reach) : place + reach + 1]))

        enough = (r for r in range(mesh[name].extent) if all(wanted[pe] <= near(pe, r) for pe in had))
        assert reach_of(mesh, name, have, want, 99) == next(enough, None)


def test_coverage_on_a_whole_wafer_does_not_look_at_every_index_on_every_pe() -> None:
    """Which would take 33 GB."""
    mesh = " on x:420; y:420 at (0, 0)"
    over_both, turned, with_halo, over_one = (
        parse_layout(f"[{text}]{mesh}", (200_000,)).dims[0]
        for text in ("x:420/477 y:420/2", "y:420/477 x:420/2", "x:420/477 y:420/2 halo 1,1", "x:420/477")
    )
    grid = parse_layout(f"[-]{mesh}", (1,)).mesh
    assert covers(grid, over_one, over_both) and covers(grid, with_halo, over_both)
    assert not covers(grid, over_both, with_halo) and not covers(grid, over_both, turned)
    assert reach_of(grid, "y", over_both, with_halo, 8) is None  # at the ends of columns it is on other ones
    assert reach_of(grid, "y", over_one, over_both, 2) == 0


def test_coverage_of_slices_and_windows_looks_at_few_pes_at_a_time() -> None:
    """Every index on every PE would take 3 GB."""
    mesh = " on x:720; y:720 at (0, 0)"
    blocks, strided = (
        parse_layout(f"[{text}]{mesh}", (5_760,)).dims[0]
        for text in ("y:720/8 x:720/1", "y:720/8 *2/4 x:720/1")
    )
    grid = parse_layout(f"[-]{mesh}", (1,)).mesh
    sliced = [replace(dim, size=1_440, low=-1_440, high=4_320) for dim in (blocks, strided)]
    moved = [
        replace(dim, high=4_320, before=-1_440, after=1_440) for dim in (blocks, strided)
    ]  # as sliced, too
    windows = replace(strided, before=1, after=1)
    tracemalloc.start()
    try:
        assert covers(grid, sliced[0], sliced[0]) and not covers(grid, *sliced)
        assert covers(grid, *[replace(strided, before=-8, after=8)] * 2) and not covers(grid, *moved)
        assert covers(grid, windows, strided) and not covers(grid, strided, windows)
        reach_of(grid, "y", strided, windows, 8)
        assert tracemalloc.get_traced_memory()[1] < 1 << 27
    finally:
        tracemalloc.stop()
