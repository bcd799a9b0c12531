"""What a core's main thread does for each operation of its code; every function returns the next program counter."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ...instructions import (
    MAIN_THREAD,
    Access,
    Control,
    Join,
    Phase,
    Receive,
    Relay,
    Send,
    Switch,
    Transfer,
    Vector,
)
from ..code import Branch, Halt, Jump, LoopBegin, LoopEnd
from ..cost import words
from ..located import expressions
from .channels import Channel, Message
from .cores import BLOCKED, Core
from .fabric import Word
from .routes import REPETITION
from .transfers import Receiving, Relaying, RunningTransfer, Sending, elements_of


def _vector(core: Core, op: Vector, now: float) -> int:
    run = core.run
    bounds = core.bounds(op.bounds)
    elements = prod(bounds)
    core.changed |= elements > 0
    if run.memories is not None and elements:
        accesses = (op.dst, *(s for s in op.srcs if isinstance(s, Access)))
        values = tuple(core.value(expr) for access in accesses for expr in expressions(access))
        run.memories.add(core.pe, op, bounds, values)
    _busy(core, run.vector_cycles(op, bounds))
    run.accounting.add_work(core.pe, op, elements)
    return core.pc + 1


def _busy(core: Core, cycles: float, name: str = "compute") -> None:
    """The main thread is busy with its present operation."""
    begun = core.clock
    core.spend(cycles, name)
    core.record(core.pc, begun, core.clock, MAIN_THREAD, core.pe)


def _transfer(core: Core, op: Transfer, now: float) -> int:
    run, thread = core.run, None
    if op.thread != MAIN_THREAD and (thread := core.thread(op.thread)).transfer is not None:
        return BLOCKED
    reads = isinstance(op, Send) or (isinstance(op, Relay) and op.own is not None)
    if reads and _others_first(core, now):
        return BLOCKED
    bounds = core.bounds(op.bounds)
    elements = prod(bounds)
    if thread is not None:
        core.spend(max(thread.end - core.clock, 0.0), "wait_join")
        count = int(words(elements, run.dtype(op), getattr(op, "packed", True)))
        control = run.machine.control
        _busy(core, control.launch + count * control.microthread_word, "communication")
        thread.end = core.clock
    if not elements:
        return core.pc + 1
    transfer = _send(core, op, bounds) if isinstance(op, Send) else _take(core, op, bounds)
    run.accounting.add_work(core.pe, op, elements)
    if thread is None:
        core.transfer = transfer
        return BLOCKED
    thread.transfer = transfer
    return core.pc + 1


def _others_first(core: Core, now: float) -> bool:
    """Lets all that happens at this time happen before a changed memory is looked at.

    Arithmetic is then put off on as many PEs as possible. Done without data, too, so that the order of events is one.
    """
    changed, core.changed = core.changed, False
    if changed:
        core.run.fabric.schedule(now, core)
    return changed


def _send(core: Core, op: Send, bounds: tuple[int, ...]) -> RunningTransfer:
    run, elements = core.run, prod(bounds)
    dtype, channel = run.dtype(op), core.channel(op.colour)
    data = None if run.memories is None else run.memories.read(core.rows, core.located(op.src), bounds)
    wavelets = _wavelets(channel, elements, int(words(elements, dtype, op.packed)), op.packed, data)
    return Sending(core, op, channel, wavelets, run.cost.word_cycles("copy", dtype, op.packed))


def _wavelets(
    channel: Channel, elements: int, count: int, packed: bool, data: np.ndarray | None
) -> list[Word]:
    """A message's wavelets, each with its elements; None for them when only time is asked for."""
    message = Message(channel, elements, count, packed)
    if data is None:
        return [(message, None)] * count
    parts = (elements_of(message, k) for k in range(count))
    return [(message, data[first:last]) for first, last in parts]


