"""What instructions have in common that differ in descriptors alone: which tensor, where, how many, in which colour.

A routine loads such descriptors from a record that its caller names, as other text loads those written into it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from .....wse_target.quasi_affine import Const, Expr, const

DESCRIPTOR_BYTES = 8  # see `wse_target.footprint.INSTRUCTION_BYTES`
_PLACE = frozenset("xy")

TextShape = tuple[Any, ...]
BoundExprs = tuple[Expr, ...]
_Steps = tuple[Expr, list[int]]  # trips of a loop, and how far each walk goes in one


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
                return ("vector", kind, schedule, *self._walks((dst, *srcs), bounds))
            case Send(colour, bounds, src, thread, _, packed):
                return ("send", thread, packed, *self._walks((src,), bounds, colour))
            case Receive(colour, bounds, dst, combine, thread):
                return ("receive", thread, combine, *self._walks((dst,), bounds, colour))
            case Relay(receive, send, bounds, own, combine, dst, thread):
                return ("relay", thread, combine, *self._walks((own, dst), bounds, receive, send))
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

    def _walks(self, items: Sequence[Any], bounds: BoundExprs, *colours: str) -> list[TextShape]:
        """Walks among some items, the others as they are, and wires of as many words."""
        merged, accesses = merged_loops(bounds, [item for item in items if isinstance(item, Access)])
        walks = iter(accesses)
        found = [self._walk(next(walks), merged) if isinstance(item, Access) else item for item in items]
        return found + [self._wire(colour, merged) for colour in colours]

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


def merged_loops(bounds: BoundExprs, walks: Sequence[Access]) -> tuple[BoundExprs, Sequence[Access]]:
    """Loops as descriptors have them: neighbours that all walks go through as one are one, those of one trip none."""
    if any(walk.indices for walk in walks):
        return bounds, walks
    loops: list[_Steps] = []
    for place, bound in enumerate(bounds):
        if bound == const(1):
            continue
        loops.append((bound, [walk.strides[place] for walk in walks]))
        while len(loops) > 1 and (joined := _joined(*loops[-2:])) is not None:
            loops[-2:] = [joined]
    strides = zip(*(steps for _, steps in loops), strict=True) if loops else [()] * len(walks)
    return tuple(b for b, _ in loops), [replace(w, strides=s) for w, s in zip(walks, strides, strict=True)]


def _joined(outer: _Steps, inner: _Steps) -> _Steps | None:
    """Two loops as one, where a trip of the outer one goes as far as all of the inner one."""
    trips = inner[0]
    if not isinstance(trips, Const):
        return None
    ends = (far == near * trips.value for far, near in zip(outer[1], inner[1], strict=True))
    return (outer[0] * trips.value, inner[1]) if all(ends) else None
