"""Lines of PEs: what collectives run along, and sets of their positions as strided rectangles."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ....wse_target.image import Direction, StridedRect
from ....wse_target.layout.rectangle import Progression, progressions
from ....wse_target.quasi_affine import Expr, Var

Axis = Literal["x", "y"]
_TRIED = 8  # runs whose distances may be a period


@dataclass(frozen=True)
class Line:
    """All lines of PEs along one axis of a program's grid; they do the same, each on its own.

    A line has whole rows (columns), or stretches of them that follow one another: the PEs of an inner sub-axis.

    Attributes:
        length: PEs on a line, which divide the axis; 0: all of it.
    """

    axis: Axis
    grid: tuple[int, int]
    length: int = 0

    @property
    def along(self) -> int:
        """PEs of the grid along the axis."""
        return self.grid[0 if self.axis == "x" else 1]

    @property
    def extent(self) -> int:
        """PEs on a line."""
        return self.length or self.along

    @property
    def position(self) -> Expr:
        """A PE's position on its line."""
        return Var(self.axis) if self.extent == self.along else Var(self.axis) % self.extent

    def coordinate(self, position: Expr) -> Expr:
        """Of the PE at a position of the line that a PE is on, along the axis."""
        if self.extent == self.along:
            return position
        return Var(self.axis) // self.extent * self.extent + position

    @property
    def towards_low(self) -> Direction:
        """The direction of smaller positions; rows count from the north."""
        return "west" if self.axis == "x" else "north"

    @property
    def towards_high(self) -> Direction:
        return "east" if self.axis == "x" else "south"

    def where(self, positions: Iterable[int]) -> tuple[StridedRect, ...]:
        """The PEs at these positions of every line, in as few rectangles as are easily found."""
        members = sorted(positions)
        everywhere = [start + position for start in range(0, self.along, self.extent) for position in members]
        width, height = self.grid
        if self.axis == "x":
            return tuple(
                StridedRect((base, 0), (count, height), (step, 1))
                for base, count, step in cover(everywhere, self.extent)
            )
        return tuple(
            StridedRect((0, base), (width, count), (1, step))
            for base, count, step in cover(everywhere, self.extent)
        )


def cover(members: Sequence[int], period: int = 0) -> list[Progression]:
    """Ascending numbers as arithmetic progressions: the fewer of runs, and of what is alike in every period.

    Args:
        period: after so many numbers the pattern may repeat; distances of runs are tried as well.
    """
    best = runs = progressions(members)
    if len(runs) < 3:
        return runs
    periods = {period, *(b[0] - a[0] for a, b in itertools.combinations(runs[:_TRIED], 2))}
    for repeat in sorted(p for p in periods if p > 1):
        by_remainder: dict[int, list[int]] = {}
        for number in members:
            by_remainder.setdefault(number % repeat, []).append(number)
        found = [p for group in by_remainder.values() for p in progressions(group)]
        best = min(best, found, key=len)
    return best
