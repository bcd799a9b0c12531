"""The critical path: what the time of the slowest PE consists of, walked backwards over recorded events.

A step back goes to whatever decided the end of an operation: the sender whose words came last, the receiver that
freed a place, the PE that switched a router, the microthread that a join waited for, or else the operation's own
beginning, which is the end of the one before. Steps therefore cover the time from the start to the end without a gap.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..instructions import MAIN_THREAD, Join, Receive, Relay, Send, Source, Switch
from .code import Code, Placement
from .recording import Events, operation_name, phases_by_counter

MOST_SEGMENTS = 1000


@dataclass(frozen=True)
class PathSegment:
    """A stretch of the path: steps with one operation after the other of the same kind and phase.

    Attributes:
        first_pe / last_pe: (x, y) where it begins and ends; the same when it stays on one PE.
        steps: operations in it.
        operation: "vector fma", "receive", ...; "" where nothing was recorded.
        waited_for: "words of 'colour'", "places of 'colour'", "a switch of 'colour'", "microthread 2", or "".
    """

    first_pe: tuple[int, int]
    last_pe: tuple[int, int]
    thread: int
    operation: str
    phase: str
    module_path: str
    location: str
    begin: float
    end: float
    waited_for: str
    steps: int = 1


@dataclass(frozen=True)
class PathPhase:
    """Cycles of the path in one phase, by operation and what was waited for ("receive, words of 'colour'")."""

    name: str
    module_path: str
    location: str
    cycles: float
    operations: dict[str, float]


@dataclass(frozen=True)
class CriticalPath:
    """The path in order of time.

    Attributes:
        cycles: its length, which is that of the last repetition on the slowest PE.
        segments: the longest ones, in order; left_out: how many shorter ones are not listed.
        pes: how many PEs it goes over.
    """

    cycles: float
    phases: tuple[PathPhase, ...]
    segments: tuple[PathSegment, ...]
    left_out: int
    pes: int


@dataclass
class _Step:
    pc: int
    pe: int
    thread: int
    begin: float
    end: float
    waited_for: str = ""


@dataclass
class _Walk:
    """Events sorted by agent (thread * PEs + PE), and the place on the path."""

    events: Events
    code: Code
    pes: int
    start: np.ndarray = field(init=False)
    _counters: dict[tuple[str, str], frozenset[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        agent = self.events.thread.astype(np.int64) * self.pes + self.events.pe
        order = np.argsort(agent, kind="stable")
        e = self.events
        self.events = Events(
            e.pc[order], e.thread[order], e.pe[order], e.begin[order], e.end[order], e.cause[order]
        )
        self.threads = int(e.thread.max(initial=0)) + 1
        self.start = np.searchsorted(agent[order], np.arange(self.threads * self.pes + 1))

    def at(self, pe: int, thread: int, time: float) -> int:
        """The agent's last event that begins before `time`; -1 when there is none."""
        agent = thread * self.pes + pe
        low, high = self.start[agent], self.start[agent + 1]
        found = low + int(np.searchsorted(self.events.begin[low:high], time, "left")) - 1
        while found >= low and self.events.end[found] <= self.events.begin[found]:
            found -= 1  # took no time
        return found if found >= low else -1

    def latest(self, pe: int, what: str, colour: str, time: float, *, over: bool) -> int:
        """A PE's latest event that "sends", "takes" or "switches" a colour and was over (or else begun) before `time`.

        -1 when there is none.
        """
        best, best_time = -1, -np.inf
        pcs = self.counters(what, colour)
        for thread in range(self.threads):
            low, high = self.start[thread * self.pes + pe], self.start[thread * self.pes + pe + 1]
            times = (self.events.end if over else self.events.begin)[low:high]
            for found in range(high - 1, low - 1, -1):
                when = times[found - low]
                if when <= best_time:
                    break
                if when < time and int(self.events.pc[found]) in pcs:
                    best, best_time = found, when
                    break
        return best

    def counters(self, what: str, colour: str) -> frozenset[int]:
        """Program counters of operations that send, take or switch a colour."""
        if (what, colour) not in self._counters:
            ops = enumerate(self.code.operations)
            self._counters[what, colour] = frozenset(pc for pc, op in ops if _does(op, what, colour))
        return self._counters[what, colour]


def find_critical_path(
    events: Events, code: Code, placement: Placement, clocks: np.ndarray
) -> CriticalPath | None:
    """The path to the end of the slowest PE's last repetition, from where that repetition began; None without events.

    Args:
        clocks: ends of the repetitions by PE, [repetitions, PEs].
    """
    if not len(events) or not clocks.size:
        return None
    walk = _Walk(events, code, placement.count)
    stop = float(clocks[-2].max()) if len(clocks) > 1 else 0.0
    last = int(clocks[-1].argmax())
    steps = _walk_back(walk, last, float(clocks[-1, last]), stop)
    segments = _condense(steps, code, placement)
    listed = sorted(sorted(segments, key=lambda s: s.begin - s.end)[:MOST_SEGMENTS], key=lambda s: s.end)
    return CriticalPath(
        cycles=sum(s.end - s.begin for s in segments),
        phases=_by_phase(segments),
        segments=tuple(listed),
        left_out=len(segments) - len(listed),
        pes=len({s.pe for s in steps}),
    )


