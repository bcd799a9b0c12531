"""Two engines, one semantics: on 1,000 random programs outputs agree bit for bit, and cycles nearly.

The wavelet engine follows every word; the flow engine computes with whole messages, see "Simplifications" in
docs/simulator.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, get_args

import numpy as np
import pytest
from mutations import mutate
from random_programs import RandomProgram, features, random_program

from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.instructions import Unit
from wse_mlir.wse_target.kinds import ARITY
from wse_mlir.wse_target.sim import Simulation
from wse_mlir.wse_target.sim.engine import EngineName

PROGRAMS, CHUNK = 1000, 25
HARD = ("contention", "long", "switches", "microthreads")
OPERATIONS = (
    "Send", "Receive", "Relay", "Join", "tasks", "Switch", "Switch rewrite", "Loop", "Phase", "unpacked", "multicast",
    "indirect", "Choose",
    *(f"Vector {kind}" for kind in ARITY), *(f"Control {unit}" for unit in get_args(Unit)),
)  # fmt: skip


def difference(case: RandomProgram, repeat: int = 1) -> str:
    """What the engines disagree about, "" when nothing."""
    wavelet, flow = (
        Simulation(case.program, case.machine, engine=engine).call(case.inputs, repeat=repeat)
        for engine in ("wavelet", "flow")
    )
    for spec, ours, theirs in zip(case.program.results, wavelet.outputs, flow.outputs, strict=True):
        if ours.tobytes() != theirs.tobytes():
            return f"{np.count_nonzero(ours != theirs)} elements of {spec.name}"
    for measure in ("makespan", "device"):
        expected, got = (getattr(r.report.cycles, measure) for r in (wavelet, flow))
        if abs(got - expected) > max(0.05 * expected, 20):
            return f"{measure}: {expected:.1f} by wavelets, {got:.1f} by flows"
    return ""


def chunks() -> list[Any]:
    """First seeds of the chunks; a fifth runs always, the others are left to the full test run."""
    return [
        pytest.param(first, marks=[pytest.mark.slow] if first >= PROGRAMS // 5 else [])
        for first in range(0, PROGRAMS, CHUNK)
    ]


@pytest.mark.parametrize("first", chunks())
def test_engines_agree(first: int) -> None:
    found = {seed: difference(random_program(seed)) for seed in range(first, first + CHUNK)}
    assert {seed: what for seed, what in found.items() if what} == {}


def test_engines_agree_on_repetitions() -> None:
    found = {seed: difference(random_program(seed), repeat=3) for seed in range(PROGRAMS, PROGRAMS + 10)}
    assert {seed: what for seed, what in found.items() if what} == {}


def test_engines_agree_on_what_goes_wrong() -> None:
    """Programs with a mistake get through, or not, on both."""
    counts: Counter[tuple[bool, ...]] = Counter()
    for seed in range(50):
        case = mutate(random_program(seed), np.random.default_rng(seed))
        counts[tuple(completes(case, engine) for engine in ("wavelet", "flow"))] += 1
    assert set(counts) == {(True, True), (False, False)}


def completes(case: RandomProgram, engine: EngineName) -> bool:
    """Whether a program ends as it should."""
    try:
        Simulation(case.program, case.machine, timing_only=True, engine=engine).call([])
    except TargetError:
        return False
    return True


def test_the_programs_are_hard_enough() -> None:
    """At least 30% of them have each of the features that make timing hard, and every operation is there 50 times.

    Counts only grow, so that counting ends as soon as they are reached.
    """
    found: Counter[str] = Counter()
    having: Counter[str] = Counter()
    for seed in range(PROGRAMS):
        case = features(random_program(seed))
        found.update(case)
        having.update(key for key, count in case.items() if count)
        if seed % 50 == 49 and not rare(having, HARD, 0.3 * PROGRAMS) and not rare(found, OPERATIONS, 50):
            break
    assert rare(having, HARD, 0.3 * PROGRAMS) == {}
    assert rare(found, OPERATIONS, 50) == {}


def rare(counts: Counter[str], keys: Iterable[str], least: float) -> dict[str, int]:
    """What is counted less than `least` times."""
    return {key: counts[key] for key in keys if counts[key] < least}
