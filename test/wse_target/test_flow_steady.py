"""Loops that repeat: skipped or not, the flow engine comes to the same times, accounts and data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fabric_programs import access, copy_own, ints, rect, row_program, values

from wse_mlir.wse_target.image import PEClass, Program, Route
from wse_mlir.wse_target.instructions import Control, Instruction, Join, Loop, Phase, Receive, Send, Vector
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import Var, binary, const
from wse_mlir.wse_target.sim import Simulation
from wse_mlir.wse_target.sim.flow import periodic
from wse_mlir.wse_target.sim.flow.engine import FlowEngine
from wse_mlir.wse_target.sim.flow.ranges import constant_value
from wse_mlir.wse_target.sim.flow.replay import replay

MACHINE = load_machine("wse3")
WIDTH, WORDS = 6, 30


def exchange(trips: int, work: int, *, ragged: bool = False, into: str = "a") -> Program:
    """PEs of a row swap tiles with their neighbour, again and again, and compute beside it.

    `ragged`: what they compute grows from trip to trip. `into`: the buffer that they add what comes to; "r" is the one
    that they send from.
    """
    bound = Var("k") + 1 if ragged else const(work)
    routes = [
        Route("right", rect(0, 0, WIDTH // 2, 1, 2), "ramp", ("east",)),
        Route("right", rect(1, 0, WIDTH // 2, 1, 2), "west", ("ramp",)),
        Route("left", rect(1, 0, WIDTH // 2, 1, 2), "ramp", ("west",)),
        Route("left", rect(0, 0, WIDTH // 2, 1, 2), "east", ("ramp",)),
    ]

    def body(out: str, back: str) -> tuple[Instruction, ...]:
        place = access("r", 1, offset=Var("k") % 2)
        step = (
            Send(out, ints(WORDS - 2), place, thread=1),
            Receive(back, ints(WORDS - 2), access(into, 1), "add", thread=2),
            Vector("mul", (bound,), access("r", 1), (access("r", 1), 0.5)),
            Join((1, 2), tasks=True),
        )
        return (copy_own(WORDS), Loop("k", const(trips), step), copy_own(WORDS))

    classes = [
        PEClass("even", rect(0, 0, WIDTH // 2, 1, 2), body("right", "left")),
        PEClass("odd", rect(1, 0, WIDTH // 2, 1, 2), body("left", "right")),
    ]
    return row_program(WIDTH, WORDS, classes, routes, ["right", "left"])


def run(program: Program, *, skips: bool, timing_only: bool):
    simulation = Simulation(program, MACHINE, timing_only=timing_only)
    assert isinstance(simulation.engine, FlowEngine)
    simulation.engine.skips = skips
    return simulation.call([] if timing_only else [values(program)])


@pytest.mark.parametrize("timing_only", [True, False])
@pytest.mark.parametrize("work", [2, 25])
def test_skipping_changes_nothing(work: int, timing_only: bool) -> None:
    program = exchange(57, work)
    skipped, whole = (run(program, skips=s, timing_only=timing_only) for s in (True, False))
    assert skipped.report.cycles.makespan == pytest.approx(whole.report.cycles.makespan, rel=1e-9)
    assert skipped.report.bytes_moved == whole.report.bytes_moved
    assert skipped.report.flops == whole.report.flops
    for name, grid in whole.report.per_pe.items():
        np.testing.assert_allclose(skipped.report.per_pe[name], grid, rtol=1e-9, atol=1e-6)
    for a, b in zip(skipped.outputs, whole.outputs, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize(("into", "replays"), [("a", True), ("r", False)])
def test_trips_are_replayed_if_the_order_of_operations_does_not_matter(
    into: str, replays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = []
    monkeypatch.setattr(periodic, "replay", lambda *args: plans.append(replay(*args)) or plans[-1])
    program = exchange(57, 25, into=into)
    skipped, whole = (run(program, skips=s, timing_only=False) for s in (True, False))
    assert [plan is not None for plan in plans] == [replays]
    assert [a.tobytes() for a in skipped.outputs] == [b.tobytes() for b in whole.outputs]


def layers(trips: int) -> Program:
    """Layers of two phases in a loop: neighbours swap tiles in an inner loop, then compute."""
    once = exchange(3, 5)

    def body(pe_class: PEClass) -> tuple[Instruction, ...]:
        first, loop, last = pe_class.body
        work = Vector("mul", ints(9), access("r", 1), (access("r", 1), 0.5))
        layer = (Phase("swap"), loop, Phase("work"), work, Control("task", Var("x") + 1))
        return (Phase("before"), first, Loop("layer", const(trips), layer), Phase("behind"), last)

    return replace(once, classes=tuple(replace(c, body=body(c)) for c in once.classes))


def test_phases_of_a_loop_over_layers_get_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    skipped, whole = (run(layers(40), skips=s, timing_only=True).report for s in (True, False))
    assert skipped.cycles.makespan == pytest.approx(whole.cycles.makespan, rel=1e-9)
    assert [row.name for row in skipped.phases] == [row.name for row in whole.phases]
    for ours, theirs in zip(skipped.phases, whole.phases, strict=True):
        for name, value in vars(theirs).items():
            if isinstance(value, float | np.ndarray):
                np.testing.assert_allclose(vars(ours)[name], value, rtol=1e-5, err_msg=f"{ours.name} {name}")
    assert groups(layers(400), monkeypatch) == groups(layers(40), monkeypatch)


def groups(program: Program, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many groups the engine executes for a program."""
    from wse_mlir.wse_target.sim.flow import engine

    count = [0]
    execute = engine._Run._execute

    def counted(*args: object) -> None:
        count[0] += 1
        execute(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(engine._Run, "_execute", counted)
        run(program, skips=True, timing_only=True)
    return count[0]


def test_work_does_not_grow_with_the_trips_of_a_steady_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    assert groups(exchange(100, 2), monkeypatch) == groups(exchange(1000, 2), monkeypatch)


def test_loops_whose_trips_differ_are_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    program = exchange(24, 0, ragged=True)
    skipped, whole = (run(program, skips=s, timing_only=True) for s in (True, False))
    assert skipped.report.cycles.makespan == whole.report.cycles.makespan
    assert groups(exchange(24, 0, ragged=True), monkeypatch) > 2 * groups(exchange(24, 2), monkeypatch) / 3


def test_bounds_that_are_constant_in_disguise_are_found() -> None:
    x, k = Var("x"), Var("k")
    ranges = {"x": (0, 15), "k": (0, 15)}
    block = (x + k * -1) % 16
    place = binary("min", block * 2, block * -2 + 31)  # 0, 2, ... 14, 15, ... 3, 1
    assert constant_value(binary("min", const(4), place * -4 + 64), ranges) == 4
    assert constant_value(binary("min", const(4), place * -4 + 61), ranges) is None
    assert constant_value(x % 1, ranges) == 0
    assert constant_value(x + k, ranges) is None
