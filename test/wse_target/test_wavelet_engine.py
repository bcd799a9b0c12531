"""The wavelet engine on the programs of `fabric_programs`: data, times that agree with the flow engine, errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fabric_programs import broadcast, chain_reduce, star_reduce, two_phase_reduce, values
from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.machine import load_machine
from wse_mlir.wse_target.sim import Simulation, SimulationResult

TINY = load_machine("tiny").replace(grid__width=64)
WSE3 = load_machine("wse3")


def run(program: Program, machine=TINY, engine="wavelet", **options) -> SimulationResult:
    inputs = [] if options.get("timing_only") else [values(program)]
    return Simulation(program, machine, engine=engine, **options).call(inputs)


PROGRAMS = [
    broadcast(8, 40, 2), chain_reduce(8, 100, 2), chain_reduce(7, 33, 2, dtype="f16"), two_phase_reduce(12, 64, 4),
]  # fmt: skip


@pytest.mark.parametrize("machine", [TINY, WSE3], ids=lambda m: m.name)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_engines_agree_on_collectives(program: Program, machine) -> None:
    wavelet, flow = run(program, machine), run(program, machine, "flow")
    assert wavelet.outputs[0].tobytes() == flow.outputs[0].tobytes()
    assert wavelet.report.cycles.makespan == pytest.approx(flow.report.cycles.makespan, abs=2)
    assert wavelet.report.cycles.device == pytest.approx(flow.report.cycles.device, abs=2)
    assert wavelet.report.bytes_moved == flow.report.bytes_moved


def test_a_star_adds_up() -> None:
    program = star_reduce(5, 50)
    expected = run(program, engine="flow").outputs[0]
    np.testing.assert_array_equal(run(program).outputs[0], expected)


def test_timing_needs_no_data() -> None:
    program = chain_reduce(16, 100, height=3)
    with_data, without = run(program, WSE3), run(program, WSE3, timing_only=True)
    assert without.outputs == []
    assert without.report.to_json(arrays=True) == with_data.report.to_json(arrays=True)


def test_calls_and_repetitions() -> None:
    program = chain_reduce(6, 20)
    simulation = Simulation(program, TINY, engine="wavelet")
    first, second = simulation.call([values(program)]), simulation.call([values(program)])
    assert first.outputs[0].tobytes() == second.outputs[0].tobytes()
    assert first.report.to_json(arrays=True) == second.report.to_json(arrays=True)
    several = simulation.call([values(program)], repeat=5).report.cycles
    assert several.device < first.report.cycles.makespan


def test_a_router_has_one_setting() -> None:
    program = broadcast(3, 4)
    with pytest.raises(TargetError, match="two routes at the router of PE"):
        run(replace(program, routes=(*program.routes, program.routes[0])))
