"""Checks of a program against a machine, before anything runs."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from ..errors import TargetError
from ..footprint import class_table_bytes, lookups
from ..image import PEClass, Program, StridedRect
from ..instructions import (
    DTYPE_BYTES,
    MAIN_THREAD,
    Access,
    Choose,
    Control,
    Instruction,
    Join,
    Loop,
    Receive,
    Relay,
    Send,
    Switch,
    Transfer,
    Unit,
    Vector,
    all_instructions,
    buffer_bytes,
)
from ..kinds import ARITY
from ..machine import Machine
from ..quasi_affine import Lookup
from ..scalars import SCALAR_BYTES, check_scalars
from .check_fabric import by_colour, check_colours, check_lookups, check_positions, check_queues, check_switch
from .report import SramUse

UNITS: tuple[str, ...] = get_args(Unit)
INDEX_TYPES = frozenset({"i8", "i16", "i32", "i64"})


def check_program(program: Program, machine: Machine) -> None:
    """Raises `TargetError` when a program cannot run on a machine: grid, memory, colours, classes, names."""
    _check_grid(program, machine)
    _check_buffers(program)
    _check_sram(program, machine)
    check_scalars(program)
    check_colours(program, machine)
    for route in program.routes:
        _check_inside(program, route.where, f"a route of colour '{route.colour}'")
    check_queues(program, machine)
    switches = (op for c in program.classes for op in all_instructions(c.body) if isinstance(op, Switch))
    check_positions(program, machine, by_colour(switches))
    _check_classes(program)
    for pe_class in program.classes:
        for instruction in all_instructions(pe_class.body):
            _check_instruction(program, machine, instruction)
        for instruction in pe_class.body:  # in loops, only PEs that have trips execute what is there
            if isinstance(instruction, Switch):
                check_switch(pe_class, instruction, machine)
            check_lookups(pe_class.where, *_own(instruction))
    for transfer in (*program.scatters, *program.gathers):
        _check_access(program, transfer.access, len(transfer.bounds), transfer.source.place)
        _check_unmoved(transfer.access, "a host transfer", transfer.source.place)
        _check_inside(program, transfer.where, "a host transfer")
        check_lookups(transfer.where, transfer, transfer.source.place)


def place_of(program: Program, lookup: Lookup) -> str:
    """Where in the user's model a table is looked up; where that is not known, on which class of PEs."""
    for pe_class in program.classes:
        for op in all_instructions(pe_class.body):
            item, place = _own(op)
            if lookup in lookups(item):
                return place or f"class '{pe_class.name}'"
    return ""


def _own(op: Instruction) -> tuple[Any, str]:
    """What an instruction evaluates itself, what is inside of it left out, and where it comes from."""
    if isinstance(op, Loop):
        return op.trips, ""
    return (op.selector, "") if isinstance(op, Choose) else (op, op.source.place)


def sram_use(program: Program, machine: Machine) -> SramUse:
    """Bytes that the fullest PE needs; tables count as code, for both are a class's own, and so do scalars."""
    tables = class_table_bytes(program)
    code = max((program.code_bytes.get(name, 0) + size for name, size in tables.items()), default=0)
    code += SCALAR_BYTES * len(program.scalars)
    buffers = program.sram_bytes()
    total = buffers + code + machine.sram.runtime
    return SramUse(buffers, code, machine.sram.runtime, total, machine.sram.bytes)


def _check_grid(program: Program, machine: Machine) -> None:
    (width, height), (most_x, most_y) = program.grid, machine.grid
    if width < 1 or height < 1:
        raise TargetError(f"program '{program.name}' has no PEs: its grid is {width}x{height}")
    if width > most_x or height > most_y:
        raise TargetError(
            f"program '{program.name}' needs {width}x{height} PEs, {machine.name} gives {most_x}x{most_y} to a program",
            hint="compile for a smaller grid or a larger machine",
        )


def _check_buffers(program: Program) -> None:
    for name, buffer in program.buffers.items():
        if buffer.offset < 0 or buffer.offset % DTYPE_BYTES[buffer.dtype]:
            raise TargetError(
                f"buffer '{name}' of {buffer.dtype} is at byte {buffer.offset}, "
                f"which is not a multiple of {DTYPE_BYTES[buffer.dtype]}",
                hint="align buffers to their element type",
            )


def _check_sram(program: Program, machine: Machine) -> None:
    use = sram_use(program, machine)
    if use.high_water <= use.capacity:
        return
    largest = sorted(program.buffers.values(), key=buffer_bytes, reverse=True)[:5]
    tables = max(class_table_bytes(program).values(), default=0)
    held = (f"the code holds {tables} bytes of tables",) if tables else ()
    raise TargetError(
        f"{use.buffers} (buffers) + {use.code} (code) + {use.runtime} (host-transfer runtime) = {use.high_water} bytes "
        f"> {use.capacity} bytes of SRAM on a PE of {machine.name}",
        notes=(*(f"buffer '{b.name}': {buffer_bytes(b)} bytes at {b.offset}" for b in largest), *held),
        hint="use more PEs, smaller tiles or batches, f16 in place of f32, or stream from off the wafer",
    )


