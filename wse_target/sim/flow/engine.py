"""The flow engine: runs groups of PEs that are at the same operation, one group at a time.

Programs are determinate, so data do not depend on the order of groups. Times do only where streams meet on a link;
the group whose first PE is earliest goes first, which keeps the order close to that of time.
"""

from __future__ import annotations

import numpy as np

from ...errors import TargetError
from ...image import MAIN_THREAD, Access, Join, Phase, Receive, Relay, Send, Source, Vector
from ..accounting import Accounting
from ..code import Halt, LoopBegin, LoopEnd
from ..engine import Loaded
from ..memory import Located, by_bounds
from ..routing import trace
from .deadlock import stuck
from .state import State
from .streams import Streams
from .transfers import Transfers


class FlowEngine:
    """See `sim.engine.Engine`."""

    def __init__(self, loaded: Loaded) -> None:
        program, machine, placement = loaded.program, loaded.machine, loaded.placement
        channels = trace(program, machine, placement)
        streams = Streams(channels, machine, program.grid[0] * program.grid[1], placement.count)
        self._state = State(
            program, machine, placement, loaded.code, channels, streams, loaded.memory, loaded.kernels
        )
        self.clocks = np.zeros((0, placement.count))

    @property
    def link_words(self) -> np.ndarray:
        return self._state.streams.link_words

    @property
    def accounting(self) -> Accounting:
        return self._state.accounting

    def run(self, repeat: int = 1) -> None:
        """See `sim.engine.Engine.run`."""
        state = self._state
        state.reset()
        _run(state)
        self.clocks = state.agents.clock[None, : state.pes].copy()


def _run(state: State) -> None:
    transfers = Transfers(state)
    for entry, (first, last) in zip(state.code.entry, state.placement.ranges, strict=True):
        state.push(entry, np.arange(first, last))
    halted = 0
    while (group := state.pop()) is not None:
        pc, agents = group
        if isinstance(state.code.operations[pc], Halt):
            halted += len(agents)
            state.accounting.end(agents, state.agents.clock[agents])
            continue
        try:
            _execute(state, transfers, pc, agents)
        except TargetError as error:
            place = getattr(state.code.operations[pc], "source", Source()).place
            if place and place not in error.where:
                error.where = f"{place}, {error.where}" if error.where else place
            raise
    if halted < state.pes or state.agents.busy.any() or state.streams.left_over() is not None:
        raise stuck(state)


def _execute(state: State, transfers: Transfers, pc: int, agents: np.ndarray) -> None:
    op = state.code.operations[pc]
    if isinstance(op, Vector):
        _vector(state, op, pc, agents)
    elif isinstance(op, (Send, Receive, Relay)):
        if op.thread != MAIN_THREAD and agents[0] < state.pes:
            _launch(state, transfers, op, pc, agents)
            return
        fresh = agents[state.agents.stage[agents] == 0]
        if len(fresh):
            transfers.issue(op, pc, fresh)
        transfers.advance(op, pc, agents)
    elif isinstance(op, Join):
        _join(state, op, pc, agents)
    else:
        _control(state, op, pc, agents)


def _control(state: State, op: object, pc: int, pes: np.ndarray) -> None:
    """Loops and phases."""
    costs = state.machine.control
    if isinstance(op, Phase):
        state.accounting.enter(pes, state.code.phase_of[pc], state.agents.clock[pes])
        _spend(state, pes, costs.phase)
        state.push(pc + 1, pes)
    elif isinstance(op, LoopBegin):
        trips = np.maximum(state.evaluate(op.trips, pc, pes), 0)
        state.counters[pes, op.slot] = 0
        state.trips[pes, op.slot] = trips
        _spend(state, pes, costs.branch)
        state.push(pc + 1, pes[trips > 0])
        state.push(op.exit, pes[trips == 0])
    elif isinstance(op, LoopEnd):
        state.counters[pes, op.slot] += 1
        _spend(state, pes, costs.loop)
        again = state.counters[pes, op.slot] < state.trips[pes, op.slot]
        state.push(op.start, pes[again])
        state.push(pc + 1, pes[~again])


def _spend(state: State, pes: np.ndarray, cycles: float) -> None:
    """Scalar code counts as compute."""
    if cycles:
        state.accounting.add(pes, compute=cycles)
        state.agents.clock[pes] += cycles


def _vector(state: State, op: Vector, pc: int, pes: np.ndarray) -> None:
    bounds = state.bounds(op.bounds, pc, pes)
    dtype = state.dtypes[op.dst.buffer]
    uniform = len(pes) > 0 and bool((bounds == bounds[0]).all())
    cycles = state.cost.vector(op, bounds[:1] if uniform else bounds, dtype, state.dtypes)
    cycles = np.broadcast_to(cycles, (len(pes),))
    if state.memory is not None:
        dst = Located(op.dst, state.evaluate(op.dst.offset, pc, pes))
        srcs = [
            Located(s, state.evaluate(s.offset, pc, pes)) if isinstance(s, Access) else s for s in op.srcs
        ]
        for rows, trip_counts in by_bounds(bounds):
            parts = [Located(s.access, s.base[rows]) if isinstance(s, Located) else s for s in srcs]
            place = Located(dst.access, dst.base[rows])
            state.memory.apply(state.kernels, op.kind, pes[rows], trip_counts, place, parts)
    state.accounting.add(pes, compute=cycles)
    state.accounting.add_work(pes, op, bounds.prod(axis=1))
    state.agents.clock[pes] += cycles
    state.push(pc + 1, pes)


def _launch(state: State, transfers: Transfers, op: Send | Receive | Relay, pc: int, pes: np.ndarray) -> None:
    """Starts a transfer on a microthread; waits while the microthread still has another one."""
    a = state.agents
    micro = pes + op.thread * state.pes
    free = ~a.busy[micro]
    state.block(pes[~free])
    pes, micro = pes[free], micro[free]
    if not len(pes):
        return
    # The microthread was woken up to its own end; the main thread may have waited for that.
    waited = np.maximum(a.clock[micro] - a.clock[pes], 0.0)
    launch = state.machine.control.launch
    state.accounting.add(pes, wait_join=waited, communication=launch)
    a.clock[pes] += waited + launch
    a.clock[micro] = a.clock[pes]
    a.busy[micro] = True
    transfers.issue(op, pc, micro)
    state.push(pc, micro)
    state.push(pc + 1, pes)


def _join(state: State, op: Join, pc: int, pes: np.ndarray) -> None:
    """Waits for microthreads; the task that goes on starts a little after the last one ends."""
    a = state.agents
    micro = pes[:, None] + np.asarray(op.threads, np.int64) * state.pes
    done = ~a.busy[micro].any(axis=1)
    state.block(pes[~done])
    pes, micro = pes[done], micro[done]
    if not len(pes):
        return
    end = np.maximum(a.clock[pes], a.clock[micro].max(axis=1) + state.machine.control.join)
    state.accounting.add(pes, wait_join=end - a.clock[pes])
    a.clock[pes] = end
    state.push(pc + 1, pes)
