"""Collectives written by hand: their data, and their cycles against the published formulas."""

from __future__ import annotations

import numpy as np
import pytest
from fabric_programs import (
    X,
    access,
    broadcast,
    chain_reduce,
    copy_own,
    ints,
    rect,
    row_program,
    star_reduce,
    textbook_machine,
    two_phase_reduce,
    values,
)  # fmt: skip

from wse_mlir.wse_target.image import PEClass, Program, Route
from wse_mlir.wse_target.instructions import Join, Loop, Receive, Send, Vector
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import minimum
from wse_mlir.wse_target.sim import Simulation, simulate
from wse_mlir.wse_target.sim.flow import engine

TEXTBOOK = textbook_machine()
SIZES = [(p, b) for p in (2, 4, 64, 512) for b in (1, 16, 256, 4096)]


def chain_sum(row: np.ndarray) -> np.ndarray:
    """The sum of a row of tiles in the order in which a chain towards PE 0 adds them."""
    total = row[-1].copy()
    for tile in row[-2::-1]:
        total = tile + total
    return total


@pytest.mark.parametrize(("pes", "words"), SIZES)
def test_broadcast_takes_b_plus_p_plus_two_ramps(pes: int, words: int) -> None:
    program = broadcast(pes, words)
    a = values(program)
    result = simulate(program, TEXTBOOK, [a])
    np.testing.assert_array_equal(result.outputs[0], np.broadcast_to(a[:, :1], a.shape))
    # The formula counts P links where a row has P - 1.
    assert result.report.cycles.makespan == pytest.approx(words + pes + 4 - 1, rel=0.01)


@pytest.mark.parametrize(("pes", "words"), SIZES)
def test_chain_takes_b_plus_six_cycles_a_pe(pes: int, words: int) -> None:
    program = chain_reduce(pes, words)
    a = values(program)
    result = simulate(program, TEXTBOOK, [a])
    np.testing.assert_array_equal(result.outputs[0][0, 0], chain_sum(a[0]))
    assert result.report.cycles.makespan == pytest.approx(words + 6 * (pes - 1), rel=0.01, abs=1)


@pytest.mark.parametrize("pes", [2, 4, 16])
@pytest.mark.parametrize("words", [1, 16, 256])
def test_star_sums_in_the_roots_order_and_is_bound_by_its_ramp(pes: int, words: int) -> None:
    """Streams of colours of their own take turns on the way, so the first one that is added comes later than alone."""
    program = star_reduce(pes, words)
    a = values(program)
    result = simulate(program, TEXTBOOK, [a])
    total = a[0, 0].copy()
    for x in range(1, pes):
        total = total + a[0, x]
    np.testing.assert_array_equal(result.outputs[0][0, 0], total)
    formula = words * (pes - 1) + 2 * 2 + 1
    if pes == 2:
        assert result.report.cycles.makespan == pytest.approx(formula, rel=0.01)
    assert formula <= result.report.cycles.makespan <= formula + (pes - 1) * TEXTBOOK.stream_capacity


def test_two_phase_sums_in_groups_and_then_over_them() -> None:
    program = two_phase_reduce(16, 5, group=4)
    a = values(program)
    result = simulate(program, TEXTBOOK, [a])
    groups = np.stack([chain_sum(a[0, x : x + 4]) for x in range(0, 16, 4)])
    np.testing.assert_allclose(result.outputs[0][0, 0], chain_sum(groups), rtol=1e-5)


@pytest.mark.parametrize(
    ("program", "cycles"),
    [
        (chain_reduce(512, 4096), 7218),
        (two_phase_reduce(512, 4096, group=2), 10055),
        (two_phase_reduce(512, 4096, group=32), 8973),
    ],
    ids=["chain", "two_phase{group=2}", "two_phase{group=32}"],
)
def test_reductions_on_wse2_are_near_the_vendors_simulator(program: Program, cycles: float) -> None:
    machine = load_machine("wse2").replace(
        rates__copy={"default": 1e9}
    )  # the copies are of the test's own making
    result = simulate(program, machine, [], timing_only=True)
    assert result.report.cycles.makespan == pytest.approx(cycles, rel=0.01)


def test_f16_sums_round_at_every_pe() -> None:
    program = chain_reduce(64, 5, dtype="f16")
    a = values(program)
    result = simulate(program, TEXTBOOK, [a])
    expected = chain_sum(a[0])
    assert expected.dtype == np.float16
    np.testing.assert_array_equal(result.outputs[0][0, 0], expected)


def test_per_pe_lengths_and_offsets() -> None:
    """One text, a different number of elements on each PE: bounds and offsets are expressions in x."""
    words, width = 8, 8
    triangle = Vector("add", (X + 1,), access("r", 1), (access("r", 1), access("a", -1, offset=X)))
    classes = [
        PEClass("all", rect(0, 0, width, 1), (Vector("fill", ints(words), access("r", 1), (0.5,)), triangle))
    ]
    program = row_program(width, words, classes, [], [])
    a = values(program)
    out = simulate(program, load_machine("tiny"), [a]).outputs[0]
    for x in range(width):
        expected = np.full(words, 0.5, np.float32)
        expected[: x + 1] += a[0, x, x::-1]
        np.testing.assert_array_equal(out[0, x], expected)


