"""Classes of PEs: which PEs share program text, by their place on the lines they communicate along."""

from dataclasses import dataclass

from ...wse_target.image import StridedRect
from .layout_rules import Grid


@dataclass(frozen=True)
class Place:
    """Positions base, base + step, ... on a line of PEs that do the same thing.

    Attributes:
        parity: of all the positions; neighbours differ in it, which keeps the two directions of a PE's
            traffic on different colours.
    """

    name: str
    base: int
    count: int
    step: int
    first: bool = False
    last: bool = False

    @property
    def parity(self) -> int:
        return self.base % 2


def places(extent: int, communicates: bool) -> list[Place]:
    """The kinds of places on a line of `extent` PEs."""
    if not communicates or extent == 1:
        return [Place("any", 0, extent, 1)]
    inner = extent - 2
    found = [
        Place("first", 0, 1, 1, first=True),
        Place("odd", 1, (inner + 1) // 2, 2),
        Place("even", 2, inner // 2, 2),
        Place("last", extent - 1, 1, 1, last=True),
    ]
    return [p for p in found if p.count > 0]


@dataclass(frozen=True)
class ClassOfPEs:
    """PEs at a kind of place on each axis."""

    x: Place
    y: Place

    def on(self, axis: str) -> Place:
        """The place along `axis`."""
        return self.x if axis == "x" else self.y

    @property
    def name(self) -> str:
        return f"x_{self.x.name}_y_{self.y.name}"

    @property
    def where(self) -> StridedRect:
        return StridedRect(
            (self.x.base, self.y.base), (self.x.count, self.y.count), (self.x.step, self.y.step)
        )


def classes(grid: Grid, axes: frozenset[str]) -> list[ClassOfPEs]:
    """The classes of a program that communicates along `axes`, together every PE of the grid once."""
    return [
        ClassOfPEs(x, y) for y in places(grid.height, "y" in axes) for x in places(grid.width, "x" in axes)
    ]
