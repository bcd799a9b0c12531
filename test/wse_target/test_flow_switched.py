"""Loops whose trips switch routers: skipped or not, the flow engine comes to the same times and accounts."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest
from fabric_programs import values
from switched_layers import layers

from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim import Simulation
from wse_mlir.wse_target.sim.flow import engine
from wse_mlir.wse_target.sim.flow.engine import FlowEngine
from wse_mlir.wse_target.sim.report import SimulationReport

MACHINE = load_machine("wse3")


def times(program: Program, *, skips: bool, repeat: int = 1) -> SimulationReport:
    simulation = Simulation(program, MACHINE, timing_only=True)
    assert isinstance(simulation.engine, FlowEngine)
    simulation.engine.skips = skips
    return simulation.call([], repeat=repeat).report


def groups(program: Program, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many groups the engine executes for a program."""
    count, execute = [0], engine._Run._execute

    def counted(*args: object) -> None:
        count[0] += 1
        execute(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(engine._Run, "_execute", counted)
        times(program, skips=True)
    return count[0]


def assert_same(skipped: SimulationReport, whole: SimulationReport) -> None:
    assert skipped.cycles.makespan == pytest.approx(whole.cycles.makespan, rel=1e-9)
    assert (skipped.bytes_moved, skipped.flops) == (whole.bytes_moved, whole.flops)
    for name, grid in whole.per_pe.items():
        np.testing.assert_allclose(skipped.per_pe[name], grid, rtol=1e-9, atol=1e-6, err_msg=name)
    for ours, theirs in zip(skipped.phases, whole.phases, strict=True):
        for name, value in vars(theirs).items():
            if isinstance(value, float | np.ndarray):
                np.testing.assert_allclose(vars(ours)[name], value, rtol=1e-5, err_msg=f"{ours.name} {name}")


@pytest.mark.parametrize("seed", range(12))
def test_a_loop_that_is_skipped_is_as_one_that_is_run(seed: int) -> None:
    drawn = np.random.default_rng(seed)
    program = layers(
        int(drawn.integers(4, 40)), words=int(drawn.integers(1, 60)), work=int(drawn.integers(1, 200)),
        inner=int(drawn.choice([0, 2, 9])),
    )  # fmt: skip
    repeat = int(drawn.integers(1, 4))
    assert_same(*(times(program, skips=skips, repeat=repeat) for skips in (True, False)))


@pytest.mark.parametrize("inner", [0, 20])
def test_work_does_not_grow_with_the_trips(inner: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert groups(layers(1000, inner=inner), monkeypatch) == groups(layers(20, inner=inner), monkeypatch)


def test_positions_that_depend_on_the_trip_are_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert groups(layers(40, turning=True), monkeypatch) > 3 * groups(layers(40), monkeypatch)
    assert_same(*(times(layers(20, turning=True), skips=skips) for skips in (True, False)))


@pytest.mark.parametrize("trips", [3, 25])
def test_both_engines_agree(trips: int) -> None:
    program = layers(trips, words=20)
    timed = times(program, skips=True)
    flow, wavelet = (
        Simulation(program, MACHINE, engine=engine).call([values(program)]) for engine in ("flow", "wavelet")
    )
    assert [a.tobytes() for a in flow.outputs] == [b.tobytes() for b in wavelet.outputs]
    assert timed.cycles.makespan == pytest.approx(flow.report.cycles.makespan, rel=1e-9)
    np.testing.assert_allclose(timed.per_pe["total"], wavelet.report.per_pe["total"], rtol=0.05, atol=20)


def test_memory_is_flat_over_runs() -> None:
    simulation = Simulation(layers(60), MACHINE, timing_only=True)
    taken = []
    tracemalloc.start()
    try:
        for _ in range(12):
            simulation.call([])
            gc.collect()
            taken.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert taken[-1] - taken[3] < 20_000  # a run's lanes are ten times as much
