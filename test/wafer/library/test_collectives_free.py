"""Programs of collectives are proven free of deadlock, with messages longer than queues and routers hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from collective_programs import X, line, program_of, tile, wide

from wse_mlir.passes.wafer.algorithms.algorithm import Algorithm, algorithms, choose
from wse_mlir.passes.wafer.algorithms.fragment import (
    CollectiveRequest,
    Fragment,
    HaloRequest,
    Held,
    Line,
    RedistributionRequest,
    Spread,
    TileWalk,
)
from wse_mlir.wse_target.analysis.deadlock import verdict
from wse_mlir.wse_target.image import StridedRect
from wse_mlir.wse_target.instructions import Access
from wse_mlir.wse_target.quasi_affine import Var, const

MACHINE = wide("wse2")
PES, WORDS = 12, 100  # words of a block


def on_lines(operation: str, lines: Line) -> CollectiveRequest:
    whole, block = tile("t", PES * WORDS), TileWalk(Access("t", X * WORDS, (1,)), (const(WORDS),), "f32")
    own, result = {
        "reduce_scatter": (block, tile("r", WORDS)),
        "all_gather": (tile("t", WORDS), replace(block, access=replace(block.access, buffer="r"))),
    }.get(operation, (whole, tile("r", PES * WORDS)))
    spread = Spread(tile("r", PES * WORDS), 0, WORDS) if operation == "all_gather" else None
    return CollectiveRequest(
        lines, own, MACHINE, "f_", result=result, root=PES // 3, distance=3, spread=spread
    )


def cases() -> Iterator[Any]:
    for operation in ("broadcast", "reduce", "all_reduce", "all_gather", "reduce_scatter", "shift"):
        for algorithm in algorithms(operation):
            yield pytest.param(algorithm, id=f"{operation}-{algorithm.name}")


def is_free(fragment: Fragment, grid: tuple[int, int]) -> bool:
    buffers = [(name, PES * WORDS, "f32") for name in "tr"]
    return verdict(program_of(fragment, grid, buffers, inputs=[], outputs=[]), MACHINE).outcome == "free"


@pytest.mark.parametrize("algorithm", list(cases()))
def test_collectives_are_free(algorithm: Algorithm) -> None:
    lines = line("x", PES, 2)
    request = on_lines(algorithm.operation, lines)
    assert is_free(choose(algorithm.operation, algorithm.name).build(request), lines.grid)


def test_halo_exchange_is_free() -> None:
    own = TileWalk(Access("t", const(50), (1,)), (const(WORDS),), "f32")
    request = HaloRequest(line("x", PES), own, 0, 50, 50, MACHINE, "h_")
    assert is_free(choose("halo_exchange", "neighbours").build(request), request.line.grid)


def test_redistribution_is_free() -> None:
    """From blocks of rows over y and columns over x to the transposed blocks."""
    grid, block = (4, 3), (20, 15)
    where = StridedRect((0, 0), grid)
    at = {"x": Var("x"), "y": Var("y")}

    def held(buffer: str, rows: str, columns: str) -> Held:
        sizes = {"y": block[0], "x": block[1]}
        shape = (sizes[rows], sizes[columns])
        origin = (at[rows] * shape[0], at[columns] * shape[1])
        return Held(
            buffer, shape, "f32", (const(shape[0]), const(shape[1])), origin,
            Access(buffer, const(0), (shape[1], 1)), where,
        )  # fmt: skip

    request = RedistributionRequest(grid, held("t", "y", "x"), held("r", "x", "y"), MACHINE, "d_")
    assert is_free(choose("redistribute", "circulate").build(request), grid)
