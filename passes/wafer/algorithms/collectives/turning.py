"""Multicasts whose root is not the same on all lines, or not for ever: every PE turns its router towards it."""

from __future__ import annotations

from dataclasses import dataclass

from .....wse_target.image import Route
from .....wse_target.instructions import (
    Direction,
    Dtype,
    Instruction,
    Join,
    Loop,
    Receive,
    Send,
    Switch,
    Vector,
)
from .....wse_target.machine import Machine
from .....wse_target.quasi_affine import Expr, Var, const, maximum, minimum
from ..fragment import Fragment, Line, RectangleText, TileWalk
from .costs import Costs, largest
from .line_program import at_least_one_loop, limited

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


@dataclass(frozen=True)
class Turning:
    """What the PEs of a line send to all others, one after the other.

    Attributes:
        root: position of the PE that sends, as an expression in the coordinate across the lines and in `number`.
        own: what it sends; target: where that is on all of them, the root included. Bounds are alike on a line.
        rounds: how many PEs send; `number`: the loop's variable, if it is more than one.
    """

    root: Expr
    own: TileWalk
    target: TileWalk
    rounds: int = 1
    number: Var | None = None


def build(line: Line, turning: Turning, machine: Machine, prefix: str) -> Fragment:
    """The tiles of each line's roots on all PEs of the line; lines may differ in which positions these have."""
    own, target, root = at_least_one_loop(turning.own), at_least_one_loop(turning.target), turning.root
    at = line.position
    multicast = Multicast(f"{prefix}turned", line)
    first = (turning.number.name,) if turning.number else ()
    most = max(1, largest(target.bounds[:1], line.grid, first))  # in the first round; later ones have no more
    here = _only(own, most, at - root + 1, root - at + 1)  # both are positive on the root
    body: tuple[Instruction, ...] = (Vector("copy", here, target.access, (own.access,)),)
    if line.extent > 1:
        body = (
            multicast.switch(root, rewrite=not switches(machine)),
            Send(multicast.colour, here, own.access, thread=1),
            *body,
            Receive(multicast.colour, _only(target, most, maximum(at - root, root - at)), target.access),
            Join((1,)),
        )
    if turning.number:
        body = (Loop(turning.number.name, const(turning.rounds), body),)
    routes = multicast.routes()
    parts = tuple(RectangleText(where, body) for where in line.where(range(line.extent)))
    positions = {multicast.colour: FROM_LOW} if routes else {}
    return Fragment(parts, (), tuple(positions), routes, positions)


def _only(tile: TileWalk, most: int, *flags: Expr) -> tuple[Expr, ...]:
    first, *rest = tile.bounds
    return (limited(first, most, *flags), *rest)


def switches(machine: Machine) -> bool:
    """Whether a router has a switch position for each of the settings."""
    return machine.fabric.switch_positions > ROOT


def cycles(line: Line, words: int, dtype: Dtype, machine: Machine, rounds: int = 1) -> float:
    """Turns of the routers, and broadcasts over the whole line, which the next one's root only waits for to pass it.

    Args:
        words: of the largest tile that is sent.
    """
    costs, fabric = Costs.of(machine, dtype), machine.fabric
    turn = fabric.switch if switches(machine) else fabric.route_rewrite
    launch = costs.launch + words * costs.microthread_word
    once = turn + launch + costs.setup + words * costs.pace
    loop = rounds * machine.control.loop if rounds > 1 else 0
    return rounds * once + (rounds - 1) * costs.way(1) + costs.way(line.extent - 1) + costs.join + loop
