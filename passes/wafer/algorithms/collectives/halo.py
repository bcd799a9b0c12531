"""Halo exchange: the indices next to a PE's block, from its neighbours along a line.

Four transfers, all at once: the block's last indices go to the next PE, its first ones to the one before.
"""

from __future__ import annotations

from dataclasses import replace

from .....wse_target.instructions import Instruction, Join, Receive, Send, Vector
from .....wse_target.quasi_affine import Expr, const, maximum, minimum
from ..algorithm import Algorithm, register
from ..fragment import Fragment, HaloRequest, TileWalk, sequence
from .costs import Costs, tile_words
from .line_program import LineProgram
from .ring import substitute
from .wires import colour_edges


class _Slabs:
    """Walks over the indices at both ends of a PE's block, inside and outside of it."""

    def __init__(self, request: HaloRequest) -> None:
        self.request, self.tile = request, request.tile
        self.own = maximum(0, self.tile.bounds[request.loop])
        self.stride = self.tile.access.strides[request.loop]

    def slab(self, start: Expr | int, length: Expr | int) -> TileWalk:
        """Indices of the split loop from `start` on, counted from the block's first."""
        access, bounds = self.tile.access, list(self.tile.bounds)
        first = start if isinstance(start, Expr) else const(start)
        offset = access.offset + first * self.stride
        bounds[self.request.loop] = length if isinstance(length, Expr) else const(length)
        return TileWalk(replace(access, offset=offset), tuple(bounds), self.tile.dtype)

    def extent_at(self, step: int) -> Expr:
        """Indices of the block of the PE `step` positions further on."""
        line = self.request.line
        return substitute(self.own, {line.axis: line.coordinate(line.position + step)})

    def wanted(self, width: int, holder: Expr) -> Expr:
        """`width` where a PE holds anything, else 0."""
        return minimum(1, holder) * width


def build(request: HaloRequest) -> Fragment:
    """The `low` indices before and the `high` indices after each PE's block, in place around its tile.

    A block shorter than `high` (the last one that is not empty) gives what it has; the rest is beyond the end.
    """
    program, extent, slabs = LineProgram(request.line, request.prefix), request.line.extent, _Slabs(request)
    up = [(p, p + 1) for p in range(extent - 1)] if request.low else []
    down = [(p + 1, p) for p in range(extent - 1)] if request.high else []
    colour: dict[tuple[int, int], str] = {}
    for edge, number in zip(up + down, colour_edges(up + down), strict=True):
        colour[edge] = program.name(f"halo{number}")
        program.wires.connect(colour[edge], *edge)
    for p in range(extent):
        for rank, op in enumerate(_transfers(request, slabs, colour, p)):
            program.add(p, rank, op)
        for rank, slab in enumerate(_beyond(request, slabs, p)):
            program.add(p, 10 + rank, Vector("fill", slab.bounds, slab.access, (request.outside,)))
    return program.fragment()


def _transfers(
    request: HaloRequest, slabs: _Slabs, colour: dict[tuple[int, int], str], p: int
) -> list[Instruction]:
    """What the PE at a position sends and takes."""
    low, high, own = request.low, request.high, slabs.own
    threads: list[tuple[type[Send] | type[Receive], tuple[int, int], TileWalk]] = [
        (Send, (p, p + 1), slabs.slab(own - low, slabs.wanted(low, slabs.extent_at(1)))),
        (Send, (p, p - 1), slabs.slab(0, minimum(high, own))),
        (Receive, (p - 1, p), slabs.slab(-low, slabs.wanted(low, own))),
        (Receive, (p + 1, p), slabs.slab(own, minimum(high, slabs.extent_at(1)))),
    ]
    body: list[Instruction] = []
    for thread, (kind, edge, slab) in enumerate(threads, start=1):
        if edge in colour:
            body.append(kind(colour[edge], slab.bounds, slab.access, thread=thread))
    if body:
        body.append(Join(tuple(op.thread for op in body if isinstance(op, (Send, Receive)))))
    return body


def _beyond(request: HaloRequest, slabs: _Slabs, p: int) -> list[TileWalk]:
    """Slabs of a position's halo that lie beyond the ends of the tensor."""
    found = []
    if p == 0 and request.low:
        found.append(slabs.slab(-request.low, slabs.wanted(request.low, slabs.own)))
    if request.high:
        there = const(0)
        if p < request.line.extent - 1:
            there = minimum(request.high, slabs.extent_at(1))
        rest = minimum(const(request.high) - there, slabs.wanted(request.high, slabs.own))
        found.append(slabs.slab(slabs.own + there, rest))
    return found


def both_axes(first: HaloRequest, second: HaloRequest) -> Fragment:
    """Along two axes, corners included: the second exchange carries what the first one brought.

    Both requests are for the same tile; their prefixes differ.
    """
    tile, loop = second.tile, first.loop
    start = tile.access.offset - const(first.low * tile.access.strides[loop])
    own = maximum(0, tile.bounds[loop])
    widened = own + minimum(1, own) * (first.low + first.high)
    bounds = tuple(widened if i == loop else b for i, b in enumerate(tile.bounds))
    wide = replace(second, tile=TileWalk(replace(tile.access, offset=start), bounds, tile.dtype))
    return sequence([build(first), build(wide)], first.line.grid)


def cycles(request: HaloRequest) -> float:
    """Two transfers each way at once, of slabs of the tile."""
    costs, slabs = Costs.of(request.machine, request.tile.dtype), _Slabs(request)
    grid = request.line.grid
    words = [tile_words(slabs.slab(0, width), grid) for width in (request.low, request.high)]
    if request.line.extent == 1 or not sum(words):
        return 0.0
    launches = 4 * costs.launch + 2 * sum(words) * costs.microthread_word
    return launches + costs.setup + costs.way(1) + sum(words) * costs.pace + costs.join


def refuses(request: HaloRequest) -> str:
    """Why a halo cannot come from next neighbours alone."""
    extent, axis = request.line.extent, request.line.axis
    other = 0
    sizes = [
        int(request.tile.bounds[request.loop].evaluate({axis: p, "y" if axis == "x" else "x": other}))
        for p in range(extent)
    ]
    held = [size for size in sizes if size > 0]
    short = min(held[:-1], default=max(request.low, request.high))
    if short >= max(request.low, request.high):
        return ""
    return f"blocks of {short} indices are shorter than the halo of {max(request.low, request.high)}"


NEIGHBOURS = register(
    Algorithm("neighbours", "halo_exchange", "both neighbours at once", build, cycles, refuses)
)
