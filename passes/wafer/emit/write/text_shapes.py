"""What instructions have in common that differ in descriptors alone: which tensor, where, how many, in which colour.

A routine loads such descriptors from a record that its caller names, as other text loads those written into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .....wse_target.instructions import (
    Access,
    Buffer,
    Choose,
    Control,
    Instruction,
    Join,
    Loop,
    Phase,
    Receive,
    Relay,
    Send,
    Switch,
    Vector,
)
from .....wse_target.quasi_affine import Expr

DESCRIPTOR_BYTES = 8  # see `wse_target.footprint.INSTRUCTION_BYTES`
_PLACE = frozenset("xy")

TextShape = tuple[Any, ...]
BoundExprs = tuple[Expr, ...]


@dataclass(frozen=True)
class Shaped:
    """An instruction as what it does and what with.

    Attributes:
        shape: equal for instructions that one text may stand for.
        descriptors: in the order of the shape's gaps; what a loop decides is part of the shape.
    """

    shape: TextShape
    descriptors: tuple[Any, ...]


def shaped(op: Instruction, buffers: Mapping[str, Buffer]) -> Shaped:
    """Tells an instruction's shape from its descriptors."""
    gaps: list[Any] = []
    return Shaped(_Shapes(buffers, gaps).of(op), tuple(gaps))


@dataclass(frozen=True)
class _Shapes:
    buffers: Mapping[str, Buffer]
    gaps: list[Any]

    def of(self, op: Instruction) -> TextShape:
        match op:
            case Vector(kind, bounds, dst, srcs, _, schedule):
                walks = [self._walk(a, bounds) if isinstance(a, Access) else a for a in (dst, *srcs)]
                return ("vector", kind, schedule, *walks)
            case Send(colour, bounds, src, thread, _, packed):
                return ("send", thread, packed, self._walk(src, bounds), self._wire(colour, bounds))
            case Receive(colour, bounds, dst, combine, thread):
                return ("receive", thread, combine, self._walk(dst, bounds), self._wire(colour, bounds))
            case Relay(receive, send, bounds, own, combine, dst, thread):
                walks = [self._walk(a, bounds) if a is not None else None for a in (own, dst)]
                wires = [self._wire(colour, bounds) for colour in (receive, send)]
                return ("relay", thread, combine, *walks, *wires)
            case Switch(colour, position, rewrite):
                return ("switch", rewrite, self._gap(("switch",), (colour, position), position))
            case Control(unit, count):
                return ("control", unit, self._gap(("count",), count, count))
            case Join(threads, _, tasks):
                return ("join", threads, tasks)
            case Phase():
                return ("phase",)
            case Loop(variable, trips, body):
                return ("loop", variable, self._gap(("trips",), trips, trips), *map(self.of, body))
            case Choose(selector, cases):
                inner = [tuple(map(self.of, case)) for case in cases]
                return ("choose", self._gap(("selector",), selector, selector), *inner)

    def _walk(self, access: Access, bounds: BoundExprs) -> TextShape:
        if access.indices:
            return ("walk", access, bounds)
        what = ("walk", self.buffers[access.buffer].dtype, len(bounds))
        return self._gap(what, (access, bounds), access.offset, *bounds)

    def _wire(self, colour: str, bounds: BoundExprs) -> TextShape:
        return self._gap(("wire",), (colour, bounds), *bounds)

    def _gap(self, what: TextShape, descriptor: Any, *numbers: Expr) -> TextShape:
        """A gap for what is known when the program is loaded, the descriptor itself otherwise."""
        if any(number.variables() - _PLACE for number in numbers):
            return (*what, descriptor)
        self.gaps.append(descriptor)
        return what
