"""Programs of disjoint rectangles as one program: regions of a wafer with text, colours and memory of their own.

What a region's text says of x and y counts from its own first PE, and its names are its own. Two regions share nothing
but the colours that are *linked*: words of a linked colour leave one region and arrive in its neighbour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .errors import TargetError
from .image import HostTransfer, PEClass, Program, Route, StridedRect, TensorSpec
from .instructions import Access, Phase, Receive, Relay, Send, Source, Switch
from .layout.rectangle import Rect
from .quasi_affine import Lookup, Scalar, Var
from .rewriting import TextRewriting


@dataclass(frozen=True)
class Region:
    """A program at its place on the fabric.

    Attributes:
        origin: its first PE's column and row in the whole.
        arguments: which of the whole each of its own is; None for what a neighbour sends, which no host transfer moves.
        results: which of the whole each of its own is; there may be several, and none for what a neighbour takes.
        links: colour of its own -> what the whole calls it; a region at the other end names the same.
        phases: name of a phase of its own -> what the whole calls it; others keep their names.
        sources: where an instruction comes from -> where it does in the whole; others are as they say.
    """

    program: Program
    origin: tuple[int, int]
    arguments: tuple[int | None, ...]
    results: tuple[tuple[int, ...], ...]
    links: Mapping[str, str] = field(default_factory=dict)
    phases: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[Source, Source] = field(default_factory=dict)

    @property
    def rect(self) -> Rect:
        """Its PEs."""
        return Rect(*self.origin, *self.program.grid)


def link(
    name: str,
    grid: tuple[int, int],
    regions: Sequence[Region],
    arguments: Sequence[TensorSpec],
    results: Sequence[TensorSpec],
) -> Program:
    """One program of all regions.

    A linked colour takes its output queue from the region that sends it and its input queue from the one that receives.

    Raises:
        TargetError: regions overlap or leave the grid, have scalars, or do not agree on a linked colour.
    """
    _check_places(grid, regions)
    placed = [_Placed(region, f"r{number}_") for number, region in enumerate(regions)]
    parts = [each.program() for each in placed]
    return Program(
        name,
        grid,
        tuple(arguments),
        tuple(results),
        {n: b for part in parts for n, b in part.buffers.items()},
        tuple(c for part in parts for c in part.classes),
        _agreed([part.colours for part in parts], "number"),
        tuple(r for part in parts for r in part.routes),
        tuple(t for part in parts for t in part.scatters),
        tuple(t for part in parts for t in part.gathers),
        {n: size for part in parts for n, size in part.code_bytes.items()},
        _queues(parts),
        _agreed([part.positions for part in parts], "first position"),
    )


def _check_places(grid: tuple[int, int], regions: Sequence[Region]) -> None:
    for number, region in enumerate(regions):
        if not Rect(0, 0, *grid).contains(region.rect):
            raise TargetError(f"region {number} at {region.rect} leaves the grid of {grid[0]}x{grid[1]}")
        if region.program.scalars:
            raise TargetError(f"region {number} depends on numbers that the host sends, which regions cannot")
        for other in range(number):
            if region.rect.overlaps(regions[other].rect):
                raise TargetError(f"regions {other} and {number} share PEs")


def _agreed(tables: Sequence[Mapping[str, int]], what: str) -> dict[str, int]:
    """All entries of several tables, which have one value for each name."""
    found: dict[str, int] = {}
    for table in tables:
        for name, value in table.items():
            if found.setdefault(name, value) != value:
                raise TargetError(
                    f"colour '{name}' has {what} {found[name]} in one region and {value} in another"
                )
    return found


def _queues(parts: Sequence[Program]) -> dict[str, tuple[int, int]]:
    """Queues of all colours: of those in several regions each queue is that of the region that uses it."""
    found: dict[str, tuple[int, int]] = {}
    for part in parts:
        sent = {route.colour for route in part.routes if route.receive == "ramp"}
        for name, (into, out) in part.queues.items():
            known = found.get(name, (into, out))
            found[name] = (known[0], out) if name in sent else (into, known[1])
    return found


class _Placed:
    """A region's program in the coordinates and under the names of the whole."""

    def __init__(self, region: Region, prefix: str) -> None:
        self.region = region
        self.prefix = prefix
        self.rewrite = TextRewriting(self._changed)

    def program(self) -> Program:
        own, name = self.region.program, self._name
        return replace(
            own,
            buffers={name(n): replace(b, name=name(n)) for n, b in own.buffers.items()},
            classes=tuple(
                PEClass(name(c.name), self._where(c.where), self.rewrite(c.body)) for c in own.classes
            ),
            colours={self._colour(n): number for n, number in own.colours.items()},
            routes=tuple(self._route(route) for route in own.routes),
            scatters=self._transfers(
                own.scatters, [() if n is None else (n,) for n in self.region.arguments]
            ),
            gathers=self._transfers(own.gathers, self.region.results),
            code_bytes={name(n): size for n, size in own.code_bytes.items()},
            queues={self._colour(n): pair for n, pair in own.queues.items()},
            positions={self._colour(n): p for n, p in own.positions.items()},
        )

    def _name(self, name: str) -> str:
        return f"{self.prefix}{name}"

    def _colour(self, name: str) -> str:
        return self.region.links.get(name) or self._name(name)

    def _where(self, where: StridedRect) -> StridedRect:
        (x, y), (left, top) = where.base, self.region.origin
        return replace(where, base=(x + left, y + top))

    def _route(self, route: Route) -> Route:
        return replace(route, colour=self._colour(route.colour), where=self._where(route.where))

    def _transfers(
        self, transfers: Sequence[HostTransfer], numbers: Sequence[tuple[int, ...]]
    ) -> tuple[HostTransfer, ...]:
        found = []
        for transfer in transfers:
            moved: HostTransfer = self.rewrite(replace(transfer, where=self._where(transfer.where)))
            found += [replace(moved, tensor=number) for number in numbers[transfer.tensor]]
        return tuple(found)

    def _changed(self, item: Any) -> Any:
        """What an expression, an access or an instruction is in the whole; None where its parts tell."""
        match item:
            case Var(name="x"):
                return item - self.region.origin[0]
            case Var(name="y"):
                return item - self.region.origin[1]
            case Scalar() | Var():
                return item
            case Lookup(name=name, table=table, index=index):
                return Lookup(self._name(name), table, self.rewrite(index))
            case Access(buffer=buffer, offset=offset, strides=strides, indices=indices):
                return Access(self._name(buffer), self.rewrite(offset), strides, self.rewrite(indices))
            case Phase(name=name, source=source):
                return Phase(self.region.phases.get(name, name), self.rewrite(source))
            case Source():
                return self.region.sources.get(item, item)
            case _:
                return self._recoloured(item)

    def _recoloured(self, item: Any) -> Any:
        """A transfer or a switch under its colours' names in the whole; None for anything else."""
        if not isinstance(item, (Send, Receive, Relay, Switch)):
            return None
        names = ("receive", "send") if isinstance(item, Relay) else ("colour",)
        colours = {name: self._colour(getattr(item, name)) for name in names}
        others = {f.name: self.rewrite(getattr(item, f.name)) for f in fields(item) if f.name not in names}
        return replace(item, **others, **colours)
