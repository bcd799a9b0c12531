"""Finds runs of equal steps, of which each continues what the one before it computed."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np

from .steps import Offsets, Sequence

LOCAL, CARRIED, OUTSIDE = "local", "carried", "outside"
_LONGEST = 1024  # operations of a step; bounds the time of the search


@dataclass(frozen=True)
class StepRun:
    """Steps `first`, `first + period`, ... that do the same, `trips` of them."""

    first: int
    period: int
    trips: int

    @property
    def end(self) -> int:
        """One past the last operation."""
        return self.first + self.period * self.trips


def runs(sequence: Sequence, trips: int) -> Iterator[StepRun]:
    """Candidates of at least so many trips by what their operations do, the most operations first."""
    numbers: dict[Hashable, int] = {}
    forms = [
        -1 - k if s.form is None else numbers.setdefault(s.form, len(numbers))
        for k, s in enumerate(sequence.steps)
    ]
    tokens = np.array(forms, dtype=np.int64)
    found: list[StepRun] = []
    for period in range(1, min(len(forms) // trips, _LONGEST) + 1):
        equal = np.concatenate(([False], tokens[:-period] == tokens[period:], [False]))
        edges = np.flatnonzero(equal[1:] != equal[:-1])
        for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            if (end - first) // period + 1 >= trips:
                found.append(StepRun(first, period, (end - first) // period + 1))
    found.sort(key=lambda r: (-(r.period * r.trips), r.period, r.first))
    yield from found


def recurrence(sequence: Sequence, run: StepRun, trips: int) -> StepRun | None:
    """The longest part of a run from its front on whose steps can be one loop; None if shorter than `trips`."""
    limit = run.end + run.period - 1  # the last step may go on for a while, which lets the first begin later
    limit = min(limit, len(sequence.steps))
    first = run.first
    while first + run.period * trips <= limit:
        matched = _matched(sequence, first, run.period, limit)
        count = (matched - first) // run.period + 1
        if count >= trips:
            return StepRun(first, run.period, count)
        first = matched + 1
    return None


def _matched(sequence: Sequence, first: int, period: int, limit: int) -> int:
    """The first operation from `first` on that the one a period later does not continue."""
    for at in range(first, limit - period):
        if not _continues(sequence, at, first, period):
            return at
    return limit - period


def _continues(sequence: Sequence, at: int, first: int, period: int) -> bool:
    """Whether the operation a period later reads what this one reads, one step further on."""
    here, later = sequence.steps[at], sequence.steps[at + period]
    if here.form is None or here.form != later.form:
        return False
    in_second = at < first + period
    steady = in_second or _moved(here.offsets, later.offsets) == _moved(
        sequence.steps[at - period].offsets, here.offsets
    )
    if not steady:
        return False
    return all(_follows(sequence, at, slot, first, period) for slot in range(len(here.operands)))


def _follows(sequence: Sequence, at: int, slot: int, first: int, period: int) -> bool:
    a = sequence.source(sequence.steps[at].operands[slot])
    b = sequence.source(sequence.steps[at + period].operands[slot])
    made, later = sequence.index.get(a.root), sequence.index.get(b.root)
    start = first + (at - first) // period * period  # of the step of `at`
    if later is None or later[0] < first:
        if a.root != b.root or a.form != b.form:
            return False
        if at < first + period:
            return True
        before = sequence.source(sequence.steps[at - period].operands[slot])
        return offsets_moved(before.offsets, a.offsets) == offsets_moved(a.offsets, b.offsets)
    if later[0] < start:
        return False  # from before the last step
    shifted = made is not None and later == (made[0] + period, made[1])
    if shifted and made is not None and made[0] >= first:
        return (a.form, a.offsets) == (b.form, b.offsets)
    # The first step starts from something else.
    return start == first and later[0] < first + period and (made is None or made[0] < first)


def offsets_moved(here: tuple[Offsets, ...], later: tuple[Offsets, ...]) -> tuple[Offsets, ...]:
    """How far the slices advance."""
    return tuple(_moved(a, b) for a, b in zip(here, later, strict=True))


def _moved(here: Offsets, later: Offsets) -> Offsets:
    return tuple(b - a for a, b in zip(here, later, strict=True))


def place_of(sequence: Sequence, run: StepRun, at: int, slot: int) -> str:
    """Where an operand of the second step comes from."""
    made = sequence.index.get(sequence.source(sequence.steps[at + run.period].operands[slot]).root)
    if made is None or made[0] < run.first:
        return OUTSIDE
    return LOCAL if made[0] >= run.first + run.period else CARRIED
