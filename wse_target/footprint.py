"""SRAM that each phase of a program works on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .image import Access, Instruction, Loop, Phase, Program, Receive, Relay, Send, Vector, buffer_bytes


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


def _buffers_by_phase(body: Iterable[Instruction]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    phase = ""
    for instruction in _flattened(body):
        if isinstance(instruction, Phase):
            phase = instruction.name
        found.setdefault(phase, set()).update(access.buffer for access in _accesses(instruction))
    return found


def _flattened(body: Iterable[Instruction]) -> Iterator[Instruction]:
    for instruction in body:
        if isinstance(instruction, Loop):
            yield from _flattened(instruction.body)
        else:
            yield instruction


def _accesses(instruction: Instruction) -> Iterator[Access]:
    match instruction:
        case Vector(dst=dst, srcs=srcs):
            yield dst
            yield from (s for s in srcs if isinstance(s, Access))
        case Send(src=src):
            yield src
        case Receive(dst=dst):
            yield dst
        case Relay(own=own, dst=dst):
            yield from (access for access in (own, dst) if access is not None)
        case _:
            return
