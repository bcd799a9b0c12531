"""Collectives along sub-axes: stretches of rows and columns, and lines that cross each other, all of them at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from collective_programs import along, contents, program_of, tile, wide
from test_collectives_gather import buffers, request_of

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.passes.wafer.algorithms.collectives import strided
from wse_mlir.passes.wafer.algorithms.fragment import CollectiveRequest, Fragment, Line
from wse_mlir.wse_target.analysis.deadlock import verdict
from wse_mlir.wse_target.sim import Simulation

MACHINE = wide("wse3")
LINES = [
    Line("x", (12, 2), 3),  # an inner sub-axis
    Line("x", (12, 2), 3, 2),  # one in the middle
    Line("y", (2, 12), 4, 3),  # an outer one
    Line("x", (10, 1), 5, 2),
]
IDS = ["inner", "middle", "outer", "row"]


def on_lines(line: Line, data: np.ndarray) -> list[np.ndarray]:
    """[positions, elements] for each line."""
    return [
        row[start + offset : start + line.stretch : line.stride]
        for row in along(data, line.axis)
        for start in range(0, line.along, line.stretch)
        for offset in range(line.stride)
    ]


def run(
    fragment: Fragment, line: Line, data: np.ndarray, listed: list[tuple[str, int, str]], engine: str
) -> tuple[list[np.ndarray], float]:
    """What the lines have in the last buffer afterwards, and the cycles."""
    program = program_of(fragment, line.grid, listed, inputs=["t"], outputs=[listed[-1][0]])
    done = Simulation(program, MACHINE, engine=engine).call([data])  # type: ignore[arg-type]
    assert verdict(program, MACHINE).outcome == "free"
    return on_lines(line, done.outputs[0]), done.report.cycles.makespan


@pytest.mark.parametrize("line", LINES, ids=IDS)
@pytest.mark.parametrize("name", ["multicast", "ring"])
def test_all_gather(line: Line, name: str) -> None:
    request = request_of(line, 7, 2, "f16")
    assert request.spread is not None
    request = replace(request, result=request.spread.blocks(line.position))
    choice, listed = choose("all_gather", name), buffers(request, 7, 2)
    data = contents(line.grid, listed[0][1], "f16")
    for engine in ("flow", "wavelet"):
        got, cycles = run(strided.build(choice, request), line, data, listed, engine)
        for before, after in zip(on_lines(line, data), got, strict=True):
            np.testing.assert_array_equal(after, np.tile(before.reshape(-1)[:14], (line.extent, 1)))
        assert strided.cycles(choice, request) == pytest.approx(cycles, rel=0.15)


REDUCTIONS = [
    "chain",
    "tree",
    "two_phase",
    "auto_tree",
    "ring",
    "k_tree",
    "chain{middle=1}",
    "two_phase{middle=1}",
]


@pytest.mark.parametrize("line", LINES, ids=IDS)
def test_reductions_and_broadcasts(line: Line) -> None:
    data = np.round(contents(line.grid, 40) * 4)
    for operation, name in [("broadcast", "multicast"), *(("all_reduce", name) for name in REDUCTIONS)]:
        root = int(operation == "broadcast")
        request = CollectiveRequest(line, tile("t", 40), MACHINE, "c_", root=root)
        choice = choose(operation, name)
        assert not strided.refuses(choice, request)
        fragment, listed = strided.build(choice, request), [("t", 40, "f32")]
        got, _ = run(fragment, line, data, listed, "flow")
        _, cycles = run(fragment, line, data, listed, "wavelet")
        for before, after in zip(on_lines(line, data), got, strict=True):
            expected = before[1] if operation == "broadcast" else before.sum(axis=0)
            np.testing.assert_array_equal(after, np.tile(expected, (line.extent, 1)))
        # Where lines cross, streams from two sides meet more often than is said.
        assert strided.cycles(choice, request) == pytest.approx(
            cycles, rel=0.35 if name == "k_tree" or "middle" in name else 0.16
        )


def test_a_switched_collective_wants_its_routers_for_itself() -> None:
    request = CollectiveRequest(LINES[1], tile("t", 4), MACHINE, "c_")
    assert "do not switch" in strided.refuses(choose("reduce", "star"), request)
    assert not strided.refuses(choose("reduce", "star"), replace(request, line=LINES[0]))
