"""Colours along a line: which connections can share one, and the routes that they need.

A router takes a colour from one direction only. Two connections whose stretches of the line share a position, ends
included, therefore need two colours, and colouring connections is colouring intervals: going through them from the
low end, each with the smallest colour that is free, needs as few colours as any way does.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .....wse_target.image import Route
from .....wse_target.instructions import Direction
from ..fragment import Line

Edge = tuple[int, int]  # positions on the line that words come from and go to


def colour_edges(edges: Sequence[Edge]) -> list[int]:
    """A colour number for every edge, as few as possible; of edges that begin together the longest has the least."""
    order = sorted(range(len(edges)), key=lambda i: (min(edges[i]), -max(edges[i])))
    colours = [0] * len(edges)
    in_use: list[tuple[int, int]] = []  # (last position, colour)
    free: list[int] = []
    known = 0
    for index in order:
        low, high = sorted(edges[index])
        while in_use and in_use[0][0] < low:
            heapq.heappush(free, heapq.heappop(in_use)[1])
        if not free:
            heapq.heappush(free, known)
            known += 1
        colours[index] = heapq.heappop(free)
        heapq.heappush(in_use, (high, colours[index]))
    return colours


@dataclass
class Wires:
    """Router settings of colours along all lines of a grid, collected position by position."""

    line: Line
    _settings: dict[str, dict[int, tuple[Direction, set[Direction]]]] = field(default_factory=dict)

    @property
    def colours(self) -> tuple[str, ...]:
        """Colours that have a route, in order of first use."""
        return tuple(self._settings)

    def connect(self, colour: str, source: int, target: int) -> None:
        """Words of `colour` go from the ramp at `source` to the ramp at `target`."""
        self.multicast(colour, source, (target,))

    def multicast(self, colour: str, source: int, targets: Sequence[int]) -> None:
        """Words of `colour` go from the ramp at `source` to the ramps at `targets`, on either side of it."""
        for side in (1, -1):
            there = [t for t in targets if (t - source) * side > 0]
            if there:
                self._stretch(colour, source, max(there, key=lambda t: t * side), set(there))

    def _stretch(self, colour: str, source: int, end: int, taps: set[int]) -> None:
        step = 1 if end > source else -1
        onwards = self._direction(step)
        self._set(colour, source, "ramp", onwards)
        for position in range(source + step, end + step, step):
            if position in taps:
                self._set(colour, position, self._direction(-step), "ramp")
            if position != end:
                self._set(colour, position, self._direction(-step), onwards)

    def _direction(self, step: int) -> Direction:
        return self.line.towards_high if step > 0 else self.line.towards_low  # type: ignore[return-value]

    def _set(self, colour: str, position: int, receive: Direction, send: Direction) -> None:
        taken, sends = self._settings.setdefault(colour, {}).setdefault(position, (receive, set()))
        if taken != receive:
            raise ValueError(f"colour '{colour}' comes from {taken} and {receive} at position {position}")
        sends.add(send)

    def routes(self) -> tuple[Route, ...]:
        """All routes, equal settings in strided rectangles."""
        found = []
        for colour, settings in self._settings.items():
            groups: dict[tuple[Direction, tuple[Direction, ...]], list[int]] = {}
            for position in sorted(settings):
                receive, sends = settings[position]
                groups.setdefault((receive, tuple(sorted(sends))), []).append(position)
            found += self._passing(colour, settings)
            for (receive, sends), members in groups.items():
                found += [Route(colour, where, receive, sends) for where in self.line.where(members)]
        return tuple(found)

    def _passing(self, colour: str, settings: dict[int, tuple[Direction, set[Direction]]]) -> Iterator[Route]:
        """Settings of the routers between positions of a line with a stride: words go straight on."""
        if self.line.stride == 1:
            return
        low, high = self._direction(-1), self._direction(1)
        upwards = [p for p, (_, sends) in settings.items() if high in sends]
        downwards = [p - 1 for p, (_, sends) in settings.items() if low in sends]
        ways: tuple[tuple[list[int], Direction, Direction], ...] = (
            (upwards, low, high),
            (downwards, high, low),
        )
        for positions, receive, send in ways:
            for where in self.line.between(positions):
                yield Route(colour, where, receive, (send,))
