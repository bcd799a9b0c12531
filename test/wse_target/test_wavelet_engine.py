"""The wavelet engine on the programs of `fabric_programs`: data, times that agree with the flow engine, errors."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from fabric_programs import broadcast, chain_reduce, star_reduce, two_phase_reduce, values
from random_programs import random_program
from reference_execution import execute

from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim import Simulation, SimulationResult
from wse_mlir.wse_target.sim.accounting import BINS
from wse_mlir.wse_target.sim.code import place

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


def test_random_programs_take_as_long_without_data() -> None:
    """Whatever ties there are between words, they are broken alike."""
    for seed in range(12):
        case = random_program(seed)
        with_data = Simulation(case.program, case.machine, engine="wavelet").call(case.inputs)
        timing = Simulation(case.program, case.machine, engine="wavelet", timing_only=True)
        without = timing.call([], scalars=case.scalars)
        assert with_data.report.to_json(arrays=True) == without.report.to_json(arrays=True), seed


def test_bins_add_up_to_each_pes_time() -> None:
    for seed in range(12):
        case = random_program(seed)
        maps = (
            Simulation(case.program, case.machine, engine="wavelet", timing_only=True).call([]).report.per_pe
        )
        np.testing.assert_allclose(sum(maps[b] for b in BINS), maps["total"], rtol=1e-9, err_msg=str(seed))


def test_random_programs_end_with_the_data_of_an_untimed_execution() -> None:
    for seed in range(1000, 1010):
        case = random_program(seed)
        result = Simulation(case.program, case.machine, engine="wavelet").call(case.inputs)
        for got, expected in zip(result.outputs, execute(case.program, case.inputs), strict=True):
            assert got.tobytes() == expected.tobytes(), seed


class Records:
    """A recorder that keeps what it is told of one PE."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, float, float, int]] = []

    def record(self, pc, thread, pes, begin, end, cause) -> None:
        (pe,), (start,), (stop,), (why,) = pes.tolist(), begin.tolist(), end.tolist(), cause.tolist()
        self.rows.append((pe, thread, start, stop, why))


def test_a_recorder_hears_of_everything_with_its_cause() -> None:
    """In a chain every relay ends when words from its neighbour have come; the last PE sends of its own accord."""
    records = Records()
    program = chain_reduce(8, 30)
    total = run(program, recorder=records).report.per_pe["total"][0]
    for x in range(8):
        pe = next(i for i, (px, _) in enumerate(placed(program)) if px == x)
        mine = sorted(row for row in records.rows if row[0] == pe)
        assert mine[0][2] == 0 and mine[-1][3] == total[x]
        assert all(before[3] == after[2] for before, after in pairwise(mine))
        longest = max(mine, key=lambda row: row[3] - row[2])
        neighbour = next(i for i, (px, _) in enumerate(placed(program)) if px == min(x + 1, 7))
        assert longest[4] == neighbour


def placed(program: Program) -> list[tuple[int, int]]:
    """Coordinates by PE number."""
    placement = place(*program.grid, program.classes)
    return list(zip(placement.x.tolist(), placement.y.tolist(), strict=True))


def test_progress_is_reported() -> None:
    shares: list[float] = []
    run(broadcast(40, 4, 4), progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) > 1
