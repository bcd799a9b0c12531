"""The simulator's state: a program counter and a clock per (PE, thread), and the queue of what can run."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...image import MAIN_THREAD, Join, Program
from ...machine import Machine
from ...quasi_affine import Const, Expr
from ..accounting import Accounting
from ..code import Code, Placement
from ..cost import CostModel
from ..kernels import KernelProvider
from ..memory import Memory
from ..routing import Channels
from .streams import Streams


def thread_count(code: Code) -> int:
    """Threads that a program uses, the main one included."""
    used = {getattr(op, "thread", MAIN_THREAD) for op in code.operations}
    used.update(*(op.threads for op in code.operations if isinstance(op, Join)))
    return 1 + max(used, default=MAIN_THREAD)


@dataclass
class Agents:
    """What runs: agent = thread * PEs + PE. Thread 0 runs the code, a microthread one transfer at a time.

    Attributes:
        pc: operation being executed.
        clock: time until which the agent is done, in cycles.
        stage: of a transfer; 0 when it is not issued yet.
        blocked: waits to be woken.
        busy: of a microthread, whether it has a transfer.
        start: when the transfer was issued.
        mark: earliest time at which the transfer's last word can have passed the core.
        elements: of the transfer.
        number_in / number_out: of the messages on their channels.
        parameters: loop bounds, then bases of up to two accesses, at the time of issue.
    """

    pc: np.ndarray
    clock: np.ndarray
    stage: np.ndarray
    blocked: np.ndarray
    busy: np.ndarray
    start: np.ndarray
    mark: np.ndarray
    elements: np.ndarray
    number_in: np.ndarray
    number_out: np.ndarray
    parameters: np.ndarray

    @staticmethod
    def make(count: int, parameters: int) -> Agents:
        """All at rest at time 0."""
        ints = [np.zeros(count, np.int64) for _ in range(5)]
        floats = [np.zeros(count) for _ in range(3)]
        flags = [np.zeros(count, bool) for _ in range(2)]
        return Agents(
            ints[0], floats[0], ints[1], flags[0], flags[1], floats[1], floats[2], ints[2], ints[3], ints[4],
            np.zeros((count, parameters), np.int64),
        )  # fmt: skip


@dataclass
class State:
    """Everything that one call of a program changes or looks at. `memory` is None when only time is asked for."""

    program: Program
    machine: Machine
    placement: Placement
    code: Code
    channels: Channels
    streams: Streams
    memory: Memory | None
    kernels: KernelProvider
    cost: CostModel = field(init=False)
    agents: Agents = field(init=False)
    accounting: Accounting = field(init=False)
    counters: np.ndarray = field(init=False)
    trips: np.ndarray = field(init=False)
    threads: int = field(init=False)

    def __post_init__(self) -> None:
        self.cost = CostModel(self.machine)
        self.threads = thread_count(self.code)
        self.dtypes = {name: b.dtype for name, b in self.program.buffers.items()}
        self.colour_index = {name: i for i, name in enumerate(self.channels.colours)}
        self.loops = max((len(getattr(op, "bounds", ())) for op in self.code.operations), default=0)
        self.reset()

    @property
    def pes(self) -> int:
        """Number of PEs that have a program."""
        return self.placement.count

    def reset(self) -> None:
        """Time 0, program counters at the classes' entries; memory stays as it is."""
        self.streams.rewind()
        self.agents = Agents.make(self.threads * self.pes, self.loops + 2)
        self.accounting = Accounting(self.code, self.pes, self.dtypes)
        self.counters = np.zeros((self.pes, max(1, self.code.depth)), np.int64)
        self.trips = np.zeros_like(self.counters)
        self._ready: dict[int, list[np.ndarray]] = {}
        self._heap: list[tuple[float, int]] = []

    def evaluate(self, expr: Expr, pc: int, pes: np.ndarray) -> np.ndarray:
        """Value of an expression on PEs that are at `pc`."""
        if isinstance(expr, Const):
            return np.full(len(pes), expr.value, np.int64)
        scope, values = self.code.variables[pc], {}
        for name in expr.variables():
            if name in scope:
                values[name] = self.counters[pes, scope[name]]
            else:
                values[name] = (self.placement.x if name == "x" else self.placement.y)[pes]
        return np.broadcast_to(np.asarray(expr.evaluate(values), np.int64), (len(pes),))

    def bounds(self, exprs: Sequence[Expr], pc: int, pes: np.ndarray) -> np.ndarray:
        """Loop bounds [PEs, loops], not below 0."""
        table = np.zeros((len(pes), len(exprs)), np.int64)
        for column, expr in enumerate(exprs):
            table[:, column] = np.maximum(self.evaluate(expr, pc, pes), 0)
        return table

    def push(self, pc: int, agents: np.ndarray) -> None:
        """Agents go on at `pc`."""
        if not len(agents):
            return
        self.agents.pc[agents] = pc
        key = 2 * pc + int(agents[0] >= self.pes)
        self._ready.setdefault(key, []).append(agents)
        heapq.heappush(self._heap, (float(self.agents.clock[agents].min()), key))

    def pop(self) -> tuple[int, np.ndarray] | None:
        """The operation whose first agent is earliest, and all agents that can run it; None when nothing can."""
        while self._heap:
            _, key = heapq.heappop(self._heap)
            groups = self._ready.pop(key, None)
            if groups:
                return key // 2, np.sort(np.concatenate(groups)) if len(groups) > 1 else groups[0]
        return None

    def block(self, agents: np.ndarray) -> None:
        """Agents wait until `wake` names their PE."""
        self.agents.blocked[agents] = True

    def wake(self, pes: np.ndarray) -> None:
        """Blocked agents of these PEs try again."""
        if not len(pes):
            return
        pes = np.unique(pes)
        threads, at = np.nonzero(self.agents.blocked.reshape(self.threads, -1)[:, pes])
        woken = threads * self.pes + pes[at]
        self.agents.blocked[woken] = False
        for micro in (False, True):
            side = woken[(woken >= self.pes) == micro]
            pcs = self.agents.pc[side]
            for pc in np.unique(pcs):
                self.push(int(pc), side[pcs == pc])

    def finish(self, pc: int, agents: np.ndarray, end: np.ndarray) -> None:
        """A transfer has ended: the main thread goes on, a microthread is free again."""
        if not len(agents):
            return
        a = self.agents
        a.stage[agents] = 0
        a.clock[agents] = end
        if agents[0] < self.pes:
            self.push(pc + 1, agents)
        else:
            a.busy[agents] = False
            self.wake(agents % self.pes)