def test_one_text_sends_different_lengths() -> None:
    """PE x sends x + 1 elements to PE x + 1; the ends of the row send or receive nothing."""
    width, words = 7, 8

    def body(out: str, into: str) -> tuple:
        exchange = (
            Send(out, (minimum(X + 1, (X * -1 + (width - 1)) * words),), access("a", 1), thread=1),
            Receive(into, (X,), access("r", 1), "add"),
            Join((1,)),
        )
        return (copy_own(words), *exchange)

    even, odd = rect(0, 0, 4, 1, 2), rect(1, 0, 3, 1, 2)
    classes = [PEClass("even", even, body("e", "o")), PEClass("odd", odd, body("o", "e"))]
    routes = [
        Route("e", rect(0, 0, 3, 1, 2), "ramp", ("east",)),
        Route("e", odd, "west", ("ramp",)),
        Route("o", odd, "ramp", ("east",)),
        Route("o", rect(2, 0, 3, 1, 2), "west", ("ramp",)),
    ]
    program = row_program(width, words, classes, routes, ["e", "o"])
    a = values(program)
    out = simulate(program, load_machine("tiny"), [a]).outputs[0]
    for x in range(width):
        expected = a[0, x].copy()
        expected[:x] += a[0, x - 1, :x]
        np.testing.assert_array_equal(out[0, x], expected)


def test_each_pe_passes_blocks_in_a_loop() -> None:
    """A shift by one PE, `width` times: afterwards each block is back where it started, after going round a row."""
    width, words = 6, 3
    n = ints(words)
    routes = [
        Route("back", rect(0, 0, 1, 1), "east", ("ramp",)),
        Route("back", rect(1, 0, width - 2, 1), "east", ("west",)),
        Route("back", rect(width - 1, 0, 1, 1), "ramp", ("west",)),
    ]
    colours = ["even", "odd", "back"]
    for x in range(width - 1):
        colour = colours[x % 2]
        routes.append(Route(colour, rect(x, 0, 1, 1), "ramp", ("east",)))
        routes.append(Route(colour, rect(x + 1, 0, 1, 1), "west", ("ramp",)))

    def body(x: int) -> tuple:
        out = "back" if x == width - 1 else colours[x % 2]
        into = "back" if x == 0 else colours[(x - 1) % 2]
        exchange = (
            Send(out, n, access("r", 1), thread=1),
            Receive(into, n, access("r", 1), thread=2),
            Join((1, 2)),
        )
        return (copy_own(words), Loop("step", ints(width)[0], exchange))

    classes = [PEClass(f"pe{x}", rect(x, 0, 1, 1), body(x)) for x in range(width)]
    # A router gives a colour to its own ramp or onwards, so a colour may not both start and end at one PE.
    program = row_program(width, words, classes, routes, colours)
    a = values(program)
    np.testing.assert_array_equal(simulate(program, TEXTBOOK, [a]).outputs[0], a)


def test_two_calls_are_alike_and_state_stays() -> None:
    """Memory persists between calls; time starts again."""
    add = Vector("add", ints(4), access("r", 1), (access("r", 1), access("a", 1)))
    program = row_program(4, 4, [PEClass("all", rect(0, 0, 4, 1), (add,))], [], [])
    simulation = Simulation(program, load_machine("tiny"))
    a = values(program)
    first, second = simulation.call([a]), simulation.call([a])
    np.testing.assert_array_equal(first.outputs[0] * 2, second.outputs[0])
    assert first.report.to_json() == second.report.to_json()


def test_timing_needs_no_data() -> None:
    program = chain_reduce(16, 100, height=3)
    machine = load_machine("wse3")
    with_data = simulate(program, machine, [values(program)])
    without = simulate(program, machine, [], timing_only=True)
    assert without.outputs == []
    assert without.report.to_json(arrays=True) == with_data.report.to_json(arrays=True)


def test_runs_are_reproducible() -> None:
    program = chain_reduce(33, 70, height=2)
    a = values(program)
    runs = [simulate(program, load_machine("wse2"), [a]) for _ in range(2)]
    assert runs[0].report.to_json(arrays=True) == runs[1].report.to_json(arrays=True)
    assert runs[0].outputs[0].tobytes() == runs[1].outputs[0].tobytes()


def test_work_grows_with_the_code_and_not_with_the_pes(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows of a grid are executed together: 64 rows take as many steps of the engine as one."""
    machine = load_machine("tiny").replace(grid__width=64, grid__height=64)
    steps: list[int] = []
    execute = engine._Run._execute
    monkeypatch.setattr(engine._Run, "_execute", lambda *args: (steps.append(1), execute(*args)))
    counts = []
    for height in (1, 64):
        steps.clear()
        program = chain_reduce(64, 64, height=height)
        simulate(program, machine, [values(program)])
        counts.append(len(steps))
    assert counts[0] == counts[1]
