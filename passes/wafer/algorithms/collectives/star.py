"""Reduce by a star: every PE sends its tile to the root, which adds them one after the other.

A router takes a colour from one direction, so it needs a setting for its own PE's words and one for those that pass.
The PEs of a side take turns on a few colours: the k-th user of a colour sends in the colour's epoch k, and every user
switches its router from its own words to passing ones when its last word is through, so that messages of one colour
stay apart though the root never switches. Order: the root's own tile, the high side from the nearest on, the low side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from .....wse_target.image import Route
from .....wse_target.instructions import Control, Direction, Instruction, Loop, Receive, Send, Switch
from .....wse_target.quasi_affine import Expr, const
from ..algorithm import Algorithm, register
from ..fragment import CollectiveRequest, Fragment
from .costs import Costs, tile_words
from .line_program import LineProgram, at_least_one_loop

OWN, PASSING = 0, 1  # positions of a colour's switch
MOST_COLOURS = 8  # of each side


def colours_of(request: CollectiveRequest, colours: int = 0) -> int:
    """Colours of each side: if the request leaves it open, as many as keep the root busy while routers switch."""
    longest = max(1, request.root, request.line.extent - 1 - request.root)
    if colours:
        return min(colours, longest)
    costs, machine = Costs.of_request(request), request.machine
    one = costs.setup + max(1, tile_words(request.tile, request.line.grid)) * costs.combine
    return max(1, min(math.ceil((machine.fabric.switch + machine.control.loop) / one), longest, MOST_COLOURS))


class _Side:
    """The PEs on one side of the root, by distance from it."""

    def __init__(self, request: CollectiveRequest, program: LineProgram, sign: int, shared: int) -> None:
        line, root = request.line, request.root
        self.request, self.sign = request, sign
        self.tile = at_least_one_loop(request.tile)
        self.reach = line.extent - 1 - root if sign > 0 else root
        letter = "high" if sign > 0 else "low"
        self.colours = [program.name(f"{letter}{n}") for n in range(min(shared, self.reach))]
        self.inwards: Direction = line.towards_low if sign > 0 else line.towards_high  # type: ignore[assignment]
        self.outwards: Direction = line.towards_high if sign > 0 else line.towards_low  # type: ignore[assignment]

    def users(self, number: int) -> range:
        """Distances of the PEs that send on a colour."""
        return range(number + 1, self.reach + 1, len(self.colours))

    def body(self, number: int, variable: str) -> tuple[Instruction, ...]:
        """What a colour's users do; those behind others let the earlier epochs pass first."""
        colour, users = self.colours[number], self.users(number)
        place = self.request.line.position - self.request.root
        distance = place if self.sign > 0 else place * -1
        epoch = (distance - 1) // len(self.colours)
        send = Send(colour, self.tile.bounds, self.tile.access)
        before = _turns(colour, OWN, epoch, f"{variable}before")
        after = _turns(colour, PASSING, const(len(users) - 1) - epoch, f"{variable}after")
        return (*before, send, self._drain(), *after) if len(users) > 1 else (send,)

    def _drain(self) -> Control:
        """Lets the last word, which has left the core, reach the router before that is switched."""
        machine = self.request.machine
        return Control("scalar", const(math.ceil(machine.fabric.ramp_out / max(machine.control.scalar, 0.1))))

    def receives(self, variable: str) -> tuple[Instruction, ...]:
        """What the root does for this side."""
        takes = tuple(
            Receive(c, self.tile.bounds, self.tile.access, self.request.combine) for c in self.colours
        )
        rounds, rest = divmod(self.reach, max(1, len(takes)))
        if rounds > 1:
            return (Loop(variable, const(rounds), takes), *takes[:rest])
        return (*takes * rounds, *takes[:rest])

    def routes(self) -> list[Route]:
        """Settings of all routers of this side, and of the root's for it."""
        found = []
        for number, colour in enumerate(self.colours):
            users = self.users(number)
            passing = [d for d in range(1, users[-1]) if d not in users]
            found += self._routes(colour, users, "ramp", OWN)
            found += self._routes(colour, users[:-1], self.outwards, PASSING)
            found += self._routes(colour, passing, self.outwards, 0)
            for root in self.request.line.where([self.request.root]):
                found.append(Route(colour, root, self.outwards, ("ramp",)))
        return found

    def _routes(
        self, colour: str, distances: Sequence[int], receive: Direction, position: int
    ) -> Iterator[Route]:
        """Settings inwards at distances from the root."""
        for where in self.request.line.where(self.request.root + self.sign * d for d in distances):
            yield Route(colour, where, receive, (self.inwards,), position)


def _turns(colour: str, position: int, times: Expr, variable: str) -> tuple[Instruction, ...]:
    return (Loop(variable, times, (Switch(colour, const(position)),)),)


def build(request: CollectiveRequest, *, colours: int = 0) -> Fragment:
    """The sum on the root; the other PEs' tiles stay as they are."""
    program = LineProgram(request.line, request.prefix)
    shared = colours_of(request, colours)
    sides = [_Side(request, program, sign, shared) for sign in (1, -1)]
    for order, side in enumerate(sides):
        for rank, op in enumerate(side.receives(program.name(f"taken{order}"))):
            program.add(request.root, (order, rank), op)
        for number in range(len(side.colours)):
            body = side.body(number, program.name(""))
            for distance in side.users(number):
                for rank, op in enumerate(body):
                    program.add(request.root + side.sign * distance, (order, rank), op)
    names = tuple(colour for side in sides for colour in side.colours)
    routes = tuple(route for side in sides for route in side.routes())
    return replace(program.fragment(), colours=names, routes=routes)


def cycles(request: CollectiveRequest, *, colours: int = 0) -> float:
    """HPDC24, B (P - 1) + 2 T_R + 1, with what starting a receive costs, or the pace at which routers switch."""
    others = request.line.extent - 1
    if others == 0:
        return 0.0
    costs, machine = Costs.of_request(request), request.machine
    shared = colours_of(request, colours)
    words = tile_words(request.tile, request.line.grid)
    one = costs.setup + words * costs.combine
    if others > shared:
        one = max(one, (machine.fabric.switch + machine.control.loop) / shared)
    return costs.setup + costs.way(1) + others * one


STAR = register(
    Algorithm("star", "reduce", "every PE sends to the root", build, cycles, options={"colours": 0})
)
