"""Broadcast along lines: the root's wavelets are multicast to both sides, which the fabric does for nothing."""

from __future__ import annotations

from .....wse_target.instructions import Receive, Send
from ..algorithm import Algorithm, register
from ..fragment import CollectiveRequest, Fragment
from .costs import Costs, tile_words
from .line_program import LineProgram, at_least_one_loop


def build(request: CollectiveRequest) -> Fragment:
    """The root's tile on every PE of its line, in place."""
    program, extent = LineProgram(request.line, request.prefix), request.line.extent
    tile = at_least_one_loop(request.tile)
    if extent == 1:
        return program.fragment()
    colour = program.name("broadcast")
    others = [position for position in range(extent) if position != request.root]
    program.wires.multicast(colour, request.root, others)
    program.add(request.root, 0, Send(colour, tile.bounds, tile.access))
    for position in others:
        program.add(position, 1, Receive(colour, tile.bounds, tile.access))
    return program.fragment()


def cycles(request: CollectiveRequest) -> float:
    """HPDC24, B + P + 2 T_R, with the machine's own latencies and the links to the farther end."""
    if request.line.extent == 1:
        return 0.0
    costs = Costs.of_request(request)
    farthest = max(request.root, request.line.extent - 1 - request.root)
    return costs.setup + costs.way(farthest) + tile_words(request.tile, request.line.grid) * costs.pace


MULTICAST = register(
    Algorithm("multicast", "broadcast", "the root sends once, routers copy to both sides", build, cycles)
)
