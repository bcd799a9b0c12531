"""Loops whose trips switch routers, advanced in closed form once they repeat.

The text of such a loop is the same in every trip, the positions that it switches to included, so that a trip is a
function of the clocks that it begins with and of what channels remember; it is homogeneous: all of them later by some
cycles, and it ends later by as many. So when all PEs wait at the ends of a trip, nothing is under way, and one trip
(or two) has moved all clocks, and the ends of those last messages that may still hold something up, by one number of
cycles, then every further one does: what is left of the trips is advanced by multiples, to the loop's end. PEs that
exchange no words, directly or through others, may each have a number of their own.

Epochs stay those of the trips that ran. The settings that come behind the loop are found by the epochs that were left
out; see `Lanes.skip_epochs`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...instructions import MAIN_THREAD, Receive, Relay, Send, Switch
from ..accounting import PhaseSums
from ..code import Code, LoopBegin, LoopEnd
from ..routing import Tree
from .lanes import Lanes, Used
from .state import Selection, State

_LONGEST = 2  # trips of a period
_CLOSE = 1e-7  # relative to a clock; sums of the same numbers in another order differ by less
_Twice = tuple[np.ndarray, np.ndarray]  # at the end of a trip and of another one
Ends = list[tuple[int, Selection]]  # of loops: program counters, and the PEs that wait there


def switches_routers(code: Code, begin: LoopBegin, pc: int) -> bool:
    """Whether the loop that begins at `pc` moves words and switches routers, both in its own text."""
    body = code.operations[pc + 1 : begin.exit - 1]
    moves = any(isinstance(op, (Send, Receive, Relay)) for op in body)
    return moves and any(isinstance(op, Switch) for op in body)


@dataclass(frozen=True)
class _Trip:
    """The state at the end of a trip.

    Attributes:
        number: trips that the PEs have done.
        clock: [threads, PEs].
        epochs: of colours that are switched.
        latest: of each colour, its present channels and when the last message of each has left.
        used: where words went in the trip.
        link_words: by router * LINKS + link.
    """

    number: int
    clock: np.ndarray
    totals: np.ndarray
    epochs: dict[str, int]
    latest: dict[str, tuple[Tree, np.ndarray]]
    used: list[Used]
    link_words: np.ndarray
    phases: PhaseSums


class SwitchedTrips:
    """The last trips of one execution of a loop."""

    def __init__(self, state: State, lanes: Lanes) -> None:
        self._state, self._lanes = state, lanes
        self._trips: list[_Trip] = []

    def forget(self) -> None:
        """Nothing that came before says anything about the next trip."""
        self._trips.clear()

    def note(self, where: Ends) -> None:
        """All PEs have ended a trip, and nothing is under way."""
        number, epochs = self._number(where), self._epochs()
        if number is None or epochs is None:
            self._trips.clear()
            return
        if self._trips and number != self._trips[-1].number + 1:
            self._trips.clear()
        a, accounting = self._state.agents, self._state.accounting
        made = _Trip(
            number, a.clock.copy(), accounting.totals.copy(), epochs, self._latest(epochs),
            self._lanes.take_used(), self._lanes.link_words(), accounting.phases_until(a.clock[MAIN_THREAD]),
        )  # fmt: skip
        self._trips = [*self._trips[-_LONGEST:], made]
        self._state.origin = float(a.clock.max())

    def skip(self, where: Ends) -> bool:
        """Advances everything by as many periods as there are trips for; returns whether the loop is over."""
        for period in range(1, len(self._trips)):
            shift = self._shift(period)
            if shift is not None:
                left = self._left(where) - self._trips[-1].number
                self._advance(where, period, left // period, shift)
                return left % period == 0
        return False

    def _number(self, where: Ends) -> int | None:
        """How many trips all PEs have done; None when they have not done the same, or have not the same to do."""
        state = self._state
        found, trips = set(), set()
        for pc, at in where:
            op = state.code.operations[pc]
            assert isinstance(op, LoopEnd)
            for values, table in ((found, state.counters), (trips, state.trips)):
                values |= {int(table[op.slot][at].min()), int(table[op.slot][at].max())}
        return found.pop() if len(found) == len(trips) == 1 else None

    def _left(self, where: Ends) -> int:
        pc, at = where[0]
        op = self._state.code.operations[pc]
        assert isinstance(op, LoopEnd)
        return int(self._state.trips[op.slot][at].min())

    def _epochs(self) -> dict[str, int] | None:
        """The epoch that all PEs are in, of each colour that is switched; None when they are in several."""
        found = {}
        for name, colour in self._lanes.colours.items():
            if colour.times is not None:
                epochs = colour.times.epoch[colour.times.ever]
                if len(epochs) and (epochs != epochs[0]).any():
                    return None
                found[name] = int(epochs[0]) if len(epochs) else 0
        return found

    def _latest(self, epochs: dict[str, int]) -> dict[str, tuple[Tree, np.ndarray]]:
        found = {}
        for name, colour in self._lanes.colours.items():
            lane = colour.lanes.get(epochs.get(name, 0))
            if lane is not None:
                found[name] = lane.tree, lane.latest.copy()
        return found

    def _shift(self, period: int) -> np.ndarray | None:
        """The cycles by which each PE has moved on in the last trips; None when not all that hangs together as one."""
        before, after = self._trips[-1 - period], self._trips[-1]
        close = _CLOSE * max(1.0, float(after.clock.max()))
        moved = after.clock - before.clock
        shift = moved[MAIN_THREAD]
        for thread in range(1, len(moved)):
            ended = before.clock[thread], after.clock[thread]
            if not _moved(ended, (before.clock[MAIN_THREAD], after.clock[MAIN_THREAD]), shift, close):
                return None
        if not all(_together(used, shift, close) for trip in self._trips[-period:] for used in trip.used):
            return None
        if before.latest.keys() != after.latest.keys():
            return None
        for name, (tree, latest) in after.latest.items():
            earlier = before.latest[name][1]
            if len(earlier) != len(latest):
                return None
            clocks = before.clock[MAIN_THREAD][tree.root], after.clock[MAIN_THREAD][tree.root]
            if not _moved((earlier, latest), clocks, shift[tree.root], close):
                return None
        return shift

    def _advance(self, where: Ends, period: int, times: int, shift: np.ndarray) -> None:
        state, first, last = self._state, self._trips[-1 - period], self._trips[-1]
        accounting, cycles = state.accounting, times * shift
        state.agents.clock += np.where(last.clock > first.clock, cycles, 0.0)
        accounting.totals += times * (last.totals - first.totals)
        accounting.repeat(times, first.phases, last.phases, cycles)
        accounting.later((last.phases.sums != first.phases.sums).any(axis=0), float(cycles.max()))
        skipped = {name: times * (epoch - first.epochs[name]) for name, epoch in last.epochs.items()}
        self._lanes.skip_epochs(skipped, cycles)
        self._lanes.add_words(times * (last.link_words - first.link_words))
        for pc, at in where:
            op = state.code.operations[pc]
            assert isinstance(op, LoopEnd)
            state.counters[op.slot][at] += times * period
        self._trips.clear()


def _together(used: Used, shift: np.ndarray, close: float) -> bool:
    """Whether PEs between which words went move alike."""
    tree, channels = used
    at, owner = tree.receivers.take(channels)
    return bool((np.abs(shift[tree.receivers.values[at]] - shift[tree.root[channels]][owner]) <= close).all())


def _moved(ends: _Twice, clocks: _Twice, shift: np.ndarray, close: float) -> bool:
    """Whether what ended before and after a while moved by `shift`; what is over by PEs' clocks holds nothing up."""
    (before, after), (first, last) = ends, clocks
    matters = (before > first) | (after > last)
    return bool((np.abs(after[matters] - before[matters] - shift[matters]) <= close).all())
