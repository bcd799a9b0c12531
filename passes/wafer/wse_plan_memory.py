"""The pass `wse-plan-memory`: addresses of buffers in each PE's SRAM."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ...dialects.host import ir
from ...dialects.wse import build, read
from ...wse_target.footprint import CASE_BYTES, INSTRUCTION_BYTES, TABLE_ENTRY_BYTES
from ...wse_target.image import (
    DTYPE_BYTES,
    Choose,
    Control,
    Join,
    Loop,
    Receive,
    Relay,
    Send,
    Switch,
    Vector,
)
from ...wse_target.machine import Machine, load_machine
from ...wse_target.scalars import SCALAR_BYTES
from ..infra.diagnostics import PassFailure
from ..infra.pass_base import Pass, PassRun
from .executable import (
    CHOICE,
    OF_TRIPS,
    TRANSFERS,
    Step,
    bodies,
    buffers_of,
    instructions,
    program_of,
    steps,
    symbols,
)
from .index_values import depends_on_place_alone, place_number
from .route.colour_use import transfer_ends

# Bytes of program text that an operation takes, see `INSTRUCTION_BYTES`; a bound or an offset that depends on the PE
# takes some scalar instructions more.
CODE_BYTES = {
    "wse.vector": INSTRUCTION_BYTES[Vector],
    "wse.send": INSTRUCTION_BYTES[Send],
    "wse.receive": INSTRUCTION_BYTES[Receive],
    "wse.relay": INSTRUCTION_BYTES[Relay],
    "wse.join": INSTRUCTION_BYTES[Join],
    "wse.control": INSTRUCTION_BYTES[Control],
    "wse.switch": INSTRUCTION_BYTES[Switch],
    "wse.lookup": 8,
    "wse.indexed": 24,  # a load, a subtraction, a comparison, a branch, a product and a sum
    "affine.apply": 8,
    "affine.min": 12,
    "affine.max": 12,
    "arith.muli": 4,
    "scf.for": INSTRUCTION_BYTES[Loop],
    CHOICE: INSTRUCTION_BYTES[Choose] - CASE_BYTES,  # its regions are one more than its cases
}


@dataclass(frozen=True)
class _Text:
    """What a class's program text takes: bytes of code, and of the tables and scalars that it depends on."""

    code: int
    tables: int
    scalars: int = 0

    @property
    def total(self) -> int:
        return self.code + self.tables + self.scalars


@dataclass(frozen=True)
class _Buffer:
    op: Any
    name: str
    size: int
    alignment: int


class DoesNotFit(PassFailure):
    """A program takes more than a PE has.

    Attributes:
        needed / available: bytes of SRAM; `text` of those needed are code, tables and scalars.
    """

    def __init__(self, at: Any, message: str, hint: str, *, needed: int, text: int, available: int) -> None:
        super().__init__(at, message, hint=hint)
        self.needed, self.text, self.available = needed, text, available


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
        program = program_of(op)
        machine = load_machine(program.machine.value)
        lengths = {t.sym_name.value: len(t.values) for t in symbols(op, "wse.table")}
        texts = {pes.sym_name.value: _text(function, lengths) for pes, function in bodies(op)}
        buffers = [_describe(b) for b in symbols(op, "wse.buffer")]
        conflicts = _conflicts(op, buffers)
        offsets = _assign(buffers, conflicts)
        top = max((offsets[b.name] + b.size for b in buffers), default=0)
        sent = SCALAR_BYTES * len(symbols(op, "wse.scalar"))
        most = max(texts.values(), key=lambda text: text.total, default=_Text(0, 0))
        most = replace(most, scalars=sent)
        if top + most.total > machine.sram_available:
            raise _does_not_fit(op, buffers, top, most, machine)
        for buffer in buffers:
            buffer.op.attributes["offset"] = build.i64(offsets[buffer.name])
        for pes, _ in bodies(op):
            pes.attributes["wse.code_bytes"] = build.i64(texts[pes.sym_name.value].code)
        run.count("bytes of SRAM", top)
        run.count("bytes saved by sharing", sum(b.size for b in buffers) - top)


def _describe(op: Any) -> _Buffer:
    memref = ir.MemRefType(op.type.value)
    width = DTYPE_BYTES[str(memref.element_type)]
    size = width
    for extent in memref.shape:
        size *= extent
    alignment = max(4, width)
    return _Buffer(op, op.sym_name.value, -(-size // alignment) * alignment, alignment)


def _text(function: Any, lengths: dict[str, int]) -> _Text:
    """The size of a program text; `lengths` are the entries of each table.

    Of a table that the PE's place alone says the entry of, the loader writes that one. A number that the place alone
    says is computed once, however many routines write down how.
    """
    once: set[str] = set()
    operations = []
    for op in instructions(function.body.blocks[0]):
        name = place_number(op)
        if not name or name not in once:
            operations.append(op)
            once.add(name)
    code = sum(CODE_BYTES.get(op.operation.name, 0) for op in operations)
    code += sum(CASE_BYTES * len(op.regions) for op in operations if op.operation.name == CHOICE)
    entries: dict[str, int] = {}
    for op in operations:
        if op.operation.name == "wse.lookup":
            name = op.table.value
            needed = 1 if depends_on_place_alone(op.index) else lengths[name]
            entries[name] = max(entries.get(name, 0), needed)
    return _Text(code, TABLE_ENTRY_BYTES * sum(entries.values()))


def _touched(
    step: Step, position: int, ends: Callable[[int, int], int], of_trips: set[str]
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


def _does_not_fit(
    module: ir.Operation, buffers: list[_Buffer], top: int, text: _Text, machine: Machine
) -> DoesNotFit:
    resident = {op.buffer.value for op in symbols(module, "wse.host_scatter") if op.resident.value}
    kept = sum(b.size for b in buffers if b.name in resident)
    largest = sorted(buffers, key=lambda b: -b.size)[:3]
    listed = ", ".join(f"@{b.name} {b.size}" for b in largest)
    terms = f"{kept} (parameters) + {top - kept} (activations and temporaries) + {text.code} (code)"
    terms += f" + {text.tables} (tables)" if text.tables else ""
    terms += f" + {text.scalars} (scalars)" if text.scalars else ""
    smaller = ", or an algorithm without tables" if text.tables else ""
    turns = "; programs=N makes N programs of the model, which take turns" if 2 * text.code > top else ""
    return DoesNotFit(
        program_of(module),
        f"the program does not fit the SRAM: {terms} = {top + text.total} B a PE > {machine.sram_available} B "
        f"({machine.sram.bytes} less {machine.sram.runtime} of the host-transfer runtime); largest buffers: {listed}",
        f"use more PEs (grid=WxH, or a larger machine), a smaller batch, or a narrower element type{smaller}{turns}",
        needed=top + text.total,
        text=text.total,
        available=machine.sram_available,
    )
