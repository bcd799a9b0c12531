"""Products of a vector and a matrix: B lies still, k is cut over y and n over x, and columns of PEs sum their parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from .....wse_target.image import StridedRect
from .....wse_target.instructions import Access, Control, Dtype, Instruction, Loop, Vector
from .....wse_target.quasi_affine import Expr, Var, const
from ..algorithm import Choice
from ..fragment import (
    Axis,
    CollectiveRequest,
    Fragment,
    Held,
    Line,
    Product,
    ProductRequest,
    RectangleText,
    Scratch,
    TileWalk,
    sequence,
)
from .blocks import Cut, Tiles, clear, everywhere
from .costs import instruction_cycles

X, Y, BATCH = Var("x"), Var("y"), Var("batch")


@dataclass(frozen=True)
class Collective:
    """A step in which PEs communicate."""

    algorithm: Choice
    request: CollectiveRequest


InstructionText = tuple[Instruction, ...]
ProductStep = InstructionText | Collective  # code is the same on every PE


@dataclass(frozen=True)
class VectorProduct:
    """C[1, n] = A[1, k] x B[k, n] on a whole grid.

    Attributes:
        a_where / c_where: PEs that A comes on and that C is wanted on.
        widened: whether sums narrower than a word are summed between PEs as f32, the vendor's library having no others.
    """

    request: ProductRequest
    a_where: StridedRect
    c_where: StridedRect
    widened: bool

    @cached_property
    def tiles(self) -> Tiles:
        width, height = self.request.grid
        return Tiles(
            self.request, Cut(1, 1), Cut.into(height, self.request.k), Cut.into(width, self.request.n)
        )

    @property
    def a(self) -> Held:
        return self.tiles.held("a", (self.tiles.m, const(0)), (self.tiles.k, Y), self.a_where)

    @property
    def b(self) -> Held:
        return self.tiles.held("b", (self.tiles.k, Y), (self.tiles.n, X), everywhere(self.request.grid))

    @property
    def c(self) -> Held:
        return self.tiles.held("c", (self.tiles.m, const(0)), (self.tiles.n, X), self.c_where)

    @property
    def vector(self) -> TileWalk:
        """A PE's part of A."""
        return self._walk(self.a.buffer, self.request.dtype, self.tiles.k, Y)

    @property
    def own(self) -> TileWalk:
        """A PE's part of C."""
        return self._walk(self.c.buffer, self.request.accumulate, self.tiles.n, X)

    @property
    def summed(self) -> TileWalk:
        """What columns of PEs sum: C, or its widened copy."""
        return self._walk(self._wide.name, "f32", self.tiles.n, X) if self._widens else self.own

    def _walk(self, buffer: str, dtype: Dtype, cut: Cut, position: Expr) -> TileWalk:
        access, bounds = Access(buffer, const(0), (1,)), (cut.extent(position),)
        if self.request.batch:
            access, bounds = replace(access, strides=(cut.block, 1)), (const(self.request.batch), *bounds)
        return TileWalk(access, bounds, dtype)

    @property
    def _widens(self) -> bool:
        return self.widened and self.request.accumulate in ("f16", "bf16")

    @property
    def _elements(self) -> int:
        return self.tiles.n.block * max(self.request.batch, 1)

    @property
    def _wide(self) -> Scratch:
        return Scratch(f"{self.request.prefix}wide", (self._elements,), "f32")

    def local(self, looped: bool = False) -> InstructionText:
        """C = A B with what the PE has, widened if need be."""
        tiles, batch = self.tiles, self.request.batch
        number: Expr = BATCH if batch else const(0)
        a, b, c = (number * tiles.size(operand, tiles.k) for operand in "abc")
        bounds = (const(1), tiles.k.extent(Y), tiles.n.extent(X))
        target = Access(self.c.buffer, c, (1,))
        multiply = tiles.product(
            target, (self.a.buffer, a, tiles.k.block), (self.b.buffer, b), bounds, looped
        )
        body: InstructionText = (Loop(BATCH.name, const(batch), multiply),) if batch else multiply
        widen = (_converted(self.summed, self.own),) if self._widens else ()
        return (clear(self.c.buffer, const(0), self._elements), *body, *widen)

    def narrowed(self) -> InstructionText:
        """C from its widened copy, if there is one."""
        return (_converted(self.own, self.summed),) if self._widens else ()

    def collective(self, algorithm: Choice, axis: Axis, tile: TileWalk, name: str) -> Collective:
        """A collective on the PEs' tiles along every line of an axis."""
        request = self.request
        line, prefix = Line(axis, request.grid), f"{request.prefix}{name}_"
        return Collective(algorithm, CollectiveRequest(line, tile, request.machine, prefix))

    def product(self, steps: Sequence[ProductStep]) -> Product:
        """The product whose program is the steps one after the other."""
        fragments = [self._fragment(step) for step in steps if step]
        scratch = (self._wide,) if self._widens else ()
        whole = sequence(fragments, self.request.grid)
        return Product(self.a, self.b, self.c, replace(whole, scratch=(*whole.scratch, *scratch)))

    def _fragment(self, step: ProductStep) -> Fragment:
        if isinstance(step, Collective):
            return step.algorithm.build(step.request)
        return Fragment((RectangleText(everywhere(self.request.grid), step),))

    def cycles(self, steps: Sequence[ProductStep]) -> float:
        """Cycles of the steps, one after the other."""
        dtypes = {h.buffer: h.dtype for h in (self.a, self.b, self.c)} | {self._wide.name: "f32"}

        def of(step: ProductStep) -> float:
            if isinstance(step, Collective):
                return step.algorithm.cycles(step.request)
            return sum(instruction_cycles(self.request.machine, op, dtypes) for op in step)

        return sum(of(step) for step in steps)


def _converted(target: TileWalk, source: TileWalk) -> Vector:
    """Scalar code that changes the type of each element."""
    return Vector("convert", source.bounds, target.access, (source.access,), schedule="scalar")


def library_call(colours: int) -> InstructionText:
    """Entry of a routine of the vendor's library, which sets up each colour that it uses; its end is a task."""
    return (Control("library_call", const(colours)), Control("task", const(1)))
