"""SRAM that a program's phases and tables take, and what its instructions refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from .errors import TargetError
from .image import Program
from .instructions import (
    Access,
    Choose,
    Control,
    Index,
    Instruction,
    Join,
    Loop,
    Phase,
    Receive,
    Relay,
    Send,
    Source,
    Switch,
    Vector,
    all_instructions,
    buffer_bytes,
)
from .quasi_affine import Const, Lookup, Var

TABLE_ENTRY_BYTES = 2

# Bytes of program text that an instruction takes: an estimate, for no published figure says more than that the code of
# a whole product takes about 1.6 KB. Counted are a descriptor of 8 bytes for each operand that is walked over, loaded
# by scalar code as long as itself, the operation's own word of 8, and 4 a scalar instruction.
INSTRUCTION_BYTES: dict[type, int] = {
    Vector: 40,  # two walks on average
    Send: 32,
    Receive: 32,
    Relay: 40,
    Join: 8,
    Control: 8,  # a task's activation, a branch, a call
    Switch: 12,  # the address of the router's register, the setting, a store
    Loop: 16,
    Choose: 16,  # the jump; and the table of addresses:
    Phase: 0,
}
CASE_BYTES = 4


def text_bytes(body: Iterable[Instruction]) -> int:
    """About how many bytes of program text instructions take, scalar code for what depends on the PE left out."""
    return sum(
        INSTRUCTION_BYTES.get(type(op), 0) + CASE_BYTES * (len(op.cases) if isinstance(op, Choose) else 0)
        for op in all_instructions(body)
    )


def phase_sram_bytes(program: Program) -> dict[str, int]:
    """For each phase, by name: bytes of the buffers that its instructions touch on one PE, the largest class's.

    Phases of the same name count as one.
    """
    touched: dict[str, int] = {}
    for pe_class in program.classes:
        names = _buffers_by_phase(pe_class.body)
        for phase, buffers in names.items():
            total = sum(buffer_bytes(program.buffers[name]) for name in buffers)
            touched[phase] = max(touched.get(phase, 0), total)
    return touched


def class_table_bytes(program: Program) -> dict[str, int]:
    """Bytes of SRAM that the tables of each class's program text take, by class.

    Of a table that the PE's place alone says the entry of, the loader writes that one.
    """
    sizes: dict[int, dict[str, int]] = {}  # of the tables of an instruction: classes share much of their text
    found = {}
    for pe_class in program.classes:
        held: dict[str, int] = {}
        for op in pe_class.body:
            if id(op) not in sizes:
                sizes[id(op)] = _table_bytes(op)
            for name, size in sizes[id(op)].items():
                held[name] = max(held.get(name, 0), size)
        found[pe_class.name] = sum(held.values())
    return found


def _table_bytes(op: Instruction) -> dict[str, int]:
    found: dict[str, int] = {}
    for lookup in lookups(op):
        entries = 1 if lookup.variables() <= {"x", "y"} else len(lookup.table)
        found[lookup.name] = max(found.get(lookup.name, 0), TABLE_ENTRY_BYTES * entries)
    return found


def tables(items: Any) -> dict[str, tuple[int, ...]]:
    """The tables that anything in `items` (instructions, host transfers) looks numbers up in, by name.

    Raises:
        TargetError: two tables have one name.
    """
    found: dict[str, tuple[int, ...]] = {}
    for lookup in lookups(items):
        if found.setdefault(lookup.name, lookup.table) != lookup.table:
            raise TargetError(f"two tables are called '{lookup.name}'")
    return found


def program_tables(program: Program) -> dict[str, tuple[int, ...]]:
    """All tables of a program, by name; raises as `tables` does."""
    distinct = {id(op): op for c in program.classes for op in c.body}  # classes share much of their text
    return tables((*distinct.values(), *program.scatters, *program.gathers))


def lookups(item: Any) -> Iterator[Lookup]:
    """Every table entry that an instruction, a host transfer, an expression or a tuple of them refers to."""
    pending = [item]
    while pending:
        part = pending.pop()
        if isinstance(part, tuple):
            pending += reversed(part)
        elif isinstance(part, Lookup):
            yield part
            pending.append(part.index)
        else:
            pending += [getattr(part, name) for name in _parts(type(part))]


@cache
def _parts(kind: type) -> tuple[str, ...]:
    """Fields of a class that may have lookups in them, the last one first."""
    if not is_dataclass(kind) or issubclass(kind, Source | Const | Var):
        return ()
    return tuple(field.name for field in reversed(fields(kind)))


def accesses(instruction: Instruction) -> Iterator[Access]:
    """The walks over buffers that an instruction makes, over indices' numbers too (a loop none of its own)."""
    match instruction:
        case Vector(dst=dst, srcs=srcs):
            for access in (dst, *(s for s in srcs if isinstance(s, Access))):
                yield access
                yield from (index.numbers for index in access.indices)
        case Send(src=src):
            yield src
        case Receive(dst=dst):
            yield dst
        case Relay(own=own, dst=dst):
            yield from (access for access in (own, dst) if access is not None)
        case _:
            return


def indices_of(op: Vector) -> tuple[Index, ...]:
    """What moves an operation's accesses, equal indices once: their numbers are read once."""
    accesses = (op.dst, *(s for s in op.srcs if isinstance(s, Access)))
    return tuple(dict.fromkeys(index for access in accesses for index in access.indices))


def all_buffers(body: Iterable[Instruction]) -> set[str]:
    """Names of all buffers that a text touches."""
    return {access.buffer for op in all_instructions(body) for access in accesses(op)}


def _buffers_by_phase(body: Iterable[Instruction]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    phase = ""
    for instruction in all_instructions(body):
        if isinstance(instruction, Phase):
            phase = instruction.name
        found.setdefault(phase, set()).update(access.buffer for access in accesses(instruction))
    return found
