"""The flow engine: runs groups of PEs that are at the same operation, one group at a time.

Programs are determinate, so data do not depend on the order of groups. Times do only where streams meet on a link;
the group whose first PE is earliest goes first, which keeps the order close to that of time.
"""

from __future__ import annotations

import numpy as np

from ...errors import TargetError
from ...instructions import (
    MAIN_THREAD,
    Access,
    Control,
    Join,
    Phase,
    Receive,
    Relay,
    Send,
    Source,
    Switch,
    Transfer,
    Vector,
)
from ..accounting import Accounting
from ..code import Branch, Halt, Jump, LoopBegin, LoopEnd
from ..cost import TimingModel
from ..engine import HostSide, Loaded
from ..located import Located, locate_on
from ..memory import by_bounds
from .deadlock import stuck
from .epochs import REPETITION
from .lanes import Lanes
from .periodic import Steady
from .state import Selection, State, listed, pick, product, size
from .transfers import Transfers

_REPORT_EVERY = 256  # groups between two reports of progress


class FlowEngine:
    """See `sim.engine.Engine`.

    Attributes:
        skips: whether trips of loops that repeat are skipped, or run with data alone; for tests.
    """

    skips = True

    def __init__(self, loaded: Loaded) -> None:
        self._state = State(loaded)
        self._lanes = Lanes(loaded)
        for name, colour in self._lanes.colours.items():
            if not colour.switched:
                self._lanes.lane(name)
        self.clocks = np.zeros((0, self._state.pes))

    @property
    def link_words(self) -> np.ndarray:
        return self._lanes.link_words()

    @property
    def accounting(self) -> Accounting:
        return self._state.accounting

    def run(self, repeat: int = 1, host: HostSide | None = None) -> None:
        """See `sim.engine.Engine.run`."""
        self._state.reset(repeat)
        self._lanes.reset()
        self.clocks = _Run(self._state, self._lanes, repeat, self.skips, host).run()


