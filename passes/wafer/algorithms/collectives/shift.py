"""Shifts along lines: every PE's tile goes to the PE so many positions, or labels of a ring, further on.

Tiles are passed on one neighbour at a time, which uses each link as little as any way does. With wrap a shift by more
than half of the line goes the other way round. On the line the way back is one long connection; on the interleaved
ring no connection is longer than two hops.
"""

from __future__ import annotations

import math

from .....wse_target.instructions import Access, Instruction, Loop, Vector
from .....wse_target.quasi_affine import Expr, Var, const, maximum, minimum
from ..algorithm import Algorithm, register
from ..fragment import CollectiveRequest, Fragment, Scratch, TileWalk
from .costs import Costs, largest, tile_words
from .line_program import LineProgram, at_least_one_loop
from .ring import Ring, contiguous, exchange, tile_at


def ring_and_steps(request: CollectiveRequest) -> tuple[Ring, int]:
    """The ring (or open line) that a shift goes along, and how often tiles are passed on."""
    extent, distance = request.line.extent, request.distance
    interleaved = request.order == "ring"
    if not request.wrap:
        ring = Ring(request.line, interleaved, backwards=distance < 0, closed=False)
        return ring, min(abs(distance), extent)
    ahead = distance % extent
    backwards = ahead > extent - ahead
    return Ring(request.line, interleaved, backwards), extent - ahead if backwards else ahead


class _Steps:
    """What moves in each step: from the tile to the result, by way of the scratch buffer and the result in turns."""

    def __init__(self, request: CollectiveRequest, program: LineProgram) -> None:
        assert request.result is not None
        self.request = request
        self.ring, self.steps = ring_and_steps(request)
        self.own, self.result = at_least_one_loop(request.tile), at_least_one_loop(request.result)
        shape = tuple(largest((b,), request.line.grid) for b in self.own.bounds)
        self.passing = contiguous(program.name("passing"), const(0), shape)
        if self.steps > 1:
            program.scratch.append(Scratch(self.passing.buffer, (math.prod(shape),), self.own.dtype))

    def tile(self, access: Access, steps: Expr) -> TileWalk:
        """The tile that has come so many steps, at an access."""
        origin = self.ring.upstream(steps)
        inside = minimum(maximum(origin, 0), self.ring.extent - 1)
        bounds = tile_at(self.own, self.request.line, self.ring.position(inside)).bounds
        if not self.ring.closed:  # what would have come from beyond the end is not there
            inner = minimum(origin + 1, const(self.ring.extent) - origin)
            present = minimum(1, maximum(0, inner)) * largest(bounds[:1], self.request.line.grid)
            bounds = (minimum(bounds[0], present), *bounds[1:])
        return TileWalk(access, bounds, self.own.dtype)

    def one(self, colours: tuple[str, str], out: Access, into: Access, step: Expr) -> tuple[Instruction, ...]:
        return exchange(colours, self.tile(out, step), self.tile(into, step + 1))

    def body(self, colours: tuple[str, str], variable: str) -> list[Instruction]:
        """All steps of a PE; the last one ends in the result."""
        own, result, passing = self.own.access, self.result.access, self.passing
        first = 1 if self.steps % 2 else 2
        if first == 1:
            start = [*self.one(colours, own, result, const(0))]
        else:
            start = [
                *self.one(colours, own, passing, const(0)),
                *self.one(colours, passing, result, const(1)),
            ]
        step, trips = Var(variable) * 2 + first, (self.steps - first) // 2
        there, back = (
            self.one(colours, result, passing, step),
            self.one(colours, passing, result, step + 1),
        )
        return [*start, Loop(variable, const(trips), (*there, *back))] if trips else start


def build(request: CollectiveRequest) -> Fragment:
    """The result of each position is the tile of the position `distance` before it."""
    program = LineProgram(request.line, request.prefix)
    steps = _Steps(request, program)
    result, own, extent = steps.result, steps.own, request.line.extent
    if steps.steps == 0:
        for position in range(extent):
            program.add(position, 0, Vector("copy", own.bounds, result.access, (own.access,)))
        return program.fragment()
    ring = steps.ring
    colours = ring.wire(program, "shift")
    labels = {p: label for label, p in enumerate(_positions(ring))}
    for position in range(extent):
        if extent > 1:
            for rank, op in enumerate(steps.body(colours[position], program.name("step"))):
                program.add(position, rank, op)
        label = extent - 1 - labels[position] if ring.backwards else labels[position]
        if not ring.closed and label < steps.steps:
            program.add(position, 1 << 20, Vector("fill", result.bounds, result.access, (0.0,)))
    return program.fragment()


def _positions(ring: Ring) -> list[int]:
    return [int(ring.position(const(label)).evaluate({})) for label in range(ring.extent)]


def cycles(request: CollectiveRequest) -> float:
    """As many exchanges as the tiles are passed on."""
    ring, steps = ring_and_steps(request)
    words = tile_words(request.tile, request.line.grid)
    if steps == 0:
        return request.machine.vector.setup + words
    return steps * ring.step_cycles(words, Costs.of(request.machine, request.tile.dtype))


def refuses(request: CollectiveRequest) -> str:
    """Why a shift cannot be done."""
    return "" if request.result is not None else "a shift needs a result tile other than its own"


NEIGHBOURS = register(
    Algorithm(
        "neighbours", "shift", "tiles are passed on from neighbour to neighbour", build, cycles, refuses
    )
)
