"""Writes a program of the image as symbols and functions of the executable stage."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .....dialects.host import ir
from .....dialects.wse import build
from .....wse_target.footprint import program_tables, text_bytes
from .....wse_target.image import HostTransfer, Program, TensorSpec
from .....wse_target.instructions import Source
from .body import Shared, memref_type, write_function, write_numbers
from .expressions import MapSymbols
from .routines import Outline
from .shared_text import SharedText


def write_program(
    program: Program,
    machine: str,
    *,
    origin: tuple[int, int] = (0, 0),
    locations: Mapping[Source, ir.Location] | None = None,
    long_text: float = math.inf,
) -> Any:
    """Writes `program` at the current insertion point, at a module's top level; returns the `wse.program`.

    Offsets of buffers and numbers of colours may be -1, for what is not decided yet.

    Args:
        machine: name or path of the machine file.
        origin: the first PE on the machine.
        locations: what is on record for sources of instructions.
        long_text: bytes of a class's text from which on its routines are marked, see `shared_text`.

    Raises:
        CompilerError: an expression is not quasi-affine, or tables of one name differ.
    """
    shared = Shared(program.buffers, locations or {})
    inputs, outputs = _specs(program.arguments), _specs(program.results)
    written = build.program(program.name, machine, program.grid, inputs, outputs, origin=origin)
    for what, tensors in (("input", program.arguments), ("output", program.results)):
        if any(t.host_shape for t in tensors):
            shapes = [build.i64_array(t.host_shape) for t in tensors]
            written.attributes[f"wse.host_{what}_shapes"] = ir.ArrayAttr.get(shapes)
    for name, buffer in program.buffers.items():
        build.buffer(name, memref_type(buffer), offset=buffer.offset)
    for name, values in program_tables(program).items():
        build.table(name, values)
    for scalar in program.scalars:
        build.scalar_input(scalar.name, scalar.argument, scalar.least, scalar.most)
    for name, number in program.colours.items():
        queues = program.queues.get(name, (-1, -1))
        build.colour(name, id=number, position=program.positions.get(name, 0), queues=queues)
        for route in program.routes:
            if route.colour == name:
                build.route(name, route.where, route.receive, route.send, position=route.position)
    for kind, transfers in (("scatter", program.scatters), ("gather", program.gathers)):
        for position, transfer in enumerate(transfers):
            with shared.location(transfer.source):
                _write_transfer(program, f"{kind}_{position}", transfer)
    shared_text = SharedText(program.buffers)
    is_long = any(text_bytes(pes.body) >= long_text for pes in program.classes)
    outline = Outline.of([shared_text.marked(pes.body) if is_long else pes.body for pes in program.classes])
    for routine in outline.routines:
        write_function(routine.name, routine.body, shared, routine.variables)
    for pes, text in zip(program.classes, outline.texts, strict=True):
        body = f"main_{pes.name}"
        write_function(body, text, shared)
        symbol = build.pe_class(pes.name, pes.where, body)
        if pes.name in program.code_bytes:
            symbol.attributes["wse.code_bytes"] = build.i64(program.code_bytes[pes.name])
    return written


def program_module(program: Program, machine: str) -> ir.Module:
    """A module that holds the program; needs a current context."""
    with ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            write_program(program, machine)
    return module


def _specs(tensors: tuple[TensorSpec, ...]) -> list[tuple[str, ir.Type]]:
    return [(t.name, ir.RankedTensorType.get(list(t.shape), ir.Type.parse(t.dtype))) for t in tensors]


def _write_transfer(program: Program, name: str, transfer: HostTransfer) -> None:
    """A host transfer, and a function `<name>_place` for numbers that no affine map gives."""
    symbols = MapSymbols()
    bounds = [symbols.bound(bound) for bound in transfer.bounds]
    origin = [symbols.bound(start) for start in transfer.origin]
    access = symbols.index(transfer.access, program.buffers[transfer.access.buffer].shape)
    further = symbols.atoms[2:]
    if further:
        write_numbers(f"{name}_place", further)
    maps = build.TransferMaps(
        [symbols.map(b) for b in bounds],
        [symbols.map(o) for o in origin],
        symbols.map(access, len(bounds)),
        f"{name}_place" if further else "",
    )
    make = build.host_scatter if name.startswith("scatter") else build.host_gather
    make(transfer.tensor, transfer.access.buffer, transfer.where, maps, resident=transfer.resident)
