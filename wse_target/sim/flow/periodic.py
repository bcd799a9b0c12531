"""Loops advanced in closed form once they are periodic. Those that switch routers have a file of their own, `switched`.

The main threads of PEs that are at the end of a trip of a *steady* loop wait there until nothing else can run. When
then nothing is under way, the clocks are all that the next trip's times depend on, apart from what channels remember
of earlier messages. When two trips in turn have moved every clock by the same amount, and PEs that send to each other
by one amount, so do all further trips: clocks, accounts and words are advanced by multiples, and only the last trips
run again. The same holds of periods of a few trips. With data, the trips between do again, without times, what the
last one did with them.

Exchanges around a ring whose links differ in length never repeat so soon: a wave of some cycles runs around the ring,
once in as many trips as the ring has PEs, while the mean over the PEs grows evenly. Where it does, all clocks are
advanced by the mean. What they are wrong by is less than the wave is high, which may be a thirtieth of a trip.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ...instructions import MAIN_THREAD, Control, Phase, Receive, Relay, Send, Switch, Vector
from ..accounting import PhaseSums
from ..code import Branch, Code, Halt, LoopBegin, LoopEnd
from .lane import Lane
from .lanes import Lanes
from .payload import Payload
from .replay import replay
from .state import Selection, State, size, union
from .switched import SwitchedTrips, switches_routers

_FEWEST = 6  # trips below which waiting at the ends of trips is not worth it
_FEWEST_SWITCHED = 4  # the same, of loops that switch routers: their trips are long
_LONGEST = 4  # trips of a period
_SAMPLE = 101
_HEIGHT = 0.03  # of a wave, as part of a trip
_CLOSE = 1e-7  # relative to a clock; sums of the same numbers in another order differ by less
LoopEnds = tuple[int, ...]  # ends of loops at which PEs wait, one of each class


def steady_loops(code: Code, *, nested: bool) -> frozenset[int]:
    """Program counters of the ends of loops whose trips all take the same time if they begin alike.

    Their bodies transfer something and do not switch routers, and nothing in them that takes time depends on the trip.

    Args:
        nested: whether loops inside of them are allowed.
    """
    found: set[int] = set()
    for pc, op in enumerate(code.operations):
        if not isinstance(op, LoopBegin):
            continue
        body = code.operations[pc + 1 : op.exit - 1]
        moves = any(isinstance(o, (Send, Receive, Relay)) for o in body)
        outermost = not any(_begin(code, end) < pc < end for end in found)
        flat = nested or not any(isinstance(o, LoopBegin) for o in body)
        switches = any(isinstance(o, Switch) for o in body)
        if moves and outermost and flat and not switches and _trips_alike(code, pc, op):
            found.add(op.exit - 1)
    return frozenset(found)


def switched_loops(code: Code) -> frozenset[int]:
    """The same of loops that switch routers, to the same positions in each trip; loops inside of them are allowed."""
    return frozenset(
        op.exit - 1
        for pc, op in enumerate(code.operations)
        if isinstance(op, LoopBegin) and switches_routers(code, op, pc) and _trips_alike(code, pc, op)
    )


def _trips_alike(code: Code, pc: int, begin: LoopBegin) -> bool:
    """Whether nothing that takes time, or that decides what is done, depends on the trip."""
    name = next((n for n, slot in code.variables[pc + 1].items() if slot == begin.slot), "")
    return all(_is_steady(op, name) for op in code.operations[pc + 1 : begin.exit - 1])


def _begin(code: Code, end: int) -> int:
    """Where the loop begins that ends at a program counter."""
    op = code.operations[end]
    return op.start - 1 if isinstance(op, LoopEnd) else end


def _is_steady(op: object, variable: str) -> bool:
    if isinstance(op, (Vector, Send, Receive, Relay)):
        return not any(variable in bound.variables() for bound in op.bounds)
    if isinstance(op, Control):
        return variable not in op.count.variables()
    if isinstance(op, LoopBegin):
        return variable not in op.trips.variables()
    if isinstance(op, Branch):
        return variable not in op.selector.variables()
    if isinstance(op, Switch):
        return variable not in op.position.variables()
    return not isinstance(op, Halt)


@dataclass
class _Cut:
    """The state when all PEs wait at the ends of trips; `totals` and `words` last for as long as a period may be."""

    where: list[tuple[int, Selection]]
    clock: np.ndarray  # [threads, PEs]
    totals: np.ndarray
    words: dict[int, np.ndarray]  # by lane
    phases: PhaseSums | None  # where phases begin in the loops


class Steady:
    """Holds PEs at the ends of trips, and skips trips."""

    def __init__(self, state: State, lanes: Lanes, payload: Payload, *, active: bool) -> None:
        self.state = state
        self.payload = payload
        self.lanes = lanes
        self._ends = steady_loops(state.code, nested=state.memory is None) if active else frozenset()
        for end in steady_loops(state.code, nested=True):
            state.apart(_begin(state.code, end), end + 1)
        self._switched = switched_loops(state.code) if active and state.memory is None else frozenset()
        self._phased = any(
            isinstance(op, Phase)
            for end in self._ends
            for op in state.code.operations[_begin(state.code, end) : end]
        )
        self._held: list[tuple[int, Selection]] = []
        self._around: list[tuple[LoopEnds, SwitchedTrips]] = []  # loops that switch, the outermost first
        self._cuts: list[_Cut] = []
        self._number = 0  # of cuts so far
        self._copies: dict[object, list[np.ndarray]] = {}

    def holds(self, pc: int, at: Selection) -> bool:
        """Whether PEs that go on with another trip of a loop wait; they are released by `release`."""
        if pc not in self._ends and pc not in self._switched:
            return False
        op = self.state.code.operations[pc]
        assert isinstance(op, LoopEnd)
        left = self.state.trips[op.slot][at] - self.state.counters[op.slot][at]
        fewest = _FEWEST_SWITCHED if pc in self._switched else _FEWEST
        if int(left.min()) + int(self.state.counters[op.slot][at].min()) < fewest:
            return False
        self._held.append((pc, at))
        return True

    def release(self) -> bool:
        """Lets the PEs that wait go on, after skipping what can be skipped; returns whether there are some."""
        if not self._held:
            self.payload.log = None
            return False
        by_end: dict[int, list[Selection]] = {}
        for pc, at in self._held:
            by_end.setdefault(pc, []).append(at)
        where = [(pc, union(parts)) for pc, parts in sorted(by_end.items())]
        self._held = []
        over = (
            self._note_switched(where) if any(pc in self._switched for pc, _ in where) else self._note(where)
        )
        for pc, at in where:
            op = self.state.code.operations[pc]
            assert isinstance(op, LoopEnd)
            self.state.push(pc + 1 if over else op.start, MAIN_THREAD, at)
        self.payload.log = []
        return True

    def _note(self, where: list[tuple[int, Selection]]) -> bool:
        """Skips trips of loops that switch nothing, if they repeat; never all of them."""
        if not self._quiet(where):
            self._cuts.clear()
            return False
        self._cuts = [*self._cuts[-2 * _LONGEST :], self._cut(where)]
        period = next((p for p in range(1, _LONGEST + 1) if self._repeats(p)), 0)
        if period or self._waves():
            self._skip(period or _LONGEST, wave=not period)
        return False

    def _note_switched(self, where: list[tuple[int, Selection]]) -> bool:
        """Skips trips of loops that switch routers, if they repeat; returns whether they are over."""
        self._cuts.clear()
        places = tuple(pc for pc, _ in where)
        while self._around and not self._inside(places, self._around[-1][0]):
            self._around.pop()
        if not self._around or self._around[-1][0] != places:
            self._around.append((places, SwitchedTrips(self.state, self.lanes)))
        trips = self._around[-1][1]
        if not self._quiet(where):
            trips.forget()
            return False
        trips.note(where)
        return trips.skip(where)

    def _inside(self, places: LoopEnds, others: LoopEnds) -> bool:
        """Whether ends of loops are those of `others`, or of loops inside of them."""
        code = self.state.code
        return places == others or all(any(_begin(code, end) < pc < end for end in others) for pc in places)

    def _quiet(self, where: list[tuple[int, Selection]]) -> bool:
        """Whether every PE waits at the end of a trip or has ended, and nothing is under way."""
        a = self.state.agents
        if a.busy.any() or a.blocked.any():
            return False
        if sum(size(at) for _, at in where) < self.state.pes:
            return False
        return all(lane.left_over() is None for lane in self.lanes.all())

    def _cut(self, where: list[tuple[int, Selection]]) -> _Cut:
        state = self.state
        self._number += 1
        words = {
            id(lane): self._copy(lane.sent_words, (number, len(lane.sent_words)), _LONGEST + 1)
            for number, lane in enumerate(self.lanes.all())
        }
        return _Cut(
            where,
            self._copy(state.agents.clock, "clock", 2 * _LONGEST + 1),
            self._copy(state.accounting.totals, "totals", _LONGEST + 1),
            words,
            state.accounting.phases_until(state.agents.clock[MAIN_THREAD]) if self._phased else None,
        )

    def _copy(self, array: np.ndarray, name: object, count: int) -> np.ndarray:
        """A copy of an array that lasts for so many cuts; fresh memory costs more than what is copied into it."""
        ring = self._copies.setdefault(name, [np.empty_like(array) for _ in range(count)])
        copy = ring[self._number % count]
        np.copyto(copy, array)
        return copy

    def _repeats(self, period: int) -> bool:
        """Whether the last two periods moved all clocks alike."""
        if len(self._cuts) < 2 * period + 1:
            return False
        first, second, third = self._cuts[-2 * period - 1 :: period]
        if not all(_same_places(cut.where, third.where) for cut in (first, second)):
            return False
        close = _CLOSE * max(1.0, float(third.clock.max()))
        few = np.s_[:, ::_SAMPLE]  # most candidates are refuted by a few PEs
        if np.abs(third.clock[few] - 2 * second.clock[few] + first.clock[few]).max() > close:
            return False
        before, last = second.clock - first.clock, third.clock - second.clock
        # A microthread's clock stands still when it has nothing to do in the loop.
        if np.abs(before - last).max() > close:
            return False
        shift = last[MAIN_THREAD]
        return all(
            self._together(lane, shift, second.words.get(id(lane)), close) for lane in self.lanes.all()
        )

    def _together(self, lane: Lane, shift: np.ndarray, words: np.ndarray | None, close: float) -> bool:
        """Whether PEs between which words went in the last trip move alike."""
        if words is None or (lane.sent_words == words).all():
            return True
        receivers, start = lane.tree.receivers.values, lane.tree.receivers.start
        roots = np.repeat(lane.tree.root, np.diff(start))
        return bool(np.abs(shift[receivers] - shift[roots]).max(initial=0.0) <= close)

    def _waves(self) -> bool:
        """Whether clocks differ a little from trip to trip, but their mean moves evenly."""
        if len(self._cuts) <= 2 * _LONGEST:
            return False
        last = self._cuts[-1]
        if not all(_same_places(cut.where, last.where) for cut in self._cuts):
            return False
        clocks = [cut.clock[MAIN_THREAD] for cut in self._cuts]
        shifts = [after - before for before, after in itertools.pairwise(clocks)]
        means = [float(shift.mean()) for shift in shifts]
        if max(means) - min(means) > _CLOSE * max(1.0, float(clocks[-1].max())):
            return False
        height = max(float(s.max()) for s in shifts) - min(float(s.min()) for s in shifts)
        return height <= _HEIGHT * means[-1]

    def _skip(self, period: int, *, wave: bool) -> None:
        """Advances everything by whole periods, as long as a trip is left."""
        state, second, third = self.state, self._cuts[-1 - period], self._cuts[-1]
        left = min(
            int((state.trips[op.slot][at] - state.counters[op.slot][at]).min()) - 1
            for pc, at in third.where
            if isinstance(op := state.code.operations[pc], LoopEnd)
        )
        self._cuts.clear()
        times = left // period
        a = state.agents
        shift = third.clock - second.clock
        if wave:
            shift = np.where(shift > 0, shift[MAIN_THREAD].mean(), 0.0)
        a.clock += times * shift
        self._advance(third.where, times * period)
        state.accounting.totals += times * (third.totals - second.totals)
        if second.phases is not None and third.phases is not None:
            state.accounting.repeat(times, second.phases, third.phases, times * shift[MAIN_THREAD])
        for lane in self.lanes.all():
            words = second.words.get(id(lane))
            if words is not None:
                lane.advance(times, shift[MAIN_THREAD][lane.tree.root], lane.sent_words - words)

    def _advance(self, where: list[tuple[int, Selection]], trips: int) -> None:
        """Counts trips; with data, does in each of them what the last trip did."""
        log, progress = self.payload.log or [], self.state.loaded.progress
        self.payload.log = None
        if self.state.memory is None or not trips:
            self._count(where, trips)
            return
        quick = replay(self.state, log, where, trips)
        for trip in range(trips):
            if quick is not None:
                quick.trip(trip)
            else:
                for action, args in log:
                    action(*args)
                self._count(where, 1)
            if progress is not None:
                progress((trip + 1) / trips)
        if quick is not None:
            self._count(where, trips)

    def _count(self, where: list[tuple[int, Selection]], trips: int) -> None:
        for pc, at in where:
            op = self.state.code.operations[pc]
            assert isinstance(op, LoopEnd)
            self.state.counters[op.slot][at] += trips


def _same_places(first: list[tuple[int, Selection]], second: list[tuple[int, Selection]]) -> bool:
    if [(pc, size(at)) for pc, at in first] != [(pc, size(at)) for pc, at in second]:
        return False
    return all(
        a == b if isinstance(a, slice) or isinstance(b, slice) else np.array_equal(a, b)
        for (_, a), (_, b) in zip(first, second, strict=True)
    )
