"""What the report of a small program says, number by number."""

import json

import numpy as np
import pytest
from fabric_programs import chain_reduce

from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim.report import SimulationReport
from wse_mlir.wse_target.sim.simulation import simulate

WORDS, WIDTH = 100, 5


@pytest.fixture(scope="module")
def report() -> SimulationReport:
    return run(chain_reduce(WIDTH, WORDS))


def run(program: Program, **changes: object) -> SimulationReport:
    return simulate(program, load_machine("tiny").replace(**changes), [], timing_only=True).report


def test_links_of_a_chain(report: SimulationReport) -> None:
    assert report.links is not None and report.ramps is not None
    expected = np.zeros((1, WIDTH, 4))
    expected[0, 1:, 3] = WORDS  # PEs 1 to 4 give to the west
    np.testing.assert_array_equal(report.links, expected)
    np.testing.assert_array_equal(report.ramps[0, :, 0], [WORDS] * (WIDTH - 1) + [0])
    np.testing.assert_array_equal(report.ramps[0, :, 1], [0] + [WORDS] * (WIDTH - 1))
    loads = report.link_loads
    assert (loads.words, loads.used, loads.most_words) == (WORDS * 4, 4, WORDS)
    assert loads.busiest == "PE (1, 0) west"
    assert loads.busy == loads.mean_busy == pytest.approx(WORDS / report.cycles.makespan)
    assert report.bytes_moved == WORDS * 4 * 4


def test_work_of_a_chain(report: SimulationReport) -> None:
    assert report.flops == (WIDTH - 1) * WORDS  # three relays and the root add
    # Everybody copies; the leaf's send and the relays read, the root's receive reads and writes.
    assert report.sram_bytes == 4 * WORDS * (2 * WIDTH + 1 + 3 + 2)
    assert report.per_pe["flops"].tolist() == [[100, 100, 100, 100, 0]]


def test_roofline(report: SimulationReport) -> None:
    machine, line = load_machine("tiny"), report.roofline
    assert line.dtype == "f32" and line.peak == 2 * machine.rate("fma", "f32")
    assert line.intensity == report.flops / report.sram_bytes
    assert line.fabric_intensity == report.flops / (4 * WORDS * 4)
    assert line.attained == pytest.approx(report.flops / (WIDTH * report.cycles.makespan))
    roofs = {
        "compute": line.peak,
        "memory": line.intensity * line.sram_bandwidth,
        "fabric": line.fabric_intensity * line.fabric_bandwidth,
    }
    assert line.roof == roofs[line.bound] == min(roofs.values())
    slow = run(chain_reduce(WIDTH, WORDS), rates__fma={"default": 1e-3}).roofline
    assert slow.bound == "compute" and slow.roof == slow.peak == 2e-3


def test_the_split_adds_up(report: SimulationReport) -> None:
    split = report.split
    assert split.compute + split.communication + split.waiting == pytest.approx(report.cycles.device)
    assert split.wait_words + split.wait_places + split.wait_join + split.wait_switch == split.waiting
    (row,) = report.phases
    assert (row.name, row.module_path, row.location) == ("reduce", "model.sum", "model.py:7")
    assert row.compute == pytest.approx(split.compute) and row.flops == report.flops
    assert report.phase_cycles is not None and report.phase_cycles.shape == (1, 1, WIDTH)
    np.testing.assert_allclose(report.phase_cycles[0], report.per_pe["total"], rtol=1e-6)


def test_the_report_is_plain_data(report: SimulationReport) -> None:
    data = report.to_json()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert {"cycles", "split", "phases", "sram", "roofline", "link_loads", "utilisation"} <= set(data)
    assert "per_pe" not in data and "links" not in data
    arrays = report.arrays()
    assert {"compute", "wait_words", "waiting", "total", "links", "ramps", "phase_cycles"} <= set(arrays)
