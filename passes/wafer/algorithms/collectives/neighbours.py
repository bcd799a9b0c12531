"""Blocks of another width, shifted ones, halos: what a PE lacks comes from those near to it on its line.

What those next to it have comes at once. Tiles of others are passed on from PE to PE, both ways at a time, and every PE
takes its part of what passes by; of the farthest ones only what is wanted travels the last hop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from .....wse_target.instructions import Instruction, Join, Receive, Send, Vector
from .....wse_target.machine import Machine
from .....wse_target.quasi_affine import Expr, const
from .....wse_target.sim.cost import words
from ..fragment import Fragment, Line, Scratch, TileWalk
from ..lines import coordinates
from .costs import Costs
from .distribution import Boxes, IndexRange, overlap
from .line_program import LineProgram, limited


class _Overlaps:
    """What PEs have of what others on their lines want of one dimension."""

    def __init__(self, line: Line, held: IndexRange, wanted: IndexRange) -> None:
        self.line = line
        along = {name for e in (*held, *wanted) for name in e.variables()} | {line.axis}
        width, height = (n if name in along else 1 for name, n in zip("xy", line.grid, strict=True))
        values = coordinates((width, height))
        low, had, first, count = (
            np.broadcast_to(e.evaluate(values), (height, width)) for e in (*held, *wanted)
        )
        # First index and one past the last, of what is held and of what is wanted; lines are columns of the arrays.
        self._ends = [a.T if line.axis == "x" else a for a in (low, low + had, first, first + count)]
        self._position = np.arange(line.along) // line.stride % line.extent
        self._most: dict[int, int] = {}

    def most(self, apart: int) -> int:
        """Most indices that a PE wants of the one that is so many positions before it."""
        if apart not in self._most:
            low, high, first, end = self._ends
            inside = (self._position - apart >= 0) & (self._position - apart < self.line.extent)
            at = np.flatnonzero(inside)
            there = at - apart * self.line.stride
            both = np.minimum(high[there], end[at]) - np.maximum(low[there], first[at])
            self._most[apart] = max(0, int(both.max(initial=0)))
        return self._most[apart]


@lru_cache(maxsize=1 << 12)
def _overlaps(line: Line, held: IndexRange, wanted: IndexRange) -> _Overlaps:
    return _Overlaps(line, held, wanted)


@dataclass(frozen=True)
class Exchange:
    """What PEs get from those up to `reach` positions before and after them.

    Attributes:
        prefix: what names of colours and of buffers for passing tiles begin with.
    """

    line: Line
    source: Boxes
    target: Boxes
    reach: int = 1
    prefix: str = ""

    @cached_property
    def rounds(self) -> dict[int, int]:
        """By direction, 1 or -1, how far something has to go; directions without anything are left out."""
        found: dict[int, int] = {}
        for step in (1, -1):
            far = range(min(self.reach, self.line.extent - 1), 0, -1)
            hops = next((hops for hops in far if self.most_wanted(step * hops)), 0)
            if hops:
                found[step] = hops
        return found

    def most_wanted(self, apart: int) -> int:
        """Most elements that a PE wants of the one that is so many positions before it on its line."""
        pairs = zip(self.source.ranges, self.target.ranges, strict=True)
        return math.prod(_overlaps(self.line, *pair).most(apart) for pair in pairs)

    def passing(self, step: int, hops: int) -> Boxes:
        """The tile of the PE so many hops back, where a PE has it."""
        if not hops:
            return self.source
        there = self.source.at(self.line, self.line.position - hops * step)
        return there.moved_to(self.buffer(step, hops), const(0))

    def buffer(self, step: int, hops: int) -> str:
        """For tiles that came so many hops: one is sent while the next one comes."""
        return f"{self.prefix}{'up' if step > 0 else 'down'}_tile{hops % 2}"

    def wanted(self, step: int, hops: int) -> tuple[TileWalk, TileWalk]:
        """What a PE sends to the next one, and what it takes, of tiles of which that wants no more than that."""
        position, dtype = self.line.position, self.source.dtype
        bounds, out, _ = overlap(self.passing(step, hops - 1), self.target.at(self.line, position + step))
        sent = TileWalk(out, self.inside(bounds, position - (hops - 1) * step), dtype)
        bounds, _, into = overlap(self.source.at(self.line, position - hops * step), self.target)
        return sent, TileWalk(into, self.inside(bounds, position - hops * step), dtype)

    def messages(self, step: int, hops: int) -> tuple[TileWalk, TileWalk]:
        """What a PE sends and takes in a round: of tiles that have come so many hops when it is over."""
        if hops == self.rounds[step]:
            return self.wanted(step, hops)
        position = self.line.position
        out, into = self.passing(step, hops - 1), self.passing(step, hops)
        sent = TileWalk(out.access, self.inside(out.bounds, position - (hops - 1) * step), out.dtype)
        return sent, TileWalk(into.access, self.inside(into.bounds, position - hops * step), into.dtype)

    def taken(self, step: int, hops: int) -> Vector:
        """The copy of what a PE wants of a tile that stopped at it."""
        bounds, out, into = overlap(self.passing(step, hops), self.target)
        return Vector("copy", self.inside(bounds, self.line.position - hops * step), into, (out,))

    @property
    def copies(self) -> list[list[Vector]]:
        """By round, what is copied while words travel: a PE's own part, then tiles that came the round before."""
        bounds, out, into = overlap(self.source, self.target)
        own = Vector("copy", bounds, into, (out,))
        later = [
            [self.taken(step, hops) for step, last in self.rounds.items() if hops < last]
            for hops in range(1, max(self.rounds.values(), default=0))
        ]
        return [[own], *later]

    def inside(self, bounds: tuple[Expr, ...], other: Expr) -> tuple[Expr, ...]:
        """Bounds that are 0 where the PE that a tile comes from is beyond the end of the line."""
        if other == self.line.position:
            return bounds
        first, *rest = bounds
        most = max(1, self.source.sizes[0])
        return (limited(first, most, other + 1, const(self.line.extent) - other), *rest)


