"""Random programs: what the generator reaches, and that its programs end."""

from __future__ import annotations

from collections import Counter

import numpy as np
from random_programs import features, random_program
from reference_execution import execute

HARD = ("contention", "long", "switches", "microthreads")
RARE = ("unpacked", "empty", "multicast", "tasks")


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


def test_no_program_gets_stuck_with_endless_queues() -> None:
    for seed in range(20):
        case = random_program(seed)
        execute(case.program, case.inputs)
