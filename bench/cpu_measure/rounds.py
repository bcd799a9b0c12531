"""Alternating rounds: every contender runs a little, again and again, so that the machine's moods hit all alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .contender import Contender

CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}

_SAMPLE = 200e-6  # seconds that a sample lasts at least: a clock's own cost does not count then
_TURN = 20e-3  # seconds of a turn, and at least one sample
_SETTLE = 10e-3  # seconds in which the process must have been idle before a turn of several threads
_LONGEST_SETTLE = 1.0  # seconds after which a pool that never sleeps is no longer waited for


@dataclass(frozen=True)
class Times:
    """Seconds of a call.

    Attributes:
        median / best: over all samples; samples: how many there are.
    """

    median: float
    best: float
    samples: int


@dataclass(frozen=True)
class Budget:
    """How long to measure: at least `rounds` rounds, and more until `seconds` are over."""

    rounds: int
    seconds: float


def alternate(
    contenders: Sequence[Contender], budget: Budget, *, settle: bool, clock: str = "wall"
) -> list[Times]:
    """Times of each contender, in their order.

    Every turn begins with a call that is not counted: it brings the contender's own data back into the caches.

    Args:
        settle: wait before every turn until threads of the others have gone to sleep.
        clock: "wall", or "cpu": time that this process ran, for machines that are busy with something else.
    """
    now = CLOCKS[clock]
    plans = []
    for contender in contenders:
        if settle:
            _settle()
        plans.append(_plan(contender.run))
    samples: list[list[float]] = [[] for _ in contenders]
    started = time.perf_counter()
    done = 0
    gc.collect()
    gc.disable()
    try:
        while done < budget.rounds or time.perf_counter() - started < budget.seconds:
            for contender, (calls, repeats), times in zip(contenders, plans, samples, strict=True):
                if settle:
                    _settle()
                contender.run()
                times += (_sample(contender.run, calls, now) for _ in range(repeats))
            done += 1
    finally:
        gc.enable()
    return [Times(statistics.median(times), min(times), len(times)) for times in samples]


def _settle() -> None:
    """Waits until no thread runs: pools spin after their last call, ONNX Runtime's for 50 ms and more, and would take
    a core from whoever is next."""
    started = time.perf_counter()
    while time.perf_counter() - started < _LONGEST_SETTLE:
        ran = time.process_time()
        time.sleep(_SETTLE)
        if time.process_time() - ran < 0.1 * _SETTLE:
            return


def _plan(run: Callable[[], object]) -> tuple[int, int]:
    """Calls of a sample and samples of a turn, after a warm-up."""
    started = time.perf_counter()
    warm = 0
    while warm < 2 or time.perf_counter() - started < 0.05:
        run()
        warm += 1
        if time.perf_counter() - started > 2.0:
            break
    single = _sample(run, 1, time.perf_counter)
    calls = max(1, round(_SAMPLE / max(single, 1e-7)))
    return calls, max(1, min(20, round(_TURN / max(single * calls, 1e-7))))


def _sample(run: Callable[[], object], calls: int, now: Callable[[], float]) -> float:
    begun = now()
    for _ in range(calls):
        run()
    return (now() - begun) / calls