def passing_tiles(line: Line, source: Boxes, target: Boxes, reach: int) -> int:
    """Tiles of others that a PE has at a time because they go further."""
    return sum(min(hops, 3) - 1 for hops in Exchange(line, source, target, reach).rounds.values())


def build(line: Line, source: Boxes, target: Boxes, prefix: str, reach: int = 1) -> Fragment:
    """Every PE has its box of the target, each index of which it, or a PE up to `reach` away, has in the source."""
    program, last = LineProgram(line, prefix), line.extent - 1
    exchange = Exchange(line, source, target, reach, prefix)
    for step, hops in exchange.rounds.items():
        program.scratch += [
            Scratch(exchange.buffer(step, n), (source.elements,), source.dtype)
            for n in range(1, min(hops, 3))
        ]
        for position in range(line.extent):
            if 0 <= position + step <= last:
                program.wires.connect(_colour(program, step, position), position, position + step)
    for number, copies in enumerate(exchange.copies):
        moved = {
            step: exchange.messages(step, number + 1)
            for step, hops in exchange.rounds.items()
            if number < hops
        }
        for position in range(line.extent):
            body: list[Instruction] = []
            for place, (step, (sent, taken)) in enumerate(moved.items()):
                if 0 <= position + step <= last:
                    colour = _colour(program, step, position)
                    body.append(Send(colour, sent.bounds, sent.access, thread=1 + place))
                if 0 <= position - step <= last:
                    colour = _colour(program, step, position - step)
                    body.append(Receive(colour, taken.bounds, taken.access, thread=3 + place))
            threads = tuple(op.thread for op in body if isinstance(op, Send | Receive))
            joined = [Join(threads)] if threads else []
            for rank, op in enumerate([*body, *copies, *joined]):
                program.add(position, (number, rank), op)
    return program.fragment()


def _colour(program: LineProgram, step: int, sender: int) -> str:
    return program.name(f"{'up' if step > 0 else 'down'}{sender % 2}")


def cycles(line: Line, source: Boxes, target: Boxes, machine: Machine, reach: int = 1) -> float:
    """By round transfers both ways at once, and copies of what a PE has beside them."""
    costs, exchange = Costs.of(machine, source.dtype), Exchange(line, source, target, reach)
    rate, setup, total = machine.rate("copy", source.dtype), machine.vector.setup, 0.0
    rounds = exchange.rounds
    for hops in range(1, max(rounds.values(), default=0) + 1):
        taken = [0] if hops == 1 else [step * (hops - 1) for step, last in rounds.items() if hops <= last]
        copied = sum(setup + exchange.most_wanted(apart) / rate for apart in taken)
        moved = [
            exchange.most_wanted(step * hops) if hops == last else source.elements
            for step, last in rounds.items()
            if hops <= last
        ]
        counts = [int(words(elements, source.dtype)) for elements in moved]
        launch = (
            costs.launch + counts[0] * costs.microthread_word
        )  # others are done while the first words travel
        total += launch + max(copied, costs.setup + costs.way(1) + sum(counts) * costs.pace) + costs.join
    return total if rounds else setup + exchange.most_wanted(0) / rate
