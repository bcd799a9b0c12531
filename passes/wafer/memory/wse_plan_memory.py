"""The pass `wse-plan-memory`: addresses of buffers in each PE's SRAM."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ....dialects.host import ir
from ....dialects.wse import build, read
from ....wse_target.instructions import DTYPE_BYTES
from ....wse_target.machine import Machine
from ....wse_target.machine_file import load_machine
from ....wse_target.scalars import SCALAR_BYTES
from ...infra.pass_base import Pass, PassRun
from ..executable import OF_TRIPS, TRANSFERS, TextOperation, bodies, buffers_of, program_of, steps, symbols
from ..levers import Demand
from ..route.colour_use import transfer_ends
from ..too_large import TooLarge
from .text_bytes import ClassText, TextBytes


@dataclass(frozen=True)
class _Buffer:
    op: Any
    name: str
    size: int
    alignment: int


@dataclass(frozen=True)
class MemoryPlan:
    """What programs take of a PE.

    Attributes:
        offsets: of buffers, by name; `top` is where the last one ends.
        read: texts of classes, by name; sent: bytes of the host's numbers.
        texts: what those take; `most` is the longest, with what the host sends.
    """

    machine: Machine
    buffers: list[_Buffer]
    offsets: dict[str, int]
    read: dict[str, ClassText]
    sent: int
    texts: dict[str, TextBytes] = field(default_factory=dict)
    most: TextBytes = field(default_factory=lambda: TextBytes(0, 0))

    @staticmethod
    def of(module: ir.Operation, routines: Collection[str] | None = None) -> MemoryPlan:
        """Plans for a module, whose classes have these routines in memory once: all that are marked if None."""
        buffers = [_describe(b) for b in symbols(module, "wse.buffer")]
        offsets = _assign(buffers, _conflicts(module, buffers))
        machine = load_machine(program_of(module).machine.value)
        lengths = {t.sym_name.value: len(t.values) for t in symbols(module, "wse.table")}
        texts = {pes.sym_name.value: ClassText.of(function, lengths) for pes, function in bodies(module)}
        sent = SCALAR_BYTES * len(symbols(module, "wse.scalar"))
        return MemoryPlan(machine, buffers, offsets, texts, sent).with_routines(routines)

    def with_routines(self, routines: Collection[str] | None, by_words: Collection[str] = ()) -> MemoryPlan:
        """The same with other routines; those of `by_words` set descriptors by words where that saves something."""
        texts = {name: text.bytes(routines, by_words) for name, text in self.read.items()}
        most = max(texts.values(), key=lambda text: text.total, default=TextBytes(0, 0))
        return replace(self, texts=texts, most=replace(most, scalars=self.sent))

    @property
    def top(self) -> int:
        return max((self.offsets[b.name] + b.size for b in self.buffers), default=0)

    @property
    def fits(self) -> bool:
        return self.top + self.most.total <= self.machine.sram_available


class DoesNotFit(TooLarge):
    """A program with its text takes more than a PE has.

    Attributes:
        text: bytes of those needed that are code, tables and scalars.
    """

    def __init__(self, at: Any, message: str, hint: str, *, text: int, **known: Any) -> None:
        super().__init__(at, message, hint, **known)
        self.text = text


class PlanMemory(Pass, name="wse-plan-memory", anchor="builtin.module"):
    """Gives each buffer an offset. Buffers share memory when no class of PEs needs both at once.

    A buffer is live from the first operation that touches it to the last (a loop counts as a whole, but for what lives
    in each trip of a loop over layers alone; a microthread's transfer until it is joined); what the host brings in
    lives from the start, what it takes away to the end, and what stays resident always.

        wse.buffer @a {offset = -1}         wse.buffer @a {offset = 0}
        wse.buffer @b {offset = -1}   ->    wse.buffer @b {offset = 128}
        wse.buffer @c {offset = -1}         wse.buffer @c {offset = 0}
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        memory = MemoryPlan.of(op)
        if not memory.fits:
            raise _does_not_fit(op, memory)
        for buffer in memory.buffers:
            buffer.op.attributes["offset"] = build.i64(memory.offsets[buffer.name])
        for pes, _ in bodies(op):
            pes.attributes["wse.code_bytes"] = build.i64(memory.texts[pes.sym_name.value].code)
        run.count("bytes of SRAM", memory.top)
        run.count("bytes saved by sharing", sum(b.size for b in memory.buffers) - memory.top)


def _describe(op: Any) -> _Buffer:
    memref = ir.MemRefType(op.type.value)
    width = DTYPE_BYTES[str(memref.element_type)]
    size = width
    for extent in memref.shape:
        size *= extent
    alignment = max(4, width)
    return _Buffer(op, op.sym_name.value, -(-size // alignment) * alignment, alignment)


def _touched(
    step: TextOperation, position: int, ends: Callable[[int, int], int], of_trips: set[str]
) -> Iterator[tuple[str, int, int]]:
    """Buffers that a step touches, each with the positions from and until which it has to keep them.

    In a loop that is from its begin to its end, but for what lives in a trip only.
    """
    for inner in step.inside:
        thread = read.integer(inner.thread) if inner.operation.name in TRANSFERS else 0
        for name in (name for operand in inner.operation.operands for name in buffers_of(operand)):
            until = ends(position, thread)
            if step.loop is None or (name in of_trips and until <= step.loop[1]):
                yield name, position, until
            else:
                yield name, step.loop[0], max(until, step.loop[1])


def _conflicts(module: ir.Operation, buffers: list[_Buffer]) -> dict[str, set[str]]:
    """For each buffer those that are live at the same time in some class."""
    scattered, resident, gathered = set(), set(), set()
    for op in symbols(module, "wse.host_scatter"):
        (resident if op.resident.value else scattered).add(op.buffer.value)
    for op in symbols(module, "wse.host_gather"):
        gathered.add(op.buffer.value)
    of_trips = {b.name for b in buffers if OF_TRIPS in b.op.attributes}
    conflicts: dict[str, set[str]] = {b.name: set() for b in buffers}
    for _, function in bodies(module):
        operations = steps(function.body.blocks[0])
        first: dict[str, int] = {}
        last: dict[str, int] = {}
        ends = transfer_ends(operations)
        for position, step in enumerate(operations):
            for name, begin, until in _touched(step, position, ends, of_trips):
                first[name] = min(first.get(name, begin), begin)
                last[name] = max(last.get(name, -1), until)
        for name in (b.name for b in buffers):
            if name in scattered | resident:
                first[name] = -1
            if name in gathered | resident:
                last[name] = len(operations)
                first.setdefault(name, -1)
            last.setdefault(name, -1)
        ranges = [(first[b.name], last[b.name], b.name) for b in buffers if b.name in first]
        _add_overlaps(sorted(ranges), conflicts)
    return conflicts


def _add_overlaps(ranges: list[tuple[int, int, str]], conflicts: dict[str, set[str]]) -> None:
    active: list[tuple[int, str]] = []
    for start, stop, name in ranges:
        active = [(until, other) for until, other in active if until >= start]
        for _, other in active:
            conflicts[name].add(other)
            conflicts[other].add(name)
        active.append((stop, name))


def _assign(buffers: list[_Buffer], conflicts: dict[str, set[str]]) -> dict[str, int]:
    """Offsets, large buffers first, each in the smallest gap between its conflicts that takes it."""
    offsets: dict[str, int] = {}
    sizes = {b.name: b.size for b in buffers}
    for buffer in sorted(buffers, key=lambda b: -b.size):
        taken = sorted((offsets[n], offsets[n] + sizes[n]) for n in conflicts[buffer.name] if n in offsets)
        offsets[buffer.name] = _best_gap(buffer, taken)
    return offsets


def _best_gap(buffer: _Buffer, taken: list[tuple[int, int]]) -> int:
    best: tuple[int, int] | None = None
    free = 0
    for start, stop in taken:
        aligned = -(-free // buffer.alignment) * buffer.alignment
        gap = start - aligned
        if gap >= buffer.size and (best is None or gap < best[0]):
            best = (gap, aligned)
        free = max(free, stop)
    return best[1] if best is not None else -(-free // buffer.alignment) * buffer.alignment


def _does_not_fit(module: ir.Operation, memory: MemoryPlan) -> DoesNotFit:
    buffers, top, text, machine = memory.buffers, memory.top, memory.most, memory.machine
    resident = {op.buffer.value for op in symbols(module, "wse.host_scatter") if op.resident.value}
    kept = sum(b.size for b in buffers if b.name in resident)
    largest = sorted(buffers, key=lambda b: -b.size)[:3]
    listed = ", ".join(f"@{b.name} {b.size}" for b in largest)
    terms = f"{kept} (parameters) + {top - kept} (activations and temporaries) + {text.code} (code)"
    terms += f" + {text.tables} (tables)" if text.tables else ""
    terms += f" + {text.scalars} (scalars)" if text.scalars else ""
    sizes = [(str(ir.MemRefType(b.op.type.value).element_type) == "f32", b.size) for b in buffers]
    wide = top * sum(size for is_wide, size in sizes if is_wide) // max(sum(size for _, size in sizes), 1)
    pes = math.prod(read.integers(program_of(module).grid))
    width, height = machine.grid
    most = max((b.size for b in buffers), default=0)
    demand = Demand(kept, top - kept, wide, pes, width * height, machine.sram_available, most, text.total)
    smaller = "; an algorithm without tables" if text.tables else ""
    return DoesNotFit(
        program_of(module),
        f"the program does not fit the SRAM: {terms} = {top + text.total} B a PE > {machine.sram_available} B "
        f"({machine.sram.bytes} less {machine.sram.runtime} of the host-transfer runtime); largest buffers: {listed}",
        demand.levers() + smaller,
        needed=top + text.total,
        text=text.total,
        available=machine.sram_available,
        helped_by_turns=2 * (kept + text.total) > top + text.total,
    )
