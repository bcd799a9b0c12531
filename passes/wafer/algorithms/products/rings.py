"""Rings along a line of PEs: labels, routes, and who sends to whom on which colour.

A ring has *labels* 0 .. extent - 1; the PE with label l sends to the one with label l + 1 (modulo the extent).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from .....wse_target.image import Route, StridedRect
from .....wse_target.layout.mesh import ring_label
from .....wse_target.layout.rectangle import Progression, progressions
from .....wse_target.quasi_affine import Expr, const
from ..collectives.ring import Ring
from ..collectives.wires import Edge, Wires, colour_edges
from ..fragment import Axis, Line
from .choosing import chosen

RingKind = Literal["plain", "interleaved"]


@dataclass(frozen=True)
class ProductRing:
    """A ring on every line along an axis, with colours for operands that go round it either way.

    Attributes:
        kind: "plain", positions in order, so that the link back crosses the line; or "interleaved", the even positions
            outwards and the odd ones back, so that no partner is more than two hops away (MeshGEMM).
    """

    axis: Axis
    grid: tuple[int, int]
    kind: RingKind

    @property
    def line(self) -> Line:
        return Line(self.axis, self.grid)

    @property
    def extent(self) -> int:
        return self.line.extent

    def label(self, position: Expr) -> Expr:
        """Label of the PE at a position."""
        return position if self.kind == "plain" else ring_label(position, self.extent)

    def position(self, label: Expr) -> Expr:
        """Position of the PE with a label."""
        return self._order.position(label)

    def signed_label(self, position: Expr) -> Expr:
        """The label, or it less the extent for the PEs on an interleaved ring's way back."""
        if self.kind == "plain":
            return position
        return chosen(position % 2, const(0) - (position + 1) // 2, position // 2, self.extent + 1)

    def distance(self, position: Expr) -> Expr:
        """Magnitude of the signed label."""
        return position if self.kind == "plain" else (position + 1) // 2

    @property
    def farthest(self) -> int:
        """Largest distance on the ring."""
        return int(self.distance(const(self.extent - 1)).evaluate({}))

    @property
    def _order(self) -> Ring:
        return Ring(self.line, interleaved=self.kind == "interleaved")

    @property
    def _edges(self) -> tuple[Edge, ...]:
        return self._order.edges

    @cached_property
    def _colour_numbers(self) -> list[int]:
        """Colour number of every edge.

        Three would do on an interleaved ring, but two for either direction make PEs alike that are four apart, and
        not only six: fewer texts.
        """
        if self.kind == "plain":
            return colour_edges(self._edges)
        return [source // 2 % 2 + 2 * (target < source) for source, target in self._edges]

    @cached_property
    def _numbers(self) -> dict[int, tuple[int, int]]:
        """(sending, receiving) colour number by position, in the direction of growing labels."""
        edges = list(zip(self._edges, self._colour_numbers, strict=True))
        sends = {source: number for (source, _), number in edges}
        receives = {target: number for (_, target), number in edges}
        return {p: (sends[p], receives[p]) for p in sorted(sends)}

    def roles(self) -> list[tuple[Progression, tuple[int, int], int]]:
        """Positions of one parity that use the same colours: (positions, (sending, receiving) colour, parity)."""
        groups: dict[tuple[tuple[int, int], int], list[int]] = {}
        for position in range(self.extent):
            key = (self._numbers.get(position, (-1, -1)), position % 2)
            groups.setdefault(key, []).append(position)
        return [(p, *key) for key, members in groups.items() for p in progressions(members)]

    def routes(
        self, name: str, backwards: bool = False, lines: Progression | None = None
    ) -> tuple[Route, ...]:
        """Routes of colours `name` + number, on all lines or on those at the given places.

        Args:
            backwards: every PE sends to the label before its own instead; a PE then sends on the colour that it
                receives on forwards, and the other way round.
        """
        wires = Wires(self.line)
        for (source, target), number in zip(self._edges, self._colour_numbers, strict=True):
            ends = (target, source) if backwards else (source, target)
            wires.connect(f"{name}{number}", *ends)
        if lines is None:
            return wires.routes()
        return tuple(replace(r, where=_on_lines(r.where, self.axis, lines)) for r in wires.routes())


def _on_lines(where: StridedRect, axis: Axis, lines: Progression) -> StridedRect:
    base, count, step = lines
    if axis == "x":
        return StridedRect((where.base[0], base), (where.extent[0], count), (where.step[0], step))
    return StridedRect((base, where.base[1]), (count, where.extent[1]), (step, where.step[1]))
