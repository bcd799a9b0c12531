"""Finds the pass after which a program is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """Two points of a pipeline, one before and one after the fault.

    Attributes:
        last_good / first_bad: snapshots; what lies between them nobody could judge.
        linear: whether points were tried one after the other, because some of them could not be judged.
    """

    last_good: int
    first_bad: int
    linear: bool


def find_first_bad(
    count: int, is_bad: Callable[[int], bool | None], known: Mapping[int, bool]
) -> Found | None:
    """The first bad snapshot, as far as snapshots that are known to be good or bad enclose it.

    Binary search; a point that nobody can judge makes it a linear one. Good points after bad ones do not disturb it:
    what it finds is always a good point followed by a bad one, within the first interval that `known` shows.

    Args:
        count: of snapshots; the first one is good by definition.
        is_bad: None for a snapshot that cannot be judged.
        known: what is known already.
    """
    bad = min((i for i, wrong in known.items() if wrong), default=None)
    if bad is None:
        return None
    good = max((i for i, wrong in known.items() if not wrong and i < bad), default=0)
    while bad - good > 1:
        middle = (good + bad) // 2
        wrong = is_bad(middle)
        if wrong is None:
            return _one_by_one(good, bad, is_bad)
        good, bad = (good, middle) if wrong else (middle, bad)
    return Found(good, bad, linear=False)


def _one_by_one(good: int, bad: int, is_bad: Callable[[int], bool | None]) -> Found:
    for point in range(good + 1, bad):
        wrong = is_bad(point)
        if wrong:
            return Found(good, point, linear=True)
        if wrong is False:
            good = point
    return Found(good, bad, linear=True)