class _Run:
    """One run of a program."""

    def __init__(
        self, state: State, lanes: Lanes, repeat: int, skips: bool, host: HostSide | None = None
    ) -> None:
        self.state = state
        self.lanes = lanes
        self.repeat = repeat
        self.host = host
        self.cost = TimingModel(state.machine)
        self.transfers = Transfers(state, lanes, self.cost)
        self.steady = Steady(
            state, lanes, self.transfers.payload, active=skips and state.loaded.recorder is None
        )
        self.clocks = np.zeros((repeat, state.pes))
        self.ended = np.zeros(state.pes, np.int32)  # repetitions that a PE is through with

    def run(self) -> np.ndarray:
        """Runs everything; returns the clocks [repetitions, PEs]."""
        state, steps = self.state, 0
        if self.host is not None:
            self.host.begin(0, np.arange(state.pes))
        for entry, (first, last) in zip(state.code.entry, state.placement.ranges, strict=True):
            state.push(entry, MAIN_THREAD, slice(first, last))
        while True:
            group = state.pop()
            if group is None:
                if self.steady.release():
                    continue
                break
            pc, thread, at = group
            try:
                self._execute(pc, thread, at)
            except TargetError as error:
                place = getattr(state.code.operations[pc], "source", Source()).place
                if place and place not in error.where:
                    error.where = f"{place}, {error.where}" if error.where else place
                raise
            steps += 1
            if state.loaded.progress is not None and steps % _REPORT_EVERY == 0:
                state.loaded.progress(float(self.ended.mean()) / self.repeat)
        waiting = (self.ended < self.repeat).any() or state.agents.busy.any()
        if waiting or any(lane.left_over() is not None for lane in self.lanes.all()):
            raise stuck(state, self.lanes)
        return self.clocks

    def _execute(self, pc: int, thread: int, at: Selection) -> None:
        op = self.state.code.operations[pc]
        if isinstance(op, (Send, Receive, Relay)):
            self._transfer(op, pc, thread, at)
        elif isinstance(op, Vector):
            self._vector(op, pc, at)
        elif isinstance(op, Join):
            self._join(op, pc, at)
        elif isinstance(op, Halt):
            self._halt(at)
        else:
            self._control(op, pc, at)

    def _spend(self, pc: int, at: Selection, cycles: np.ndarray | float, **bins: np.ndarray | float) -> None:
        """The main thread is busy; as compute unless `bins` say otherwise."""
        clock, recorder = self.state.agents.clock[MAIN_THREAD], self.state.loaded.recorder
        if not np.any(cycles):
            return
        self.state.accounting.add(at, **(bins or {"compute": cycles}))
        before = clock[at].copy() if recorder is not None else None
        clock[at] += cycles
        if recorder is not None and before is not None:
            recorder.record(pc, MAIN_THREAD, listed(at), before, clock[at].copy(), listed(at))

    def _control(self, op: object, pc: int, at: Selection) -> None:
        """Loops, phases, switches and scalar code."""
        s = self.state
        costs, clock = s.machine.control, s.agents.clock[MAIN_THREAD]
        if isinstance(op, Phase):
            s.accounting.enter(at, s.code.phase_of[pc], clock[at])
            self._spend(pc, at, costs.phase)
        elif isinstance(op, Control):
            count = s.evaluate(op.count, pc, at)
            self._spend(pc, at, np.maximum(count, 0) * getattr(costs, op.unit))
        elif isinstance(op, Switch):
            fabric = s.machine.fabric
            self._spend(pc, at, fabric.route_rewrite if op.rewrite else fabric.switch)
            self._switch(op.colour, at)
        elif isinstance(op, LoopBegin):
            self._loop_begin(op, pc, at)
            return
        elif isinstance(op, LoopEnd):
            s.counters[op.slot][at] += 1
            self._spend(pc, at, costs.loop)
            again = s.counters[op.slot][at] < s.trips[op.slot][at]
            s.push(pc + 1, MAIN_THREAD, pick(at, ~again))
            at = pick(at, again)
            if size(at) and not self.steady.holds(pc, at):
                s.push(op.start, MAIN_THREAD, at)
            return
        elif isinstance(op, Branch):
            self._branch(op, pc, at)
            return
        if isinstance(op, Jump):
            s.push(op.target, MAIN_THREAD, at)
        else:
            s.proceed(MAIN_THREAD, at)

    def _branch(self, op: Branch, pc: int, at: Selection) -> None:
        s = self.state
        selected = s.evaluate(op.selector, pc, at)
        self._spend(pc, at, s.machine.control.branch)
        if isinstance(selected, int):
            s.push(op.targets[selected] if 0 <= selected < len(op.targets) else op.exit, MAIN_THREAD, at)
            return
        for number, target in enumerate(op.targets):
            s.push(target, MAIN_THREAD, pick(at, selected == number))
        s.push(op.exit, MAIN_THREAD, pick(at, (selected < 0) | (selected >= len(op.targets))))

    def _loop_begin(self, op: LoopBegin, pc: int, at: Selection) -> None:
        s = self.state
        trips = s.evaluate(op.trips, pc, at)
        s.counters[op.slot][at] = 0
        s.trips[op.slot][at] = trips
        self._spend(pc, at, s.machine.control.branch)
        if isinstance(trips, int):
            s.push(pc + 1 if trips > 0 else op.exit, MAIN_THREAD, at)
            return
        s.push(pc + 1, MAIN_THREAD, pick(at, trips > 0))
        s.push(op.exit, MAIN_THREAD, pick(at, trips <= 0))

    def _switch(self, colour: str, at: Selection, epoch: int | None = None) -> None:
        """PEs come to a colour's next epoch: words may pass their routers that could not before."""
        clock = self.state.agents.clock[MAIN_THREAD]
        for lane in self.lanes.switch(colour, at, clock[at], epoch):
            for thread in lane.in_threads:
                self.state.wake(thread, lane.receivers_of(slice(0, len(lane.sent))))

    def _halt(self, at: Selection) -> None:
        """A repetition has ended; positions are set back, which begins an epoch of its own."""
        s = self.state
        clock = s.agents.clock[MAIN_THREAD][at]
        rows = self.ended[at].copy()
        self.clocks[rows, listed(at)] = clock
        s.accounting.end(at, clock)
        self.ended[at] = rows + 1
        if self.host is not None:
            for repetition in np.unique(rows).tolist():
                self.host.end(repetition, listed(at)[rows == repetition])
        more = pick(at, rows + 1 < self.repeat)
        if not size(more):
            return
        for name, colour in self.lanes.colours.items():
            if colour.times is not None:
                self._set_back(name, pick(more, colour.times.ever[more]))
        if self.host is not None:
            pes = listed(more)
            for repetition in np.unique(self.ended[more]).tolist():
                self.host.begin(repetition, pes[self.ended[more] == repetition])
        for entry, (first, last) in zip(s.code.entry, s.placement.ranges, strict=True):
            pes = listed(more)
            s.push(entry, MAIN_THREAD, pick(more, (pes >= first) & (pes < last)))

    def _set_back(self, name: str, at: Selection) -> None:
        for repetition in np.unique(self.ended[at]).tolist():
            part = pick(at, self.ended[at] == repetition)
            self._switch(name, part, repetition * REPETITION)

    def _vector(self, op: Vector, pc: int, at: Selection) -> None:
        s = self.state
        bounds = s.bounds(op.bounds, pc, at)
        elements = product(bounds)
        dtype = s.dtypes[op.dst.buffer]
        if all(isinstance(b, int) for b in bounds):
            table = np.array([bounds], np.int64).reshape(1, len(bounds))
            cycles: np.ndarray | float = float(self.cost.vector(op, table, dtype, s.dtypes)[0])
        else:
            table = s.table(bounds, at)
            cycles = self.cost.vector(op, table, dtype, s.dtypes)
        if s.memory is not None and np.any(elements):
            self._compute(op, pc, at, np.broadcast_to(table, (size(at), table.shape[1])))
        s.accounting.add_work(at, op, elements)
        self._spend(pc, at, cycles)
        s.proceed(MAIN_THREAD, at)

    def _compute(self, op: Vector, pc: int, at: Selection, table: np.ndarray) -> None:
        """The arithmetic of a vector operation."""
        s, pes = self.state, listed(at)
        assert s.memory is not None
        self.transfers.payload.note(self._compute, op, pc, at, table)

        def located(access: Access) -> Located:
            return locate_on(access, len(pes), lambda expr: s.evaluate(expr, pc, at))

        dst = located(op.dst)
        srcs = [located(src) if isinstance(src, Access) else src for src in op.srcs]
        for rows, trip_counts in by_bounds(table):
            parts = [src.on(rows) if isinstance(src, Located) else src for src in srcs]
            s.memory.apply(s.loaded.kernels, op.kind, pes[rows], trip_counts, dst.on(rows), parts)

    def _transfer(self, op: Transfer, pc: int, thread: int, at: Selection) -> None:
        """Issues a transfer on the thread it is for, or takes an issued one further."""
        a = self.state.agents
        if op.thread != thread:
            self._launch(op, pc, at)
            return
        if thread == MAIN_THREAD:
            fresh = pick(at, a.stage[thread][at] == 0)
            if size(fresh):
                self.transfers.issue(op, pc, thread, fresh, self.state.bounds(op.bounds, pc, fresh))
        self.transfers.advance(op, pc, thread, at)

    def _launch(self, op: Transfer, pc: int, at: Selection) -> None:
        """Starts a transfer on a microthread; waits while the microthread still has another one."""
        s, a = self.state, self.state.agents
        free = ~a.busy[op.thread][at]
        if not free.all():
            s.block(MAIN_THREAD, pick(at, ~free))
            at = pick(at, free)
            if not size(at):
                return
        clock, end = a.clock[MAIN_THREAD], a.clock[op.thread]
        waited = np.maximum(end[at] - clock[at], 0.0)
        if waited.any():
            self._spend(pc, at, waited, wait_join=waited)
        bounds = s.bounds(op.bounds, pc, at)
        control = s.machine.control
        cost = control.launch + self.transfers.words(op, product(bounds)) * control.microthread_word
        self._spend(pc, at, cost, communication=cost)
        end[at] = clock[at]
        a.busy[op.thread][at] = True
        self.transfers.issue(op, pc, op.thread, at, bounds)
        s.launch(op.thread, at)
        s.proceed(MAIN_THREAD, at)

    def _join(self, op: Join, pc: int, at: Selection) -> None:
        """Waits for microthreads. With tasks, each end activates one, in order of ends."""
        s, a = self.state, self.state.agents
        threads = list(op.threads)
        done = np.ones(size(at), bool)
        for thread in threads:
            done &= ~a.busy[thread][at]
        if not done.all():
            s.block(MAIN_THREAD, pick(at, ~done))
            at = pick(at, done)
            if not size(at):
                return
        clock, join, task = a.clock[MAIN_THREAD][at], s.machine.control.join, s.machine.control.task
        ends = _in_order([a.clock[thread][at] for thread in threads])
        now = clock
        for end in ends if op.tasks else ends[-1:]:
            now = np.maximum(now, end + join)
            if op.tasks:
                now = now + task
        busy = task * len(threads) if op.tasks else 0.0
        elapsed = now - clock
        self._spend(pc, at, elapsed, wait_join=elapsed - busy, compute=busy)
        s.proceed(MAIN_THREAD, at)


def _in_order(rows: list[np.ndarray]) -> list[np.ndarray]:
    """The smallest of each column, the next one, ...: for a few long rows far faster than a sort of every column."""
    rows = list(rows)
    for last in range(len(rows) - 1, 0, -1):
        for i in range(last):
            rows[i], rows[i + 1] = np.minimum(rows[i], rows[i + 1]), np.maximum(rows[i], rows[i + 1])
    return rows
