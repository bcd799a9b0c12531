"""Cores: each executes its class's code in order on the main thread, and starts transfers on microthreads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import TargetError
from ...image import (
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
    Vector,
)
from ...quasi_affine import Const, Expr
from ..accounting import Accounting
from ..code import Halt, LoopBegin, LoopEnd
from ..cost import CostModel, words
from ..engine import Loaded
from ..memory import Located
from ..work import Operation
from .channels import Channel, Message
from .fabric import CALL, Fabric, Word
from .routes import REPETITION, Routes
from .transfers import Receiving, Relaying, Sending, Transfer, elements_of

BLOCKED = -1


class Thread:
    """A microthread: the transfer it has, if any, and when its last one ended."""

    __slots__ = ("end", "transfer")

    def __init__(self) -> None:
        self.transfer: Transfer | None = None
        self.end = 0.0


class Core:
    """One PE's core.

    Attributes:
        clock: time up to which the main thread has come; what it does there is done when an event wakes it up.
        transfer: the main thread's transfer under way.
        ends: clock at the end of each repetition.
    """

    kind = CALL

    def __init__(self, shared: Shared, pe: int, entry: int) -> None:
        loaded = shared.loaded
        self.shared = shared
        self.machine, self.placement, self.fabric = loaded.machine, loaded.placement, shared.fabric
        self.pe = pe
        self.clock = 0.0
        self.pc = self.entry = entry
        self.counters, self.trips = [0] * loaded.code.depth, [0] * loaded.code.depth
        self.threads: dict[int, Thread] = {}
        self.transfer: Transfer | None = None
        self.ends: list[float] = []
        self.rows = np.array([pe])
        self.place = {"x": int(self.placement.x[pe]), "y": int(self.placement.y[pe])}
        self.channels: dict[str, Channel] = {}

    @property
    def halted(self) -> bool:
        """Whether it is through with all repetitions."""
        return len(self.ends) == self.shared.repeat

    @property
    def busy(self) -> list[int]:
        """Microthreads that have a transfer."""
        return [number for number, thread in sorted(self.threads.items()) if thread.transfer is not None]

    def fire(self, now: float, word: Any) -> None:
        """Executes operations until one has to wait."""
        operations, execute = self.shared.loaded.code.operations, EXECUTE
        while not self.halted:
            pc, op = self.pc, operations[self.pc]
            try:
                following = execute[type(op)](self, op, pc)
            except TargetError as error:
                place = getattr(op, "source", Source()).place
                if place and place not in error.where:
                    error.where = f"{place}, {error.where}" if error.where else place
                raise
            if following == BLOCKED:
                return
            self.pc = following

    def ended(self, transfer: Transfer, now: float) -> None:
        """A transfer is over."""
        self.shared.store(self, transfer)
        thread = transfer.op.thread
        if recorder := self.shared.loaded.recorder:
            begin, end, cause = np.array([transfer.begun]), np.array([now]), np.array([transfer.cause])
            recorder.record(transfer.pc, thread, self.rows, begin, end, cause)
        if thread == MAIN_THREAD:
            self.shared.account(self, transfer, now)
            self.transfer = None
            self.clock = now
            self.pc += 1
        else:
            self.threads[thread].transfer = None
            self.threads[thread].end = now
            if self.transfer is not None:
                return
        self.fire(now, None)

    def value(self, expr: Expr, pc: int) -> int:
        """An expression's value on this PE at an operation."""
        if isinstance(expr, Const):
            return expr.value
        scope = self.shared.loaded.code.variables[pc]
        return int(expr.evaluate(self.place | {name: self.counters[slot] for name, slot in scope.items()}))

    def bounds(self, exprs: Sequence[Expr], pc: int) -> tuple[int, ...]:
        """Trip counts, not below 0."""
        return tuple(max(self.value(e, pc), 0) for e in exprs)

    def located(self, access: Access, pc: int) -> Located:
        """An access with its offset known."""
        return Located(access, np.array([self.value(access.offset, pc)]))

    def epoch(self, colour: str) -> int:
        """The epoch of a colour that the program has come to."""
        gate = self.shared.routes.gates.get((self.pe, colour))
        return gate.chosen if gate else 0

    def spend(self, cycles: float, bin_name: str = "compute") -> None:
        """The main thread is busy, or waits, for some cycles."""
        if cycles:
            self.shared.accounting.add(self.pe, **{bin_name: cycles})
            self.clock += cycles


