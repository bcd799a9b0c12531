"""Shifts and halo exchanges against what they mean."""

from __future__ import annotations

import numpy as np
import pytest
from collective_programs import X, Y, along, contents, line, program_of, wide

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.passes.wafer.algorithms.collectives.halo import both_axes
from wse_mlir.passes.wafer.algorithms.fragment import CollectiveRequest, HaloRequest, Line, TileWalk
from wse_mlir.wse_target.instructions import Access
from wse_mlir.wse_target.layout.mesh import ring_position
from wse_mlir.wse_target.quasi_affine import Expr, const, maximum, minimum
from wse_mlir.wse_target.sim import simulate

MACHINE = wide("wse3")
CASES = [(1, 0), (1, 3), (2, 1), (3, -1), (5, 2), (7, 5), (7, -3), (16, 8), (16, 23), (33, 1)]


def blocks(axis: str, size: int, extent: int) -> tuple[Expr, int]:
    """Length of a PE's block of a dimension, and of full ones."""
    at, block = (X if axis == "x" else Y), -(-size // extent)
    return maximum(0, minimum(block, const(size) - at * block)), block


def shifted(request: CollectiveRequest, size: int, block: int) -> tuple[np.ndarray, np.ndarray]:
    """The tiles before and after a shift, [lines, positions, elements]."""
    fragment, grid = choose("shift", "neighbours").build(request), request.line.grid
    buffers = [("t", block, "f32"), ("r", block, "f32")]
    program = program_of(fragment, grid, buffers, inputs=["t", "r"], outputs=["r"])
    data, before = contents(grid, block), contents(grid, block, seed=1)
    result = simulate(program, MACHINE, [data, before]).outputs[0]
    return along(data, request.line.axis), along(result, request.line.axis)


@pytest.mark.parametrize(("extent", "distance"), CASES)
@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("order", ["line", "ring"])
def test_cyclic_shift(extent: int, distance: int, axis: str, order: str) -> None:
    """Blocks of 50 elements over the line: the last ones are shorter or empty."""
    length, block = blocks(axis, 50, extent)
    own, result = (TileWalk(Access(b, const(0), (1,)), (length,), "f32") for b in "tr")
    request = CollectiveRequest(
        line(axis, extent, 2),
        own,
        MACHINE,
        "s_",
        result=result,
        distance=distance,
        order=order,  # type: ignore[arg-type]
    )
    for given, got in zip(*shifted(request, 50, block), strict=True):
        for origin in range(extent):
            target = (origin + distance) % extent
            places = (origin, target)
            if order == "ring":
                places = tuple(int(ring_position(label, extent).evaluate({})) for label in places)
            count = max(0, min(block, 50 - places[0] * block))
            np.testing.assert_array_equal(got[places[1]][:count], given[places[0]][:count])


@pytest.mark.parametrize(("extent", "distance"), [*CASES, (5, 5), (5, -9)])
@pytest.mark.parametrize("axis", ["x", "y"])
def test_shift_without_wrap_brings_in_zeros(extent: int, distance: int, axis: str) -> None:
    own, result = (TileWalk(Access(b, const(0), (1,)), (const(6),), "f32") for b in "tr")
    request = CollectiveRequest(
        line(axis, extent, 2), own, MACHINE, "s_", result=result, distance=distance, wrap=False
    )
    for given, got in zip(*shifted(request, 6 * extent, 6), strict=True):
        for target in range(extent):
            origin = target - distance
            expected = given[origin] if 0 <= origin < extent else np.zeros(6, np.float32)
            np.testing.assert_array_equal(got[target], expected)


def padded(size: int, low: int, high: int) -> int:
    return size + low + high


@pytest.mark.parametrize(("extent", "size"), [(1, 5), (2, 7), (3, 9), (5, 17), (7, 50), (4, 9)])
@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 0), (0, 2), (2, 1)])
@pytest.mark.parametrize("axis", ["x", "y"])
def test_halo_exchange(extent: int, size: int, low: int, high: int, axis: str) -> None:
    length, block = blocks(axis, size, extent)
    row = padded(block, low, high)
    tile = TileWalk(Access("t", const(low), (row, 1)), (const(2), length), "f32")
    request = HaloRequest(line(axis, extent, 2), tile, 1, low, high, MACHINE, "h_", outside=-1.0)
    choice, grid = choose("halo_exchange", "neighbours"), request.line.grid
    if choice.refuses(request):
        assert block < max(low, high)
        return
    program = program_of(choice.build(request), grid, [("t", 2 * row, "f32")], inputs=["t"], outputs=["t"])
    data = contents(grid, 2 * row)
    result = along(simulate(program, MACHINE, [data]).outputs[0], axis)
    for given, got in zip(along(data, axis), result, strict=True):
        whole = np.full((2, size + low + high), -1, np.float32)
        for p in range(extent):
            count = max(0, min(block, size - p * block))
            start = low + p * block
            whole[:, start : start + count] = given[p].reshape(2, row)[:, low : low + count]
        for p in range(extent):
            count = max(0, min(block, size - p * block))
            if count:
                expected = whole[:, p * block : p * block + low + count + high]
                np.testing.assert_array_equal(got[p].reshape(2, row)[:, : low + count + high], expected)


@pytest.mark.parametrize(("width", "height", "columns", "rows"), [(3, 2, 9, 7), (1, 3, 4, 9), (4, 4, 13, 16)])
def test_halo_exchange_on_both_axes_brings_the_corners(
    width: int, height: int, columns: int, rows: int
) -> None:
    (wide_, bx), (tall, by) = blocks("x", columns, width), blocks("y", rows, height)
    row = bx + 3
    tile = TileWalk(Access("t", const(2 * row + 1), (row, 1)), (tall, wide_), "f32")
    count = (by + 3) * row
    grid = (width, height)
    first = HaloRequest(Line("x", grid), tile, 1, 1, 2, MACHINE, "x_")
    second = HaloRequest(Line("y", grid), tile, 0, 2, 1, MACHINE, "y_")
    fragment = both_axes(first, second)
    program = program_of(fragment, grid, [("t", count, "f32")], inputs=["t"], outputs=["t"])
    data = contents(grid, count)
    got = simulate(program, MACHINE, [data]).outputs[0].reshape(height, width, by + 3, row)
    tiles = data.reshape(height, width, by + 3, row)
    whole = np.zeros((rows + 3, columns + 3), np.float32)
    for y in range(height):
        for x in range(width):
            h, w = min(by, rows - y * by), min(bx, columns - x * bx)
            whole[2 + y * by :, 1 + x * bx :][:h, :w] = tiles[y, x, 2 : 2 + h, 1 : 1 + w]
    for y in range(height):
        for x in range(width):
            h, w = min(by, rows - y * by), min(bx, columns - x * bx)
            expected = whole[y * by :, x * bx :][: h + 3, : w + 3]
            np.testing.assert_array_equal(got[y, x, : h + 3, : w + 3], expected)
