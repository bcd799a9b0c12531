"""The simulator's state: a program counter and a clock per (thread, PE), and the queue of what can run.

A *selection* names PEs of one thread: a slice where they follow one another, which is the quick way, else an ascending
array of numbers.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...image import Program
from ...instructions import MAIN_THREAD, Join
from ...machine import Machine
from ...quasi_affine import Const, Expr
from ..accounting import Accounting
from ..code import Code, Placement, alike
from ..engine import Loaded
from .ranges import simplified

Selection = slice | np.ndarray
_LARGE = (
    2048  # PEs of a class that are better off by themselves, one after the other, than with those of others
)
_MANY = 4096  # PEs from which on a mask is quicker than sorting
ThreadGroup = tuple[int, int, Selection]  # program counter, thread, PEs


def size(at: Selection) -> int:
    """Number of PEs of a selection."""
    return at.stop - at.start if isinstance(at, slice) else len(at)


def listed(at: Selection) -> np.ndarray:
    """A selection as an array."""
    return np.arange(at.start, at.stop) if isinstance(at, slice) else at


def quick(pes: np.ndarray) -> Selection:
    """Ascending PEs as a slice when they follow one another."""
    if len(pes) and pes[-1] - pes[0] == len(pes) - 1:
        return slice(int(pes[0]), int(pes[-1]) + 1)
    return pes


def pick(at: Selection, mask: np.ndarray) -> Selection:
    """The PEs of a selection for which `mask` holds."""
    if mask.all():
        return at
    inside = mask.nonzero()[0]
    return quick(inside + at.start if isinstance(at, slice) else at[inside])


def union(parts: Sequence[Selection]) -> Selection:
    """Disjoint selections together."""
    if len(parts) == 1:
        return parts[0]
    if sum(map(size, parts)) > _MANY:
        inside = np.zeros(max(p.stop if isinstance(p, slice) else int(p[-1]) + 1 for p in parts), bool)
        for part in parts:
            inside[part] = True
        return quick(np.flatnonzero(inside))
    return quick(np.sort(np.concatenate([listed(part) for part in parts])))


def uniform(values: np.ndarray | float) -> bool:
    """Whether all values are one."""
    return not isinstance(values, np.ndarray) or values.ndim == 0 or bool((values == values[0]).all())


def product(bounds: Sequence[np.ndarray | int]) -> np.ndarray | int:
    """Iterations of a loop nest."""
    total: np.ndarray | int = 1
    for bound in bounds:
        total = total * bound
    return total


def thread_count(code: Code) -> int:
    """Threads that a program uses, the main one included."""
    used = {getattr(op, "thread", MAIN_THREAD) for op in code.operations}
    used.update(*(op.threads for op in code.operations if isinstance(op, Join)))
    return 1 + max(used, default=MAIN_THREAD)


@dataclass
class ThreadStates:
    """What runs, [threads, PEs]. Thread 0 runs the code, a microthread one transfer at a time.

    Attributes:
        pc: operation being executed.
        clock: time until which the thread is done, in cycles.
        stage: of a transfer; 0 when it is not issued yet.
        blocked: waits to be woken.
        busy: of a microthread, whether it has a transfer.
        start: when the transfer was issued.
        mark: earliest time at which the transfer's last word can have passed the core.
        held: how long routers that were not set made the transfer wait.
        elements: of the transfer.
        epoch_in / epoch_out: of the colours it takes from and sends on, when it was issued.
        number_in / number_out: of the messages on their channels.
        parameters: loop bounds, then bases of up to two accesses, at the time of issue; only with data.
    """

    pc: np.ndarray
    clock: np.ndarray
    stage: np.ndarray
    blocked: np.ndarray
    busy: np.ndarray
    start: np.ndarray
    mark: np.ndarray
    held: np.ndarray
    elements: np.ndarray
    epoch_in: np.ndarray
    epoch_out: np.ndarray
    number_in: np.ndarray
    number_out: np.ndarray
    parameters: np.ndarray

    @staticmethod
    def make(threads: int, pes: int, parameters: int) -> ThreadStates:
        """All at rest at time 0."""
        shape = (threads, pes)

        def ints() -> np.ndarray:
            return np.zeros(shape, np.int32)

        return ThreadStates(
            pc=ints(), clock=np.zeros(shape), stage=np.zeros(shape, np.int8), blocked=np.zeros(shape, bool),
            busy=np.zeros(shape, bool), start=np.zeros(shape), mark=np.zeros(shape), held=np.zeros(shape),
            elements=ints(), number_in=ints(), number_out=ints(),
            epoch_in=np.zeros(shape, np.int64), epoch_out=np.zeros(shape, np.int64),
            parameters=np.zeros((*shape, parameters) if parameters else (0, 0, 0), np.int64),
        )  # fmt: skip


WINDOW = 32.0  # cycles within which sleepers wake up together, for the sake of large groups
_AWAKE = -1 << 60  # time to wake up of threads that do not sleep


class State:
    """Everything that a run changes or looks at, apart from messages."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.program: Program = loaded.program
        self.machine: Machine = loaded.machine
        self.placement: Placement = loaded.placement
        self.code: Code = simplified(loaded.code, self.program.grid)
        self.memory = loaded.memory
        self.threads = thread_count(self.code)
        self.pes = self.placement.count
        self.dtypes: dict[str, str] = {name: b.dtype for name, b in self.program.buffers.items()}
        self.loops = max((len(getattr(op, "bounds", ())) for op in self.code.operations), default=0)
        # PEs of several classes that are at the same operation run it together, except where they are recorded.
        alone = loaded.recorder is not None
        self._alike = np.arange(len(self.code)) if alone else alike(self.code, in_time=True)
        self.axes = {
            first: (first, last, self._axes(index))
            for index, (first, last) in enumerate(self.placement.ranges)
        }
        self.reset()

    def _axes(self, index: int) -> dict[str, np.ndarray]:
        """Coordinates of a class as a row and a column."""
        where = self.program.classes[index].where
        (bx, by), (w, h), (sx, sy) = where.base, where.extent, where.step
        return {"x": (bx + sx * np.arange(w))[None, :], "y": (by + sy * np.arange(h))[:, None]}

    def reset(self, repetitions: int = 1) -> None:
        """Time 0, program counters at the classes' entries; memory stays as it is."""
        parameters = self.loops + 2 if self.memory is not None else 0
        self.agents = ThreadStates.make(self.threads, self.pes, parameters)
        self.accounting = Accounting(self.code, self.pes, self.dtypes, repetitions)
        self.counters = np.zeros((max(1, self.code.depth), self.pes), np.int32)
        self.trips = np.zeros_like(self.counters)
        self._ready: dict[
            tuple[int, int, int], list[Selection]
        ] = {}  # by operation, thread and time to wake up
        self._heap: list[tuple[float, int, int, int]] = []
        self.origin = (
            0.0  # time from which windows are counted; trips that are alike are so in their windows too
        )
        self.now = 0.0  # clock of the earliest group when it was taken

    def evaluate(self, expr: Expr, pc: int, at: Selection) -> np.ndarray | int:
        """Value of an expression on PEs that are at `pc`: one for all, or an array."""
        if isinstance(expr, Const):
            return expr.value
        scope, names = self.code.variables[pc], expr.variables()
        values: dict[str, np.ndarray | int] = {}
        whole = True
        for name in names & scope.keys():
            counter = self.counters[scope[name]][at]
            alike = uniform(counter)
            whole = whole and alike
            values[name] = int(counter[0]) if alike else counter
        axes = self._class_axes(at) if whole else None
        if axes is not None:
            found = expr.evaluate({**axes, **values})
            if np.ndim(found) == 0:
                return int(found)
            shape = (axes["y"].size, axes["x"].size)
            return np.broadcast_to(found, shape).reshape(-1)
        if "x" in names:
            values["x"] = self.placement.x[at]
        if "y" in names:
            values["y"] = self.placement.y[at]
        found = expr.evaluate(values)
        return int(found) if np.ndim(found) == 0 else np.asarray(found)

    def _class_axes(self, at: Selection) -> dict[str, np.ndarray] | None:
        """Coordinates as a row and a column, when the PEs are those of a class."""
        found = self.axes.get(at.start) if isinstance(at, slice) else None
        return found[2] if found is not None and found[1] == getattr(at, "stop", None) else None

    def bounds(self, exprs: Sequence[Expr], pc: int, at: Selection) -> list[np.ndarray | int]:
        """Loop bounds, not below 0."""
        found = [self.evaluate(expr, pc, at) for expr in exprs]
        return [max(b, 0) if isinstance(b, int) else np.maximum(b, 0) for b in found]

    def table(self, bounds: Sequence[np.ndarray | int], at: Selection) -> np.ndarray:
        """Loop bounds as an array [PEs, loops]."""
        table = np.empty((size(at), len(bounds)), np.int64)
        for column, bound in enumerate(bounds):
            table[:, column] = bound
        return table

    def apart(self, first: int, last: int) -> None:
        """From `first` to before `last` every class runs by itself."""
        self._alike[first:last] = np.arange(first, last)

    def push(self, pc: int, thread: int, at: Selection) -> None:
        """Threads go on at `pc`."""
        if not size(at):
            return
        self.agents.pc[thread][at] = pc
        self._enqueue(pc, thread, _AWAKE, at, float(self.agents.clock[thread][at].min()))

    def proceed(self, thread: int, at: Selection) -> None:
        """Threads go on behind their operations, which may be those of several classes."""
        if size(at):
            self.agents.pc[thread][at] += 1
            self._resume(thread, at)

    def launch(self, thread: int, at: Selection) -> None:
        """Microthreads begin with the operations that the main threads of PEs are at."""
        self.agents.pc[thread][at] = self.agents.pc[MAIN_THREAD][at]
        self._resume(thread, at)

    def _resume(self, thread: int, at: Selection) -> None:
        """Threads try the operations that they are at."""
        times = self.agents.clock[thread][at]
        for pc, mask in self._by_operation(thread, at):
            if mask is None:
                self._enqueue(pc, thread, _AWAKE, at, float(times.min()))
            else:
                self._enqueue(pc, thread, _AWAKE, pick(at, mask), float(times[mask].min()))

    def _by_operation(self, thread: int, at: Selection) -> list[tuple[int, np.ndarray | None]]:
        """The operations that threads are at, and which are at each; None for all of them."""
        pcs = self.agents.pc[thread][at]
        if uniform(pcs):
            return [(int(pcs[0]), None)]
        pcs = self._alike[pcs]
        if uniform(pcs):
            return [(int(pcs[0]), None)]
        return [(pc, pcs == pc) for pc in np.unique(pcs).tolist()]

    def sleep(self, thread: int, at: Selection, until: np.ndarray) -> None:
        """Threads try their operation again when the run has come to their times, give or take `WINDOW`."""
        if not size(at):
            return
        for pc, mask in self._by_operation(thread, at):
            which = at if mask is None else pick(at, mask)
            times = until if mask is None else until[mask]
            first = float(times.min())
            bins = ((first - self.origin) // WINDOW + (times - first) // WINDOW).astype(np.int64)
            for number in [int(bins[0])] if uniform(bins) else np.unique(bins).tolist():
                mine = bins == number
                self._enqueue(pc, thread, number, pick(which, mine), float(times[mine].min()))

    def _enqueue(self, pc: int, thread: int, bin_: int, at: Selection, time: float) -> None:
        if size(at) < _LARGE:
            pc = int(self._alike[pc])
        self._ready.setdefault((pc, thread, bin_), []).append(at)
        heapq.heappush(self._heap, (time, pc, thread, bin_))

    def pop(self) -> ThreadGroup | None:
        """The operation whose first thread is earliest, and all that can run it; None when nothing can."""
        while self._heap:
            time, pc, thread, bin_ = heapq.heappop(self._heap)
            parts = self._ready.pop((pc, thread, bin_), None)
            if parts:
                self.now = time
                return pc, thread, union(parts)
        return None

    def block(self, thread: int, at: Selection) -> None:
        """Threads wait until they are woken."""
        self.agents.blocked[thread][at] = True

    def wake(self, thread: int, at: Selection) -> None:
        """Of these threads, those that are blocked try again."""
        blocked = self.agents.blocked[thread]
        at = pick(at, blocked[at])
        if not size(at):
            return
        blocked[at] = False
        self._resume(thread, at)

    def finish(self, thread: int, at: Selection, end: np.ndarray) -> None:
        """A transfer has ended: the main thread goes on, a microthread is free again."""
        a = self.agents
        a.stage[thread][at] = 0
        a.clock[thread][at] = end
        if thread == MAIN_THREAD:
            self.proceed(thread, at)
        else:
            a.busy[thread][at] = False
            self.wake(MAIN_THREAD, at)