def _check_inside(program: Program, where: StridedRect, what: str) -> None:
    for start, extent, step, size in zip(where.base, where.extent, where.step, program.grid, strict=True):
        if extent < 0 or step < 1 or (extent > 0 and not 0 <= start <= start + step * (extent - 1) < size):
            raise TargetError(f"{what} reaches outside of the program's grid: {where}")


def _check_classes(program: Program) -> None:
    width, height = program.grid
    owner = np.full((height, width), -1)
    for index, pe_class in enumerate(program.classes):
        _check_inside(program, pe_class.where, f"class '{pe_class.name}'")
        (bx, by), (w, h), (sx, sy) = pe_class.where.base, pe_class.where.extent, pe_class.where.step
        block = owner[by : by + sy * h : sy, bx : bx + sx * w : sx]
        if (block >= 0).any():
            row, column = np.argwhere(block >= 0)[0]
            other: PEClass = program.classes[int(block[row, column])]
            raise TargetError(
                f"PE ({bx + sx * int(column)}, {by + sy * int(row)}) belongs to two classes, "
                f"'{other.name}' and '{pe_class.name}'"
            )
        block[:] = index
    for transfer in (*program.scatters, *program.gathers):
        (bx, by), (w, h), (sx, sy) = transfer.where.base, transfer.where.extent, transfer.where.step
        if (owner[by : by + sy * h : sy, bx : bx + sx * w : sx] < 0).any():
            raise TargetError(f"a host transfer reaches PEs that have no program: {transfer.where}")


def _check_instruction(program: Program, machine: Machine, op: Instruction) -> None:
    where = op.source.place if not isinstance(op, (Loop, Choose)) else ""
    if isinstance(op, Vector):
        if op.kind not in ARITY or len(op.srcs) != ARITY[op.kind]:
            expected = f"{ARITY[op.kind]} sources" if op.kind in ARITY else "a known kind"
            raise TargetError(
                f"vector '{op.kind}' with {len(op.srcs)} sources, expected {expected}", where=where
            )
        for access in (op.dst, *op.srcs):
            if isinstance(access, Access):
                _check_access(program, access, len(op.bounds), where)
                _check_indices(program, access, len(op.bounds), where)
    elif isinstance(op, (Send, Receive, Relay)):
        for colour in (op.receive, op.send) if isinstance(op, Relay) else (op.colour,):
            if colour not in program.colours:
                raise TargetError(
                    f"a transfer is of colour '{colour}', which the program does not declare", where=where
                )
        for access in _transfer_accesses(op):
            _check_access(program, access, len(op.bounds), where)
            _check_unmoved(access, "a transfer", where)
        _check_thread(machine, op.thread, where)
    elif isinstance(op, Join):
        for thread in op.threads:
            if thread == MAIN_THREAD:
                raise TargetError("the main thread cannot join itself", where=where)
            _check_thread(machine, thread, where)
    elif isinstance(op, Control) and op.unit not in UNITS:
        raise TargetError(f"there is no unit '{op.unit}'; there are {', '.join(UNITS)}", where=where)


def _transfer_accesses(op: Transfer) -> tuple[Access, ...]:
    found = (op.src,) if isinstance(op, Send) else (op.dst,) if isinstance(op, Receive) else (op.own, op.dst)
    return tuple(access for access in found if access is not None)


def _check_access(program: Program, access: Access, loops: int, where: str) -> None:
    if access.buffer not in program.buffers:
        raise TargetError(f"there is no buffer '{access.buffer}'", where=where)
    if len(access.strides) != loops:
        raise TargetError(
            f"an access to '{access.buffer}' has {len(access.strides)} strides for {loops} loops", where=where
        )


def _check_indices(program: Program, access: Access, loops: int, where: str) -> None:
    """What moves an access: walks over integers that nothing moves, by a step forward."""
    for index in access.indices:
        name = index.numbers.buffer
        _check_access(program, index.numbers, loops, where)
        _check_unmoved(index.numbers, "a walk over indices", where)
        dtype = program.buffers[name].dtype
        if dtype not in INDEX_TYPES:
            raise TargetError(
                f"'{access.buffer}' is moved by '{name}' of {dtype}, not by integers", where=where
            )
        if index.stride < 1:
            raise TargetError(
                f"positions of '{access.buffer}' are {index.stride} elements apart, expected 1 and up",
                where=where,
            )


def _check_unmoved(access: Access, what: str, where: str) -> None:
    if access.indices:
        raise TargetError(
            f"{what} reaches '{access.buffer}' by indices, which vector operations alone do",
            where=where,
            hint="gather into a buffer first",
        )


def _check_thread(machine: Machine, thread: int, where: str) -> None:
    if not 0 <= thread <= machine.queues.microthreads:
        raise TargetError(
            f"microthread {thread} does not exist: a PE of {machine.name} has {machine.queues.microthreads}",
            where=where,
        )
