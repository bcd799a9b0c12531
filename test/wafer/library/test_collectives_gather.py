"""All-gather by multicast: numbers on whole lines and on stretches of them, times, colours, and what deletions do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from collective_programs import along, contents, line, program_of, timed, wide

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.passes.wafer.algorithms.collectives.gather_plan import plans
from wse_mlir.passes.wafer.algorithms.fragment import CollectiveRequest, Fragment, Line, Spread, TileWalk
from wse_mlir.passes.wafer.algorithms.lines import cover
from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.instructions import Access, Instruction, Loop, Receive, Send
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.quasi_affine import const, minimum
from wse_mlir.wse_target.sim import Simulation, simulate

MACHINE = wide("wse3", 755)


def request_of(
    lines: Line, size: int, inner: int, dtype: str, machine: Machine = MACHINE
) -> CollectiveRequest:
    """Rows of a size x inner matrix in blocks; the last ones are short or empty."""
    block = -(-size // lines.extent)
    rows = minimum(block, const(size) - lines.position * block)
    own = TileWalk(Access("t", const(0), (inner, 1)), (rows, const(inner)), dtype)  # type: ignore[arg-type]
    whole = TileWalk(Access("r", const(0), (inner, 1)), (const(size), const(inner)), dtype)  # type: ignore[arg-type]
    return CollectiveRequest(lines, own, machine, "g_", spread=Spread(whole, 0, block))


def buffers(request: CollectiveRequest, size: int, inner: int) -> list[tuple[str, int, str]]:
    assert request.spread is not None
    return [("t", request.spread.pitch * inner, request.tile.dtype), ("r", size * inner, request.tile.dtype)]


def gathered(
    fragment: Fragment, request: CollectiveRequest, size: int, inner: int, engine: str
) -> tuple[np.ndarray, np.ndarray, float]:
    """What PEs had and have, [lines, PEs along the axis, elements], and the cycles."""
    listed, grid, axis = buffers(request, size, inner), request.line.grid, request.line.axis
    program = program_of(fragment, grid, listed, inputs=["t"], outputs=["r"])
    data = contents(grid, listed[0][1], request.tile.dtype)
    done = Simulation(program, request.machine, engine=engine).call([data])  # type: ignore[arg-type]
    return along(data, axis), along(done.outputs[0], axis), done.report.cycles.makespan


CASES = [  # axis, PEs, of which on a line (0: all), rows, columns, type, options
    ("x", 7, 0, 40, 3, "f32", ""),
    ("y", 33, 0, 5, 3, "f16", ""),  # five of them have a row
    ("x", 16, 0, 40, 3, "i32", "{groups=2 colours=4}"),  # parts of seven: sums are passed on
    ("y", 33, 0, 33, 1, "f16", "{groups=1 colours=3}"),
    ("x", 29, 0, 50, 2, "f32", "{colours=6}"),
    ("x", 24, 8, 11, 3, "f16", ""),  # three stretches on each row
    ("y", 21, 7, 20, 1, "f32", "{groups=1 colours=4}"),
    ("x", 6, 1, 4, 2, "f32", ""),
]


@pytest.mark.parametrize("engine", ["flow", "wavelet"])
@pytest.mark.parametrize(("axis", "pes", "length", "size", "inner", "dtype", "options"), CASES)
def test_numbers_and_times(
    axis: str, pes: int, length: int, size: int, inner: int, dtype: str, options: str, engine: str
) -> None:
    lines = replace(line(axis, pes, 2), length=length)
    request, choice = request_of(lines, size, inner, dtype), choose("all_gather", f"multicast{options}")
    given, got, cycles = gathered(choice.build(request), request, size, inner, engine)
    for start in range(0, pes, lines.extent):
        stretch = slice(start, start + lines.extent)
        for before, after in zip(given[:, stretch], got[:, stretch], strict=True):
            whole = before.reshape(-1)[: size * inner]
            np.testing.assert_array_equal(after, np.tile(whole, (lines.extent, 1)))
    assert choice.cycles(request) == pytest.approx(cycles, rel=0.15, abs=20)


@pytest.mark.parametrize(
    ("pes", "size", "inner", "options", "most"),
    [
        (420, 4096, 1, "", 3700),  # the links take 2,304 for the words, and 838 for the way
        (420, 4096, 1, "{colours=6}", 5500),
        (420, 8, 512, "", 3900),  # 8 of 420 PEs have something
        (755, 755, 2, "", 4500),
    ],
)
def test_long_lines_take_little_more_than_their_links_need(
    pes: int, size: int, inner: int, options: str, most: float
) -> None:
    request = request_of(line("x", pes), size, inner, "f16")
    choice = choose("all_gather", f"multicast{options}")
    fragment = choice.build(request)
    cycles = timed(fragment, MACHINE, request.line.grid, buffers(request, size, inner))
    assert cycles <= most
    assert choice.cycles(request) == pytest.approx(cycles, rel=0.15)
    assert len(fragment.parts) == 1
    assert len(fragment.routes) < 100


def test_plans_keep_to_their_colours() -> None:
    for extent, owners, most in ((420, 420, 3), (420, 8, 12), (755, 700, 9), (2, 2, 1), (1, 1, 1)):
        found = list(plans(extent, owners, 1, most, 4))
        assert found or most < 3
        assert all(p.colours <= most and p.group * len(p.leaders) >= owners for p in found)


def test_what_has_no_plan_is_refused() -> None:
    request = request_of(line("x", 9), 9, 1, "f32")
    assert "1 colours" in choose("all_gather", "multicast{colours=1}").refuses(request)
    assert "is not said" in choose("all_gather", "multicast").refuses(replace(request, spread=None))


@pytest.mark.parametrize("kind", [Send, Receive])
def test_without_a_transfer_the_program_gets_stuck(kind: type[Send] | type[Receive]) -> None:
    request = request_of(line("x", 8), 24, 2, "f32")
    fragment = choose("all_gather", "multicast{colours=4 groups=1}").build(request)
    (part,) = fragment.parts
    for number in [n for n, op in enumerate(part.body) if isinstance(op, kind)]:
        body = (*part.body[:number], *part.body[number + 1 :])
        broken = replace(fragment, parts=(replace(part, body=body),))
        listed = buffers(request, 24, 2)
        program = program_of(broken, request.line.grid, listed, inputs=["t"], outputs=["r"])
        with pytest.raises(TargetError, match=r"deadlock|did not take"):
            simulate(program, MACHINE, [contents(request.line.grid, listed[0][1])])


def test_without_its_copy_the_numbers_are_wrong() -> None:
    request = request_of(line("x", 8), 24, 2, "f32")
    fragment = choose("all_gather", "multicast").build(request)
    (part,) = fragment.parts
    broken = replace(fragment, parts=(replace(part, body=part.body[1:]),))
    _, got, _ = gathered(broken, request, 24, 2, "flow")
    assert not got.any()


def test_sets_of_positions_are_few_rectangles() -> None:
    assert cover([4]) == [(4, 1, 1)]
    assert cover(list(range(3, 30, 3))) == [(3, 9, 3)]
    pairs = [n for n in range(60) if n % 10 in (2, 3)]
    assert cover(pairs) == [(2, 6, 10), (3, 6, 10)]
    runs = [n for n in range(60) if n % 20 > 3]
    assert len(cover(runs)) == 3
    assert sorted(n for b, c, s in cover(pairs) for n in range(b, b + c * s, s)) == pairs


def transfers(body: tuple[Instruction, ...]) -> int:
    return sum(transfers(op.body) if isinstance(op, Loop) else isinstance(op, Send | Receive) for op in body)


def test_the_text_does_not_grow_with_the_line() -> None:
    counts = []
    for pes in (64, 700):
        request = request_of(line("x", pes), pes, 1, "f32")
        (part,) = choose("all_gather", "multicast{colours=8}").build(request).parts
        counts.append(transfers(part.body))
    assert counts[1] <= counts[0] + 4
