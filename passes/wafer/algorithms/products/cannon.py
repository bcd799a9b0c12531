"""Cannon's algorithm on rings of PEs: tiles of A move along x and tiles of B along y while each PE multiplies.

k is cut into as many blocks as the longer side of the grid has PEs. On the shorter side a PE holds several of them:
those whose number has its label as remainder, which move together. With r(p) a PE's label as a signed number, the PE
at (x, y) multiplies block r(x) + r(y) - s in step s. A grid neither of whose sides divides the other is used up to the
largest rectangle where one does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from .....wse_target.quasi_affine import Expr, Var, const
from ..fragment import Axis, Held, ProductRequest
from .blocks import Cut, Tiles, everywhere
from .rings import ProductRing, RingKind

X, Y, STEP = Var("x"), Var("y"), Var("step")
POSITION: dict[Axis, Var] = {"x": X, "y": Y}


def usable(grid: tuple[int, int]) -> tuple[int, int]:
    """The largest part (width, height) of a grid of which one side divides the other."""

    def candidates(long: int, short: int) -> list[tuple[int, int]]:
        return [(side * (long // side), side) for side in range(1, min(long, short) + 1)]

    width, height = grid
    found = candidates(width, height) + [(w, h) for h, w in candidates(height, width)]
    return max(found, key=lambda g: (g[0] * g[1], min(g)))


@dataclass(frozen=True)
class Cannon:
    """Where the tensors of a product on rings are, and what each step multiplies.

    Attributes:
        aligned: operands that are rotated into place on the device: 2, or 1 (A) when B comes in place, or 0.
    """

    request: ProductRequest
    kind: RingKind
    aligned: int

    @cached_property
    def grid(self) -> tuple[int, int]:
        """The part of the grid that is used."""
        return usable(self.request.grid)

    @cached_property
    def rings(self) -> dict[Axis, ProductRing]:
        return {"x": ProductRing("x", self.grid, self.kind), "y": ProductRing("y", self.grid, self.kind)}

    @property
    def steps(self) -> int:
        """Steps, and blocks of k."""
        return max(self.grid)

    @cached_property
    def tiles(self) -> Tiles:
        """Cuts of m over y, of n over x, and of k into blocks."""
        request, (width, height) = self.request, self.grid
        return Tiles(
            request, Cut.into(height, request.m), Cut.into(self.steps, request.k), Cut.into(width, request.n)
        )

    def moving(self, axis: Axis) -> Cut:
        """k as the tiles that move along `axis` cut it."""
        k = self.tiles.k
        return Cut(k.size, k.block * (self.steps // self.rings[axis].extent))

    @property
    def _first(self) -> Expr:
        """Block that a PE multiplies in step 0, before the remainder is taken."""
        return self.rings["x"].signed_label(X) + self.rings["y"].signed_label(Y)

    @property
    def block(self) -> Expr:
        """Label of the block of k that a PE multiplies in a step."""
        return (self._first - STEP) % self.steps

    @property
    def _shorter(self) -> Axis:
        return "x" if self.grid[0] <= self.grid[1] else "y"

    def place(self, block: Expr) -> Expr:
        """Where the block with a label is in the order of k: one tile's blocks on the shorter side are neighbours."""
        ring = self.rings[self._shorter]
        blocks = self.steps // ring.extent
        return ring.position(block % ring.extent) * blocks + block // ring.extent

    def tile_block(self, axis: Axis) -> Expr:
        """Number, inside the tile that moves along `axis`, of the block that a step multiplies."""
        extent = self.rings[axis].extent
        return const(0) if extent == self.steps else self.block // extent

    def rotation(self, axis: Axis) -> Expr | None:
        """How often a tile is passed on along `axis` before step 0; None if it comes in place."""
        if self.aligned < (1 if axis == "x" else 2):
            return None
        turns = self.rings["y" if axis == "x" else "x"].distance(POSITION["y" if axis == "x" else "x"])
        return turns % self.rings[axis].extent

    def rounds(self, axis: Axis) -> int:
        """Exchanges along `axis` before step 0, the most that any line needs."""
        if self.rotation(axis) is None:
            return 0
        across = self.rings["y" if axis == "x" else "x"]
        return min(across.farthest, self.rings[axis].extent - 1)

    def _number(self, axis: Axis, label: Expr) -> Expr:
        """Number in the order of k of the tile that has a label on the ring along `axis`."""
        return self.rings[axis].position(label) if axis == self._shorter else self.place(label)

    @property
    def a(self) -> Held:
        ring = self.rings["x"]
        if self.rotation("x") is None:
            number = self._number("x", self._first % ring.extent)
        else:
            number = self._number("x", ring.label(X)) if self._shorter != "x" or ring.extent == 1 else X
        return self.tiles.held("a", (self.tiles.m, Y), (self.moving("x"), number), everywhere(self.grid))

    @property
    def b(self) -> Held:
        ring = self.rings["y"]
        if self.rotation("y") is None:
            number = self._number("y", self._first % ring.extent)
        elif self._shorter == "y" or self.grid[0] == self.grid[1]:
            number = Y
        else:
            number = self._number("y", ring.label(Y))
        held = self.tiles.held("b", (self.moving("y"), number), (self.tiles.n, X), everywhere(self.grid))
        return replace(held, shape=(2, *held.shape)) if self.b_in_place else held

    @property
    def b_in_place(self) -> bool:
        """Whether B moves in its own buffer, of two tiles: after all steps every tile is back where it was."""
        return self.rotation("y") is None and not self.request.batch

    @property
    def c(self) -> Held:
        return self.tiles.held("c", (self.tiles.m, Y), (self.tiles.n, X), everywhere(self.grid))