def _walk_back(walk: _Walk, pe: int, time: float, stop: float) -> list[_Step]:
    """Steps in order of time."""
    steps: list[_Step] = []
    thread, follow = MAIN_THREAD, True
    for _ in range(4 * len(walk.events) + 4):
        if time <= stop:
            break
        index = walk.at(pe, thread, time)
        if index < 0:
            if thread == MAIN_THREAD:
                steps.append(_Step(-1, pe, thread, stop, time))
                break
            thread = MAIN_THREAD  # the launch of the microthread's transfer
            continue
        begin, end = float(walk.events.begin[index]), float(walk.events.end[index])
        if end < time:
            if thread == MAIN_THREAD:
                steps.append(_Step(-1, pe, thread, max(end, stop), time))
                time = end
            else:
                thread = MAIN_THREAD
            continue
        pc = int(walk.events.pc[index])
        found = _decided_by(walk, index, time) if follow and end <= time else None
        follow = True
        if found is None:
            steps.append(_Step(pc, pe, thread, max(begin, stop), time))
            time, thread = begin, MAIN_THREAD
            continue
        next_pe, next_thread, next_time, reason, follow = found
        if next_time < time:
            steps.append(_Step(pc, pe, thread, max(next_time, stop), time, reason))
        pe, thread, time = next_pe, next_thread, next_time
    return steps[::-1]


def _decided_by(walk: _Walk, index: int, time: float) -> tuple[int, int, float, str, bool] | None:
    """Who decided an event's end: PE, thread, time there, the reason in words, and whether to ask further there."""
    e, op = walk.events, walk.code.operations[int(walk.events.pc[index])]
    pe, cause = int(e.pe[index]), int(e.cause[index])
    if cause == pe or cause < 0:
        return _decided_by_microthread(walk, index, op, time)
    takes = op.receive if isinstance(op, Relay) else op.colour if isinstance(op, Receive) else ""
    gives = op.send if isinstance(op, Relay) else op.colour if isinstance(op, Send) else ""
    if takes:
        found = walk.latest(cause, "sends", takes, time, over=True)
        if found >= 0:
            return cause, int(e.thread[found]), float(e.end[found]), f"words of '{takes}'", True
    for colour in filter(None, (takes, gives)):
        found = walk.latest(cause, "switches", colour, time, over=True)
        if found >= 0:
            return cause, int(e.thread[found]), float(e.end[found]), f"a switch of '{colour}'", True
    if gives:
        found = walk.latest(cause, "takes", gives, time, over=False)
        if found >= 0:
            there = min(time, float(e.end[found]))
            return cause, int(e.thread[found]), there, f"places of '{gives}'", there < time
    return None


def _decided_by_microthread(
    walk: _Walk, index: int, op: object, time: float
) -> tuple[int, int, float, str, bool] | None:
    """The microthread that the main thread waited for, at a join or to launch another transfer on it."""
    e, pe = walk.events, int(walk.events.pe[index])
    if int(e.thread[index]) != MAIN_THREAD:
        return None
    threads = op.threads if isinstance(op, Join) else (getattr(op, "thread", MAIN_THREAD),)
    best, begin = None, float(e.begin[index])
    for thread in threads:
        if thread == MAIN_THREAD or thread >= walk.threads:
            continue
        found = walk.at(pe, thread, time)
        if found >= 0 and begin < float(e.end[found]) <= time:
            begin = float(e.end[found])
            best = pe, int(thread), begin, f"microthread {thread}", True
    return best


def _does(op: object, what: str, colour: str) -> bool:
    match what, op:
        case ("sends", Send(colour=c)) | ("sends", Relay(send=c)):
            return c == colour
        case ("takes", Receive(colour=c)) | ("takes", Relay(receive=c)):
            return c == colour
        case ("switches", Switch(colour=c)):
            return c == colour
    return False


def _condense(steps: list[_Step], code: Code, placement: Placement) -> list[PathSegment]:
    """Neighbouring steps of one operation, phase and reason as one segment."""
    phases, segments = phases_by_counter(code), []
    for step in steps:
        op = code.operations[step.pc] if step.pc >= 0 else None
        phase, of_phase = code.phases[phases[step.pc]] if op is not None else ("", Source())
        source = getattr(op, "source", Source())
        source = source if source.place else of_phase
        at = int(placement.x[step.pe]), int(placement.y[step.pe])
        segment = PathSegment(
            at, at, step.thread, operation_name(op) if op is not None else "", phase,
            source.module_path, source.location, step.begin, step.end, step.waited_for,
        )  # fmt: skip
        if segments and _alike(segments[-1], segment):
            before = segments.pop()
            values = vars(before) | {"last_pe": at, "end": step.end, "steps": before.steps + 1}
            segment = PathSegment(**values)
        segments.append(segment)
    return segments


def _alike(a: PathSegment, b: PathSegment) -> bool:
    def key(s: PathSegment) -> tuple[object, ...]:
        return s.thread, s.operation, s.phase, s.module_path, s.location, s.waited_for

    return key(a) == key(b)


def _by_phase(segments: list[PathSegment]) -> tuple[PathPhase, ...]:
    rows: dict[tuple[str, str, str], dict[str, float]] = {}
    for s in segments:
        operations = rows.setdefault((s.phase, s.module_path, s.location), {})
        name = f"{s.operation or 'nothing recorded'}{', ' if s.waited_for else ''}{s.waited_for}"
        operations[name] = operations.get(name, 0.0) + s.end - s.begin
    return tuple(PathPhase(*key, sum(ops.values()), ops) for key, ops in rows.items())
