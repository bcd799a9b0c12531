"""Rings: labels, all-gather, reduce-scatter, all-reduce."""

from __future__ import annotations

import numpy as np
import pytest
from collective_programs import X, Y, along, combined, contents, in_place, line, program_of, tile, wide

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.passes.wafer.algorithms.collectives.ring import Ring
from wse_mlir.passes.wafer.algorithms.fragment import CollectiveRequest, TileWalk
from wse_mlir.wse_target.instructions import Access
from wse_mlir.wse_target.layout.mesh import ring_label, ring_position
from wse_mlir.wse_target.quasi_affine import Expr, const, maximum, minimum
from wse_mlir.wse_target.sim import simulate

MACHINE = wide("wse3")
EXTENTS = [1, 2, 3, 5, 7, 16, 33]


@pytest.mark.parametrize("extent", EXTENTS)
def test_neighbours_on_the_interleaved_ring_are_at_most_two_hops_apart(extent: int) -> None:
    positions = [int(ring_position(label, extent).evaluate({})) for label in range(extent)]
    assert sorted(positions) == list(range(extent))
    assert [int(ring_label(p, extent).evaluate({})) for p in positions] == list(range(extent))
    steps = [abs(a - b) for a, b in zip(positions, positions[1:] + positions[:1], strict=True)]
    assert max(steps) <= 2
    assert Ring(line("x", extent)).longest == max(steps)


def block_of(axis: str, size: int, extent: int) -> tuple[Expr, Expr, int]:
    """Start and length of a PE's block of a dimension, and the length of full ones: the last may be short or empty."""
    at, block = (X if axis == "x" else Y), -(-size // extent)
    return at * block, maximum(0, minimum(block, const(size) - at * block)), block


@pytest.mark.parametrize("extent", EXTENTS)
@pytest.mark.parametrize(("axis", "size"), [("x", 40), ("y", 33), ("x", 5)])
def test_all_gather(extent: int, axis: str, size: int) -> None:
    """Each PE has rows of a size x 3 matrix."""
    start, length, block = block_of(axis, size, extent)
    own = TileWalk(Access("t", const(0), (3, 1)), (length, const(3)), "f32")
    whole = TileWalk(Access("r", start * 3, (3, 1)), (length, const(3)), "f32")
    request = CollectiveRequest(line(axis, extent, 2), own, MACHINE, "g_", result=whole)
    grid, fragment = request.line.grid, choose("all_gather", "ring").build(request)
    buffers = [("t", 3 * block, "f32"), ("r", 3 * size, "f32")]
    program = program_of(fragment, grid, buffers, inputs=["t"], outputs=["r"])
    data = contents(grid, 3 * block)
    result = along(simulate(program, MACHINE, [data]).outputs[0], axis)
    for given, got in zip(along(data, axis), result, strict=True):
        np.testing.assert_array_equal(got, np.tile(given.reshape(-1)[: 3 * size], (extent, 1)))


@pytest.mark.parametrize("extent", EXTENTS)
@pytest.mark.parametrize(("axis", "size", "dtype"), [("x", 40, "f32"), ("y", 33, "f16"), ("x", 5, "i32")])
def test_reduce_scatter(extent: int, axis: str, size: int, dtype: str) -> None:
    start, length, block = block_of(axis, size, extent)
    part = TileWalk(Access("t", start, (1,)), (length,), dtype)  # type: ignore[arg-type]
    kept = TileWalk(Access("r", const(0), (1,)), (length,), dtype)  # type: ignore[arg-type]
    request = CollectiveRequest(line(axis, extent, 2), part, MACHINE, "s_", result=kept)
    grid, fragment = request.line.grid, choose("reduce_scatter", "ring").build(request)
    buffers = [("t", size, dtype), ("r", block, dtype)]
    program = program_of(fragment, grid, buffers, inputs=["t"], outputs=["r"])
    data = contents(grid, size, dtype)
    result = along(simulate(program, MACHINE, [data]).outputs[0], axis)
    for given, got in zip(along(data, axis), result, strict=True):
        for label in range(extent):
            at = [int(ring_position((label + 1 + k) % extent, extent).evaluate({})) for k in range(extent)]
            owner = at[-1]
            low, high = min(size, owner * block), min(size, (owner + 1) * block)
            np.testing.assert_array_equal(
                got[owner][: high - low], combined([given[p][low:high] for p in at])
            )


@pytest.mark.parametrize("extent", EXTENTS)
@pytest.mark.parametrize("count", [1, 5, 40])
def test_all_reduce_around_the_ring(extent: int, count: int) -> None:
    request = CollectiveRequest(line("y", extent, 2), tile("t", count), MACHINE, "a_", combine="max")
    data = contents(request.line.grid, count)
    result = along(in_place("all_reduce", "ring", request, count, data), "y")
    for given, got in zip(along(data, "y"), result, strict=True):
        np.testing.assert_array_equal(got, np.tile(given.max(axis=0), (extent, 1)))


def test_all_reduce_sums_each_block_from_the_label_after_its_own() -> None:
    extent, count = 7, 20
    request = CollectiveRequest(line("x", extent), tile("t", count), MACHINE, "a_")
    data = contents(request.line.grid, count)
    result = in_place("all_reduce", "ring", request, count, data)[0]
    block = -(-count // extent)
    for label in range(extent):
        at = [int(ring_position((label + 1 + k) % extent, extent).evaluate({})) for k in range(extent)]
        part = slice(label * block, (label + 1) * block)
        expected = combined([data[0, p, part] for p in at])
        np.testing.assert_array_equal(result[:, part], np.tile(expected, (extent, 1)))


@pytest.mark.parametrize("operation", ["all_gather", "reduce_scatter", "all_reduce"])
def test_rings_need_three_colours_and_few_texts(operation: str) -> None:
    request = CollectiveRequest(line("x", 100), tile("t", 4), MACHINE, "n_", result=tile("r", 4))
    fragment = choose(operation, "ring").build(request)
    assert len(fragment.colours) == 3
    assert len(fragment.parts) <= 12