def _take(core: Core, op: Receive | Relay, bounds: tuple[int, ...]) -> RunningTransfer:
    run, elements, dtype = core.run, prod(bounds), core.run.dtype(op)
    colour = op.colour if isinstance(op, Receive) else op.receive
    epoch = core.epoch(colour)
    run.routes.check_incoming(core.pe, colour, epoch)
    inbox = run.routes.inbox(core.pe, colour, epoch)
    plain = op.combine == "store" or (isinstance(op, Relay) and op.own is None)
    paces = [run.cost.word_cycles("copy" if plain else op.combine, dtype, packed) for packed in (False, True)]
    if isinstance(op, Receive):
        transfer = Receiving(core, op, inbox, elements, paces)
    else:
        transfer = Relaying(core, op, inbox, core.channel(op.send), elements, paces)
        if not plain and op.own is not None and run.memories is not None:
            transfer.own = run.memories.read(core.rows, core.located(op.own), bounds)
    transfer.bounds = bounds
    transfer.bases = (core.value(op.dst.offset),) if op.dst is not None else ()
    inbox.drain()
    return transfer


def _join(core: Core, op: Join, now: float) -> int:
    threads = [core.thread(number) for number in op.threads]
    if any(thread.transfer is not None for thread in threads):
        return BLOCKED
    control, begun = core.run.machine.control, core.clock
    ends = sorted(thread.end for thread in threads)
    for end in ends if op.tasks else ends[-1:]:
        core.spend(max(end + control.join - core.clock, 0.0), "wait_join")
        core.spend(control.task * op.tasks)
    core.record(core.pc, begun, core.clock, MAIN_THREAD, core.pe)
    return core.pc + 1


def _control(core: Core, op: Control, now: float) -> int:
    _busy(core, max(core.value(op.count), 0) * getattr(core.run.machine.control, op.unit))
    return core.pc + 1


def _switch(core: Core, op: Switch, now: float) -> int:
    fabric = core.run.machine.fabric
    _busy(core, fabric.route_rewrite if op.rewrite else fabric.switch)
    gate = core.run.routes.gates[core.pe, op.colour]
    gate.choose(gate.chosen + 1, core.clock)
    return core.pc + 1


def _phase(core: Core, op: Phase, now: float) -> int:
    core.run.accounting.enter(core.pe, core.run.code.phase_of[core.pc], core.clock)
    _busy(core, core.run.machine.control.phase)
    return core.pc + 1


def _loop_begin(core: Core, op: LoopBegin, now: float) -> int:
    core.counters[op.slot] = 0
    core.trips[op.slot] = trips = core.value(op.trips)
    _busy(core, core.run.machine.control.branch)
    return core.pc + 1 if trips > 0 else op.exit


def _loop_end(core: Core, op: LoopEnd, now: float) -> int:
    core.counters[op.slot] += 1
    _busy(core, core.run.machine.control.loop)
    return op.start if core.counters[op.slot] < core.trips[op.slot] else core.pc + 1


def _branch(core: Core, op: Branch, now: float) -> int:
    selected = core.value(op.selector)
    _busy(core, core.run.machine.control.branch)
    return op.targets[selected] if 0 <= selected < len(op.targets) else op.exit


def _jump(core: Core, op: Jump, now: float) -> int:
    return op.target


def _halt(core: Core, op: Halt, now: float) -> int:
    """The end of a repetition; positions are set back, which begins an epoch of its own."""
    core.ends.append(core.clock)
    run = core.run
    run.accounting.end(core.pe, core.clock)
    if run.host is not None and run.memories is not None:
        run.memories.settle(core.pe)
        run.host.end(len(core.ends) - 1, core.rows)
    if not core.halted:
        run.routes.set_back(core.pe, len(core.ends) * REPETITION, core.clock)
        if run.host is not None:
            run.host.begin(len(core.ends), core.rows)
            core.changed = True
    run.ended()
    return core.entry


EXECUTE: dict[type, Callable[[Core, Any, float], int]] = {
    Vector: _vector, Send: _transfer, Receive: _transfer, Relay: _transfer, Join: _join, Control: _control,
    Switch: _switch, Phase: _phase, LoopBegin: _loop_begin, LoopEnd: _loop_end,
    Branch: _branch, Jump: _jump, Halt: _halt,
}  # fmt: skip
