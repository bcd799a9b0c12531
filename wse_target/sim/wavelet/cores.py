"""Cores: each executes its class's code in order on the main thread, and has transfers on microthreads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import TargetError
from ...instructions import MAIN_THREAD, Access, Source
from ...quasi_affine import Const, Expr
from ..located import Located
from .channels import Channel
from .fabric import CALL
from .run import Run
from .transfers import Receiving, Relaying, RunningTransfer, Sending

BLOCKED = -1  # in place of a program counter: the core goes on when an event wakes it up


class Thread:
    """A microthread: the transfer it has, if any, and when its last one ended."""

    __slots__ = ("end", "transfer")

    def __init__(self) -> None:
        self.transfer: RunningTransfer | None = None
        self.end = 0.0


class Core:
    """One PE's core.

    Args:
        execute: by class of operations, what the main thread does for one at a time; returns the next program
            counter, or `BLOCKED`.

    Attributes:
        clock: time up to which the main thread has come. It may be ahead of the events, since nobody else sees what
            it does between its transfers.
        transfer: the main thread's transfer under way.
        ends: clock at the end of each repetition.
        rows: the PE's number as an array.
        changed: whether its memory has changed since it was looked at, see `operations`.
    """

    kind = CALL

    def __init__(
        self, run: Run, pe: int, entry: int, execute: Mapping[type, Callable[[Core, Any, float], int]]
    ) -> None:
        self.run = run
        self._execute = execute
        self.pe = pe
        self.clock = 0.0
        self.pc = self.entry = entry
        self.counters, self.trips = [0] * run.code.depth, [0] * run.code.depth
        self.threads: dict[int, Thread] = {}
        self.transfer: RunningTransfer | None = None
        self.ends: list[float] = []
        self.rows = np.array([pe])
        self.changed = False
        self._place = {"x": int(run.placement.x[pe]), "y": int(run.placement.y[pe])}
        self._channels: dict[str, Channel] = {}

    @property
    def name(self) -> str:
        """ "PE (x, y)"."""
        return self.run.placement.name(self.pe)

    @property
    def halted(self) -> bool:
        """Whether it is through with all repetitions."""
        return len(self.ends) == self.run.repeat

    @property
    def busy(self) -> list[int]:
        """Microthreads that have a transfer."""
        return [number for number, thread in sorted(self.threads.items()) if thread.transfer is not None]

    def thread(self, number: int) -> Thread:
        """A microthread."""
        return self.threads.setdefault(number, Thread())

    def fire(self, now: float, word: Any) -> None:
        """Executes operations until one has to wait."""
        operations = self.run.code.operations
        while self.transfer is None and not self.halted:
            op = operations[self.pc]
            try:
                following = self._execute[type(op)](self, op, now)
            except TargetError as error:
                place = getattr(op, "source", Source()).place
                if place and place not in error.where:
                    error.where = f"{place}, {error.where}" if error.where else place
                raise
            if following == BLOCKED:
                return
            self.pc = following

    def ended(self, transfer: RunningTransfer, now: float) -> None:
        """A transfer is over."""
        if isinstance(transfer, (Receiving, Relaying)) and transfer.op.dst is not None:
            self.changed = True
            if self.run.memories is not None:
                data = np.concatenate(transfer.parts)
                self.run.memories.add(self.pe, transfer.op, transfer.bounds, transfer.bases, data)
        self.record(transfer.pc, transfer.begun, now, transfer.op.thread, transfer.cause)
        if transfer.op.thread == MAIN_THREAD:
            self._account(transfer, now)
            self.transfer = None
            self.clock = now
            self.pc += 1
        else:
            thread = self.threads[transfer.op.thread]
            thread.transfer, thread.end = None, now
        self.fire(now, None)

    def _account(self, transfer: RunningTransfer, end: float) -> None:
        """Splits a main thread's transfer into moving words and waiting, and waiting by reason."""
        elapsed = end - transfer.begun
        setup = self.run.machine.fabric.transfer_setup
        moving = min(setup + transfer.total * transfer.pace, elapsed)
        waiting = elapsed - moving
        switch = min(waiting, transfer.message.held if transfer.message else 0.0)
        places = waiting - switch
        if not isinstance(transfer, Sending):
            places = min(places, transfer.places)
        words = waiting - switch - places
        bins = {"communication": moving, "wait_switch": switch, "wait_places": places, "wait_words": words}
        self.run.accounting.add(self.pe, **{name: cycles for name, cycles in bins.items() if cycles})

    def record(self, pc: int, begin: float, end: float, thread: int, cause: int) -> None:
        """Tells the recorder, if there is one, what the core was busy with."""
        recorder = self.run.loaded.recorder
        if recorder is not None and end > begin:
            recorder.record(
                pc, thread, self.rows, np.array([begin]), np.array([end]), np.array([cause], np.int64)
            )

    def value(self, expr: Expr) -> int:
        """An expression's value on this PE at its operation."""
        if isinstance(expr, Const):
            return expr.value
        scope = self.run.code.variables[self.pc]
        return int(expr.evaluate(self._place | {name: self.counters[slot] for name, slot in scope.items()}))

    def bounds(self, exprs: Sequence[Expr]) -> tuple[int, ...]:
        """Trip counts, not below 0."""
        return tuple(max(self.value(e), 0) for e in exprs)

    def located(self, access: Access) -> Located:
        """An access with its offset known."""
        return Located(access, np.array([self.value(access.offset)]))

    def epoch(self, colour: str) -> int:
        """The epoch of a colour that the program has come to."""
        gate = self.run.routes.gates.get((self.pe, colour))
        return gate.chosen if gate else 0

    def channel(self, colour: str) -> Channel:
        """What a colour is sent on in the present epoch."""
        epoch = self.epoch(colour)
        channel = self._channels.get(colour)
        if channel is None or channel.epoch != epoch:
            channel = self._channels[colour] = self.run.routes.channel(self.pe, colour, epoch)
        return channel

    def spend(self, cycles: float, name: str = "compute") -> None:
        """The main thread is busy, or waits, for some cycles."""
        if cycles:
            self.run.accounting.add(self.pe, **{name: cycles})
            self.clock += cycles