class Shared:
    """What all cores work with in one run."""

    def __init__(self, loaded: Loaded, routes: Routes, fabric: Fabric, repeat: int) -> None:
        self.loaded = loaded
        self.routes = routes
        self.fabric = fabric
        self.repeat = repeat
        self.cost = CostModel(loaded.machine)
        self.dtypes = {name: b.dtype for name, b in loaded.program.buffers.items()}
        self.accounting = Accounting(loaded.code, loaded.placement.count, self.dtypes, repeat)
        self.halts = 0
        self._vectors: dict[tuple[int, tuple[int, ...]], float] = {}

    def progress(self) -> None:
        """A repetition has ended on one more PE."""
        self.halts += 1
        total = self.repeat * self.loaded.placement.count
        if self.loaded.progress and (self.halts % 64 == 0 or self.halts == total):
            self.loaded.progress(self.halts / total)

    def vector_cycles(self, op: Vector, pc: int, bounds: tuple[int, ...]) -> float:
        """Cycles of a vector operation."""
        key = (pc, bounds)
        if key not in self._vectors:
            table = np.array([bounds], np.int64).reshape(1, len(bounds))
            dtype = self.dtypes[op.dst.buffer]
            self._vectors[key] = float(self.cost.vector(op, table, dtype, self.dtypes)[0])
        return self._vectors[key]

    def channel(self, core: Core, colour: str) -> Channel:
        """What a core sends a colour on in its epoch."""
        epoch = core.epoch(colour)
        channel = core.channels.get(colour)
        if channel is None or channel.epoch != epoch:
            channel = core.channels[colour] = self.routes.channel(core.pe, colour, epoch)
        return channel

    def read(self, core: Core, access: Access, bounds: tuple[int, ...], pc: int) -> np.ndarray:
        """Elements of a core's memory in loop order, a copy."""
        memory = self.loaded.memory
        assert memory is not None
        return memory.read(core.located(access, pc), bounds, core.rows).reshape(-1).copy()

    def store(self, core: Core, transfer: Transfer) -> None:
        """Writes what a transfer took to memory, combining a receive's words with what is there."""
        memory, op = self.loaded.memory, transfer.op
        if memory is None or isinstance(op, Send) or op.dst is None:
            return
        assert isinstance(transfer, (Receiving, Relaying))
        pes, bounds, dst = core.rows, transfer.bounds, transfer.located
        assert dst is not None
        data = np.concatenate(transfer.parts).reshape(1, *bounds)
        if isinstance(op, Relay) or op.combine == "store":
            memory.apply(self.loaded.kernels, "copy", pes, bounds, dst, [data])
        else:
            memory.apply(self.loaded.kernels, op.combine, pes, bounds, dst, [dst, data])

    def account(self, core: Core, transfer: Transfer, end: float) -> None:
        """Splits a main thread's transfer into moving words and waiting, and waiting by reason."""
        elapsed = end - transfer.begun
        setup = core.machine.fabric.transfer_setup
        moving = min(setup + transfer.total * transfer.pace, elapsed)
        waiting = elapsed - moving
        held = transfer.message.held if transfer.message else 0.0
        switch = min(waiting, held)
        places = waiting - switch if isinstance(transfer, Sending) else min(transfer.places, waiting - switch)
        self.accounting.add(
            core.pe,
            communication=moving,
            wait_switch=switch,
            wait_places=places,
            wait_words=waiting - switch - places,
        )


def _vector(core: Core, op: Vector, pc: int) -> int:
    shared = core.shared
    bounds = core.bounds(op.bounds, pc)
    memory, begun = shared.loaded.memory, core.clock
    elements = int(np.prod(bounds, dtype=np.int64))
    if memory is not None and elements:
        srcs = [core.located(s, pc) if isinstance(s, Access) else s for s in op.srcs]
        dst = core.located(op.dst, pc)
        memory.apply(shared.loaded.kernels, op.kind, core.rows, bounds, dst, srcs)
    core.spend(shared.vector_cycles(op, pc, bounds))
    shared.accounting.add_work(core.pe, op, elements)
    _record(core, pc, begun)
    return pc + 1


def _record(core: Core, pc: int, begun: float) -> None:
    recorder = core.shared.loaded.recorder
    if recorder and core.clock > begun:
        recorder.record(pc, MAIN_THREAD, core.rows, np.array([begun]), np.array([core.clock]), core.rows)


def _transfer(core: Core, op: Operation, pc: int) -> int:
    assert isinstance(op, (Send, Receive, Relay))
    bounds = core.bounds(op.bounds, pc)
    elements = int(np.prod(bounds, dtype=np.int64))
    thread = None
    if op.thread != MAIN_THREAD:
        thread = core.threads.setdefault(op.thread, Thread())
        if thread.transfer is not None:
            return BLOCKED
        core.spend(max(thread.end - core.clock, 0.0), "wait_join")
        control, begun = core.machine.control, core.clock
        count = int(words(elements, _dtype(core, op), getattr(op, "packed", True)))
        core.spend(control.launch + count * control.microthread_word, "communication")
        _record(core, pc, begun)
        thread.end = core.clock
    if not elements:
        return pc + 1
    transfer = _issue(core, op, pc, bounds, elements)
    core.shared.accounting.add_work(core.pe, op, elements)
    if thread is None:
        core.transfer = transfer
        return BLOCKED
    thread.transfer = transfer
    return pc + 1


