"""Redistribution between every pair of distributions, and transposition, against the whole tensor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from collective_programs import NUMPY, X, Y, program_of, wide

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.passes.wafer.algorithms.fragment import Held, RedistributionRequest
from wse_mlir.wse_target.image import StridedRect
from wse_mlir.wse_target.instructions import Access
from wse_mlir.wse_target.quasi_affine import Expr, const, maximum, minimum
from wse_mlir.wse_target.sim import simulate

MACHINE = wide("wse3")
LAYOUTS = [("", ""), ("x", ""), ("y", ""), ("", "x"), ("", "y"), ("x", "y"), ("y", "x")]


def held(
    buffer: str, shape: tuple[int, ...], axes: tuple[str, ...], grid: tuple[int, int], where: StridedRect | None = None,
    dtype: str = "f32",
) -> Held:  # fmt: skip
    """Dimensions in blocks of ceil(size / extent) over axes, row-major in the buffer."""
    origin, bounds, stored = [], [], []
    for size, axis in zip(shape, axes, strict=True):
        extent = {"x": grid[0], "y": grid[1], "": 1}[axis]
        block = -(-size // extent)
        at = {"x": X, "y": Y, "": const(0)}[axis]
        origin.append(at * block)
        bounds.append(maximum(0, minimum(block, const(size) - at * block)))
        stored.append(block)
    strides = [int(np.prod(stored[d + 1 :], dtype=int)) for d in range(len(shape))]
    return Held(
        buffer, tuple(stored), dtype, tuple(bounds), tuple(origin),  # type: ignore[arg-type]
        Access(buffer, const(0), tuple(strides)), where or StridedRect((0, 0), grid),
    )  # fmt: skip


def tiles(tensor: np.ndarray, layout: Held, grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """What PEs have to hold, [height, width, elements], and where they hold anything."""
    count = int(np.prod(layout.shape, dtype=int))
    values, there = (
        np.zeros((grid[1], grid[0], count), tensor.dtype),
        np.zeros((grid[1], grid[0], count), bool),
    )
    (bx, by), (w, h), (sx, sy) = layout.where.base, layout.where.extent, layout.where.step
    for y in range(by, by + h * sy, sy):
        for x in range(bx, bx + w * sx, sx):
            at = {"x": x, "y": y}
            low = [int(o.evaluate(at)) for o in layout.origin]
            size = [int(b.evaluate(at)) for b in layout.bounds]
            inside = tuple(slice(0, n) for n in size)
            block = tensor[tuple(slice(o, o + n) for o, n in zip(low, size, strict=True))]
            values[y, x].reshape(layout.shape)[inside] = block
            there[y, x].reshape(layout.shape)[inside] = True
    return values, there


def check(
    tensor: np.ndarray, source: Held, target: Held, grid: tuple[int, int], permutation: tuple[int, ...] = ()
) -> int:
    """Runs a redistribution; returns the number of colours it needs."""
    request = RedistributionRequest(grid, source, target, MACHINE, "d_", permutation)
    choice = choose("transpose" if permutation else "redistribute", "circulate")
    assert choice.refuses(request) == ""
    fragment = choice.build(request)
    counts = [int(np.prod(h.shape, dtype=int)) for h in (source, target)]
    buffers = [("s", counts[0], source.dtype), ("t", counts[1], source.dtype)]
    program = program_of(fragment, grid, buffers, inputs=["s"], outputs=["t"])
    before, there = tiles(tensor, source, grid)
    before[~there] = 99  # must never arrive anywhere
    got = simulate(program, MACHINE, [before]).outputs[0]
    expected, there = tiles(tensor.transpose(permutation) if permutation else tensor, target, grid)
    np.testing.assert_array_equal(got[there], expected[there])
    assert choice.cycles(request) > 0
    return len(fragment.colours)


@pytest.mark.parametrize("source", LAYOUTS)
@pytest.mark.parametrize("target", LAYOUTS)
@pytest.mark.parametrize(("grid", "shape"), [((3, 2), (7, 5)), ((4, 5), (6, 11))])
def test_every_pair_of_layouts(
    source: tuple[str, str], target: tuple[str, str], grid: tuple[int, int], shape: tuple[int, int]
) -> None:
    tensor = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert check(tensor, held("s", shape, source, grid), held("t", shape, target, grid), grid) <= 6


@pytest.mark.parametrize(
    "where", [StridedRect((0, 0), (1, 1)), StridedRect((1, 0), (1, 3)), StridedRect((0, 2), (4, 1))]
)
@pytest.mark.parametrize("axes", [("", ""), ("y", ""), ("", "x"), ("y", "x")])
@pytest.mark.parametrize("outwards", [False, True])
def test_part_of_the_grid(where: StridedRect, axes: tuple[str, str], outwards: bool) -> None:
    """From and to a single PE, a column, a row, which hold the whole tensor."""
    grid, shape = (4, 3), (5, 6)
    tensor = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    few = held("s" if outwards else "t", shape, ("", ""), grid, where)
    all_ = held("t" if outwards else "s", shape, axes, grid)
    check(tensor, *((few, all_) if outwards else (all_, few)), grid)


@pytest.mark.parametrize(
    ("source", "target"),
    [(("y", "", "x"), ("x", "y", "")), (("", "x", "y"), ("y", "", "")), (("x", "", ""), ("", "", "x"))],
)
@pytest.mark.parametrize("dtype", ["f16", "i32"])
def test_three_dimensions(source: tuple[str, ...], target: tuple[str, ...], dtype: str) -> None:
    grid, shape = (3, 2), (4, 3, 5)
    tensor = (np.random.default_rng(2).normal(size=shape) * 50).astype(NUMPY[dtype])
    layouts = [held(b, shape, axes, grid, dtype=dtype) for b, axes in (("s", source), ("t", target))]
    check(tensor, *layouts, grid)


@pytest.mark.parametrize(
    ("grid", "shape"), [((3, 3), (9, 6)), ((3, 3), (7, 8)), ((4, 2), (5, 9)), ((1, 5), (6, 6))]
)
@pytest.mark.parametrize("axes", [("y", "x"), ("x", "y"), ("y", "")])
def test_transposition(grid: tuple[int, int], shape: tuple[int, int], axes: tuple[str, str]) -> None:
    """Blocks of a matrix on a square or rectangular grid become those of its transpose in the same layout."""
    tensor = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    check(tensor, held("s", shape, axes, grid), held("t", shape[::-1], axes, grid), grid, (1, 0))


def rotated(rows: Expr, columns: Expr) -> Held:
    """Blocks of a 9 x 9 matrix in other places of a 3 x 3 grid."""
    plain = held("s", (9, 9), ("y", "x"), (3, 3))
    return replace(plain, origin=(rows % 3 * 3, columns % 3 * 3))


def test_blocks_that_are_rotated_along_rows() -> None:
    """As Cannon's algorithm wants its operands."""
    tensor = np.random.default_rng(4).normal(size=(9, 9)).astype(np.float32)
    check(tensor, rotated(X + Y, X), held("t", (9, 9), ("y", "x"), (3, 3)), (3, 3))
    back = replace(rotated(Y, X + Y), buffer="t", access=Access("t", const(0), (3, 1)))
    check(tensor, held("s", (9, 9), ("y", "x"), (3, 3)), back, (3, 3))


def test_what_cannot_be_done_is_said() -> None:
    """Neither a row nor a column of the source holds a box."""
    target = held("t", (9, 9), ("y", "x"), (3, 3))
    request = RedistributionRequest((3, 3), rotated(X + Y, X + Y * 2), target, MACHINE, "d_")
    assert "not a box" in choose("redistribute", "circulate").refuses(request)
    halves = replace(target, dtype="f16")
    assert "convert" in choose("redistribute", "circulate").refuses(replace(request, target=halves))
