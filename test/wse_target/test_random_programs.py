"""Random programs: what the generator reaches, data against an untimed execution, times that respect what must hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from random_programs import features, random_program
from reference_execution import execute

from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import PEClass, Program
from wse_mlir.wse_target.instructions import Send
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.quasi_affine import Const
from wse_mlir.wse_target.sim import Simulation, SimulationResult
from wse_mlir.wse_target.sim.engine import EngineName

HARD = ("contention", "long", "switches", "microthreads")
SHALLOW = {"queues__input": [1] * 8, "queues__output": [1] * 8, "fabric__router_words": 1}
RARE = ("unpacked", "empty", "multicast", "tasks", "indirect", "counted", "Choose")


def test_the_same_seed_gives_the_same_program() -> None:
    for seed in range(5):
        one, other = random_program(seed), random_program(seed)
        assert one.program == other.program and one.machine == other.machine
        for a, b in zip(one.inputs, other.inputs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_generator_covers_what_it_should() -> None:
    """For a tenth of the 1,000 programs that the engines are compared on."""
    found: Counter[str] = Counter()
    having: Counter[str] = Counter()
    for seed in range(100):
        case = features(random_program(seed))
        found.update(case)
        having.update(key for key, count in case.items() if count)
        assert case["wavelet hops"] < 6000
    for feature in HARD:
        assert having[feature] >= 30, (feature, having[feature])
    for feature in RARE:
        assert having[feature] >= 10, (feature, having[feature])
    for kind, count in found.items():
        assert count >= 5, (kind, count)


@pytest.mark.parametrize("engine", ["flow", "wavelet"])
def test_data_match_whatever_the_queues_hold(engine: EngineName) -> None:
    """Bit for bit, but for results that no instruction reads (see `random_compute.WILD`)."""
    for seed in range(40):
        case = random_program(seed, small=seed % 4 > 0)
        expected = execute(case.program, case.inputs)
        for machine in (case.machine, case.machine.replace(**SHALLOW)):
            found = run(case.program, machine, case.inputs, engine).outputs
            for spec, a, b in zip(case.program.results, expected, found, strict=True):
                if spec.name.startswith("m_"):
                    assert a.tobytes() == b.tobytes(), (seed, spec.name)


@pytest.mark.parametrize("engine", ["flow", "wavelet"])
def test_time_is_sane(engine: EngineName) -> None:
    """Cycles split without a rest, and links that take longer make programs later."""
    for seed in range(40):
        case = random_program(seed, small=True)
        report = run(case.program, case.machine, [], engine).report
        split = sum(report.per_pe[name] for name in ("compute", "communication", "waiting"))
        np.testing.assert_allclose(split, report.per_pe["total"], err_msg=str(seed))
        far = run(case.program, case.machine.replace(fabric__hop_latency=1e5), [], engine).report
        if report.bytes_moved:
            assert far.cycles.makespan > report.cycles.makespan, seed


def test_calls_are_independent_in_time() -> None:
    for seed in range(10):
        case = random_program(seed, small=True)
        simulation = Simulation(case.program, case.machine)
        first, second = simulation.call(case.inputs), simulation.call(case.inputs)
        for a, b in zip(first.outputs, second.outputs, strict=True):
            assert a.tobytes() == b.tobytes(), seed
        assert first.report.to_json(arrays=True) == second.report.to_json(arrays=True)


def test_a_program_that_lacks_any_one_send_never_passes_for_whole() -> None:
    lacking = 0
    for seed in range(40):
        case = random_program(seed, small=True)
        for index, pe_class in enumerate(case.program.classes):
            at = next((i for i, op in enumerate(pe_class.body) if isinstance(op, Send)), None)
            if at is None or not all(isinstance(b, Const) and b.value for b in pe_class.body[at].bounds):
                continue
            classes = list(case.program.classes)
            body = pe_class.body[:at] + pe_class.body[at + 1 :]
            classes[index] = PEClass(pe_class.name, pe_class.where, body)
            program = replace(case.program, classes=tuple(classes))
            with pytest.raises(TargetError):
                run(program, case.machine, [], "flow")
            lacking += 1
            break
    assert lacking >= 20


def run(program: Program, machine: Machine, inputs: list[np.ndarray], engine: EngineName) -> SimulationResult:
    return Simulation(program, machine, timing_only=not inputs, engine=engine).call(inputs)
