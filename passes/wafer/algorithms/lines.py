"""Lines of PEs: what collectives run along, and sets of their positions as strided rectangles."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ....wse_target.image import StridedRect
from ....wse_target.instructions import Direction
from ....wse_target.layout.rectangle import Progression, progressions
from ....wse_target.quasi_affine import Expr, Var

Axis = Literal["x", "y"]
_TRIED = 8  # runs whose distances may be a period


def coordinates(grid: tuple[int, int]) -> dict[str, np.ndarray]:
    """Columns and rows of the PEs of a grid, each along an axis of its own."""
    return {"x": np.arange(grid[0])[None, :], "y": np.arange(grid[1])[:, None]}


@dataclass(frozen=True)
class Line:
    """All lines of PEs along one axis of a program's grid; they do the same, each on its own.

    A line has whole rows (columns), stretches of them that follow one another, or every `stride`-th PE of such a
    stretch: the PEs of a sub-axis. Lines with a stride cross each other; those of one `offset` do not, and programs
    are made for them (`collectives.strided` puts those of all offsets together).

    Attributes:
        length: PEs on a line; `length * stride` divides the axis. 0: all of it.
        stride: PEs from one position to the next.
        offset: of the first PE of a line in its stretch.
    """

    axis: Axis
    grid: tuple[int, int]
    length: int = 0
    stride: int = 1
    offset: int = 0

    @property
    def along(self) -> int:
        """PEs of the grid along the axis."""
        return self.grid[0 if self.axis == "x" else 1]

    @property
    def extent(self) -> int:
        """PEs on a line."""
        return self.length or self.along // self.stride

    @property
    def stretch(self) -> int:
        """PEs along the axis from the first PE of a line to that of the next one behind it."""
        return self.extent * self.stride

    @property
    def position(self) -> Expr:
        """A PE's position on its line."""
        number = Var(self.axis) // self.stride
        return number if self.stretch == self.along else number % self.extent

    def coordinate(self, position: Expr) -> Expr:
        """Of the PE at a position of the line that a PE is on, along the axis."""
        at = position * self.stride
        if self.stretch < self.along:
            at = Var(self.axis) // self.stretch * self.stretch + at
        return at if self.stride == 1 else at + Var(self.axis) % self.stride

    @property
    def towards_low(self) -> Direction:
        """The direction of smaller positions; rows count from the north."""
        return "west" if self.axis == "x" else "north"

    @property
    def towards_high(self) -> Direction:
        return "east" if self.axis == "x" else "south"

    def where(self, positions: Iterable[int]) -> tuple[StridedRect, ...]:
        """The PEs at these positions of every line, in as few rectangles as are easily found."""
        return self._rectangles(self.offset + position * self.stride for position in positions)

    def between(self, positions: Iterable[int]) -> tuple[StridedRect, ...]:
        """The PEs between these positions and the next higher ones, which are on other lines."""
        apart = range(1, self.stride)
        return self._rectangles(self.offset + p * self.stride + n for p in positions for n in apart)

    def _rectangles(self, places: Iterable[int]) -> tuple[StridedRect, ...]:
        """The PEs at these places of every stretch."""
        members = sorted(places)
        everywhere = [start + place for start in range(0, self.along, self.stretch) for place in members]
        width, height = self.grid
        if self.axis == "x":
            return tuple(
                StridedRect((base, 0), (count, height), (step, 1))
                for base, count, step in cover(everywhere, self.stretch)
            )
        return tuple(
            StridedRect((0, base), (width, count), (1, step))
            for base, count, step in cover(everywhere, self.stretch)
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
