"""Multicasts whose root is not the same on all lines, or not for ever: every PE turns its router towards it."""

from __future__ import annotations

from dataclasses import dataclass

from .....wse_target.image import Route
from .....wse_target.instructions import Direction, Instruction, Join, Receive, Send, Switch, Vector
from .....wse_target.machine import Machine
from .....wse_target.quasi_affine import Expr, maximum, minimum
from ..fragment import Fragment, Line, RectangleText, TileWalk
from .costs import Costs, tile_words
from .line_program import at_least_one_loop, only

# Settings of a router: words come from smaller positions, larger ones, the core.
FROM_LOW, FROM_HIGH, ROOT = 0, 1, 2


@dataclass(frozen=True)
class Multicast:
    """A colour on every line along an axis, whose root every PE turns its router to."""

    colour: str
    line: Line

    def routes(self) -> tuple[Route, ...]:
        """The three settings; lines end at the grid's edges."""
        line, last = self.line, self.line.extent - 1
        if last == 0:
            return ()
        low, high = line.towards_low, line.towards_high
        return (
            *self._routes(1, last - 1, FROM_LOW, low, (high, "ramp")),
            *self._routes(last, 1, FROM_LOW, low, ("ramp",)),
            *self._routes(1, last - 1, FROM_HIGH, high, (low, "ramp")),
            *self._routes(0, 1, FROM_HIGH, high, ("ramp",)),
            *self._routes(1, last - 1, ROOT, "ramp", (low, high)),
            *self._routes(0, 1, ROOT, "ramp", (high,)),
            *self._routes(last, 1, ROOT, "ramp", (low,)),
        )

    def _routes(
        self, base: int, count: int, position: int, source: Direction, to: tuple[Direction, ...]
    ) -> tuple[Route, ...]:
        places = self.line.where(range(base, base + count))
        return tuple(Route(self.colour, where, source, to, position) for where in places)

    def switch(self, root: Expr, rewrite: bool) -> Switch:
        """Turns the PE's router towards a root."""
        beyond = root - self.line.position  # positive on the PEs before the root
        reached, before = minimum(1, maximum(beyond + 1, 0)), minimum(1, maximum(beyond, 0))
        return Switch(self.colour, reached * ROOT - before, rewrite)


def build(line: Line, root: Expr, own: TileWalk, target: TileWalk, machine: Machine, prefix: str) -> Fragment:
    """The tile of each line's root on all PEs of the line; which position the root has may differ from line to line.

    Args:
        root: as an expression in the coordinate across the lines.
    """
    own, target = at_least_one_loop(own), at_least_one_loop(target)
    at, grid = line.position, line.grid
    multicast = Multicast(f"{prefix}turned", line)
    here = (at - root + 1, root - at + 1)  # both are positive on the root
    body: list[Instruction] = [Vector("copy", only(own, grid, *here), target.access, (own.access,))]
    if line.extent > 1:
        body = [
            multicast.switch(root, rewrite=not switches(machine)),
            Send(multicast.colour, only(own, grid, *here), own.access, thread=1),
            *body,
            Receive(multicast.colour, only(target, grid, maximum(at - root, root - at)), target.access),
            Join((1,)),
        ]
    routes = multicast.routes()
    parts = tuple(RectangleText(where, tuple(body)) for where in line.where(range(line.extent)))
    positions = {multicast.colour: FROM_LOW} if routes else {}
    return Fragment(parts, (), tuple(positions), routes, positions)


def switches(machine: Machine) -> bool:
    """Whether a router has a switch position for each of the settings."""
    return machine.fabric.switch_positions > ROOT


def cycles(line: Line, own: TileWalk, machine: Machine) -> float:
    """A turn of the routers, and a broadcast over the whole line."""
    costs, fabric = Costs.of(machine, own.dtype), machine.fabric
    turn = fabric.switch if switches(machine) else fabric.route_rewrite
    words = tile_words(own, line.grid)
    launch = costs.launch + words * costs.microthread_word
    return turn + launch + costs.setup + costs.way(line.extent - 1) + words * costs.pace + costs.join