def _dtype(core: Core, op: Send | Receive | Relay) -> str:
    """Element type of a transfer's message as far as its own operands tell."""
    access = op.src if isinstance(op, Send) else op.dst if isinstance(op, Receive) else op.own or op.dst
    return core.shared.dtypes[access.buffer] if access else "f32"


def _issue(core: Core, op: Operation, pc: int, bounds: tuple[int, ...], elements: int) -> Transfer:
    shared, begun, with_data = core.shared, core.clock, core.shared.loaded.memory is not None
    dtype = _dtype(core, op)  # type: ignore[arg-type]
    if isinstance(op, Send):
        channel = shared.channel(core, op.colour)
        data = shared.read(core, op.src, bounds, pc) if with_data else None
        pace = shared.cost.word_cycles("copy", dtype, op.packed)
        made = _wavelets(channel, elements, int(words(elements, dtype, op.packed)), data)
        return Sending(core, op, pc, begun, channel, made, pace)
    assert isinstance(op, (Receive, Relay))
    colour = op.receive if isinstance(op, Relay) else op.colour
    shared.routes.check_incoming(core.pe, colour, core.epoch(colour))
    inbox = shared.routes.inbox(core.pe, colour, core.epoch(colour))
    if isinstance(op, Receive):
        kind = "copy" if op.combine == "store" else op.combine
        pace = shared.cost.word_cycles(kind, dtype)
        transfer = Receiving(core, op, pc, begun, inbox, elements, pace)
    else:
        combines = op.own is not None and op.combine != "store"
        pace = shared.cost.word_cycles(op.combine if combines else "copy", dtype)
        transfer = Relaying(core, op, pc, begun, inbox, shared.channel(core, op.send), elements, pace)
        if op.own is not None and with_data:
            transfer.own = shared.read(core, op.own, bounds, pc)
    transfer.bounds = bounds
    transfer.located = core.located(op.dst, pc) if op.dst is not None else None
    inbox.drain()
    return transfer


def _wavelets(channel: Channel, elements: int, count: int, data: np.ndarray | None) -> list[Word]:
    """A message's wavelets, each with its elements; None for them when only time is asked for."""
    message = Message(channel, elements, count, -(-elements // count) if elements >= count else 0)
    if data is None:
        return [(message, None)] * count
    parts = (elements_of(message, k) for k in range(count))
    return [(message, data[first:last]) for first, last in parts]


def _join(core: Core, op: Join, pc: int) -> int:
    threads = [core.threads.setdefault(number, Thread()) for number in op.threads]
    if any(thread.transfer is not None for thread in threads):
        return BLOCKED
    control, begun = core.machine.control, core.clock
    ends = sorted(thread.end for thread in threads)
    for end in ends if op.tasks else ends[-1:]:
        core.spend(max(end + control.join - core.clock, 0.0), "wait_join")
        if op.tasks:
            core.spend(control.task)
    _record(core, pc, begun)
    return pc + 1


def _control(core: Core, op: Control, pc: int) -> int:
    begun = core.clock
    core.spend(max(core.value(op.count, pc), 0) * getattr(core.machine.control, op.unit))
    _record(core, pc, begun)
    return pc + 1


def _switch(core: Core, op: Switch, pc: int) -> int:
    fabric, begun = core.machine.fabric, core.clock
    core.spend(fabric.route_rewrite if op.rewrite else fabric.switch)
    gate = core.shared.routes.gates[core.pe, op.colour]
    gate.choose(gate.chosen + 1, core.clock)
    _record(core, pc, begun)
    return pc + 1


def _phase(core: Core, op: Phase, pc: int) -> int:
    core.shared.accounting.enter(core.pe, core.shared.loaded.code.phase_of[pc], core.clock)
    core.spend(core.machine.control.phase)
    return pc + 1


def _loop_begin(core: Core, op: LoopBegin, pc: int) -> int:
    core.counters[op.slot] = 0
    core.trips[op.slot] = trips = core.value(op.trips, pc)
    core.spend(core.machine.control.branch)
    return pc + 1 if trips > 0 else op.exit


def _loop_end(core: Core, op: LoopEnd, pc: int) -> int:
    core.counters[op.slot] += 1
    core.spend(core.machine.control.loop)
    return op.start if core.counters[op.slot] < core.trips[op.slot] else pc + 1


def _halt(core: Core, op: Halt, pc: int) -> int:
    """The end of a repetition; positions are set back, which begins an epoch of its own."""
    shared = core.shared
    core.ends.append(core.clock)
    shared.accounting.end(core.pe, core.clock)
    if not core.halted:
        for (pe, _), gate in shared.routes.gates.items():
            if pe == core.pe:
                gate.choose(len(core.ends) * REPETITION, core.clock)
    shared.progress()
    return core.entry


EXECUTE: dict[type, Callable[[Core, Any, int], int]] = {
    Vector: _vector, Send: _transfer, Receive: _transfer, Relay: _transfer, Join: _join, Control: _control,
    Switch: _switch, Phase: _phase, LoopBegin: _loop_begin, LoopEnd: _loop_end, Halt: _halt,
}  # fmt: skip
