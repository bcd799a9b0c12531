"""SUMMA's panels: the parts of k that lie in one block of A and in one block of B, multiplied one after the other."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

from .....wse_target.quasi_affine import Const, Expr, Lookup, const
from ..fragment import ProductRequest
from .blocks import Cut


@dataclass(frozen=True)
class Panels:
    """k cut for A over the columns of a grid and for B over its rows, and into panels where either cut has an edge."""

    request: ProductRequest

    @cached_property
    def cuts(self) -> dict[str, Cut]:
        """The cut of k along "x" (A's) and along "y" (B's)."""
        width, height = self.request.grid
        return {"x": Cut.into(width, self.request.k), "y": Cut.into(height, self.request.k)}

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First index of every panel."""
        edges = {at for cut in self.cuts.values() for at in range(0, self.request.k, cut.block)}
        return tuple(sorted(edges))

    @property
    def count(self) -> int:
        return len(self.starts)

    def start(self, panel: Expr) -> Expr:
        """First index of a panel; k for the one behind the last."""
        block = self.cuts["x"].block
        if self.cuts["x"] == self.cuts["y"]:
            return panel * block
        table = (*self.starts, self.request.k)
        if isinstance(panel, Const):
            return const(table[panel.value])
        return Lookup(f"{self.request.prefix}panels", table, panel)

    def width(self, panel: Expr) -> Expr:
        """Length of a panel; 0 or less behind the last."""
        if self.cuts["x"] == self.cuts["y"]:
            return self.cuts["x"].extent(panel)
        table = (*self.starts, self.request.k, self.request.k)
        widths = tuple(b - a for a, b in itertools.pairwise(table))
        if isinstance(panel, Const):
            return const(widths[panel.value])
        return Lookup(f"{self.request.prefix}widths", widths, panel)

    def owner(self, axis: str, panel: Expr) -> Expr:
        """Position along an axis of the PEs that have a panel."""
        return self.start(panel) // self.cuts[axis].block

    def inside(self, axis: str, panel: Expr) -> Expr:
        """Place of a panel in its owner's tile, along k."""
        return self.start(panel) % self.cuts[axis].block
