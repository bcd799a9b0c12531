"""SUMMA: panel by panel, the owners' parts of A are multicast along rows and those of B along columns (van de Geijn).

The root of a multicast wanders, and every router with it: three settings of a colour, for the PEs before, behind and at
the root.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from .....wse_target.instructions import Access, Control, Instruction, Join, Loop, Receive, Send, Vector
from .....wse_target.quasi_affine import Expr, Var, const
from ..collectives.turning import FROM_LOW, Multicast
from ..fragment import Axis, Fragment, Held, Line, Product, ProductRequest, RectangleText
from .blocks import Cut, Tiles, clear, everywhere
from .choosing import chosen, equal
from .panels import Panels

X, Y, PANEL, BATCH = Var("x"), Var("y"), Var("panel"), Var("batch")
POSITION: dict[Axis, Var] = {"x": X, "y": Y}
# (send, receive): one of the two is without words on every PE; on a shared thread it would wait for the other.
THREADS: dict[Axis, tuple[int, int]] = {"x": (1, 2), "y": (3, 4)}


@dataclass(frozen=True)
class _Operand:
    """A or B as a PE has it: `lines` runs of elements with their stride, the stride along k, elements of a tile."""

    buffer: str
    lines: int
    stride: int
    k_stride: int
    size: int

    def walk(self, width: Expr, flag: Expr, offset: Expr) -> tuple[tuple[Expr, Expr], Access]:
        """All of a panel, or nothing where `flag` is 0."""
        if self.k_stride < self.stride:
            return (flag * self.lines, width), Access(self.buffer, offset, (self.stride, self.k_stride))
        return (width, flag * self.lines), Access(self.buffer, offset, (self.k_stride, self.stride))


@dataclass(frozen=True)
class Summa:
    """One product by SUMMA.

    Attributes:
        pipelined: the next panel travels on a second pair of colours, its routes rewritten by the program, while one is
            multiplied; if not, the vendor's library moves a panel, then it is multiplied by a scalar loop.
    """

    request: ProductRequest
    pipelined: bool

    @cached_property
    def panels(self) -> Panels:
        return Panels(self.request)

    @cached_property
    def tiles(self) -> Tiles:
        request, (width, height) = self.request, self.request.grid
        return Tiles(request, Cut.into(height, request.m), self.panels.cuts["x"], Cut.into(width, request.n))

    @property
    def buffers(self) -> int:
        """Places for panels that have come, behind a PE's own tiles."""
        return 2 if self.pipelined else 1

    def _held(self, operand: str, rows: tuple[Cut, Expr], columns: tuple[Cut, Expr]) -> Held:
        held = self.tiles.held(operand, rows, columns, everywhere(self.request.grid))
        if operand == "c":
            return held
        shape = held.shape[1:] if self.request.batch else held.shape
        return Held(
            held.buffer, (self._homes + self.buffers, *shape), held.dtype, held.bounds, held.origin, held.access,
            held.where,
        )  # fmt: skip

    @property
    def _homes(self) -> int:
        return max(self.request.batch, 1)

    @property
    def a(self) -> Held:
        return self._held("a", (self.tiles.m, Y), (self.panels.cuts["x"], X))

    @property
    def b(self) -> Held:
        return self._held("b", (self.panels.cuts["y"], Y), (self.tiles.n, X))

    @property
    def c(self) -> Held:
        return self._held("c", (self.tiles.m, Y), (self.tiles.n, X))

    def _multicast(self, axis: Axis, pair: int) -> Multicast:
        return Multicast(f"{self.request.prefix}{axis}{pair}", Line(axis, self.request.grid))

    @property
    def active(self) -> list[Axis]:
        """Axes along which there is anybody to send to."""
        axes: tuple[Axis, ...] = ("x", "y")
        return [axis for axis in axes if Line(axis, self.request.grid).extent > 1]

    def product(self) -> Product:
        """The whole product, one text for all PEs."""
        batch = self.request.batch
        body = self._pipelined() if self.pipelined else self._sequential()
        if batch:
            body = (Loop(BATCH.name, const(batch), body),)
        pairs = [self._multicast(axis, pair) for axis in self.active for pair in range(self.buffers)]
        routes = tuple(r for m in pairs for r in m.routes() if min(r.where.extent) > 0)
        fragment = Fragment(
            (RectangleText(everywhere(self.request.grid), body),), (), tuple(m.colour for m in pairs), routes,
            {m.colour: FROM_LOW for m in pairs},
        )  # fmt: skip
        return Product(self.a, self.b, self.c, fragment)

    def _sequential(self) -> tuple[Instruction, ...]:
        """Library calls for both panels, the wait for both, a looped local product."""
        axes = self.active
        calls = [i for axis in axes for i in (Control("library_call", const(1)), *self._move(axis, PANEL, 0))]
        step = (*calls, *self._arrived(), *self._multiply(PANEL, 0))
        return (self._clear(), Loop(PANEL.name, const(self.panels.count), step))

    def _pipelined(self) -> tuple[Instruction, ...]:
        """Two panels a trip, as each has its own pair of colours and its own buffers."""
        count = self.panels.count
        pair = (*self._stage(PANEL * 2, 0), *self._stage(PANEL * 2 + 1, 1))
        last = self._stage(const(count - 1), 0) if count % 2 else ()
        return (self._clear(), *self._start(const(0), 0), Loop(PANEL.name, const(count // 2), pair), *last)

    def _stage(self, panel: Expr, pair: int) -> tuple[Instruction, ...]:
        """Waits for a panel, starts the next one, multiplies."""
        return (*self._arrived(), *self._start(panel + 1, 1 - pair), *self._multiply(panel, pair))

    def _start(self, panel: Expr, pair: int) -> tuple[Instruction, ...]:
        axes = self.active
        if not axes:
            return ()
        moves = [i for axis in axes for i in self._move(axis, panel, pair)]
        return (Control("descriptor", const(2 * len(axes))), *moves)

    def _move(self, axis: Axis, panel: Expr, pair: int) -> tuple[Instruction, ...]:
        """Turns the routers to the panel's owners, who send it; all others receive."""
        multicast, width = self._multicast(axis, pair), self.panels.width(panel)
        owner = self.panels.owner(axis, panel)
        owns = equal(owner, POSITION[axis])
        operand = self._operand(axis)
        home, came = self._places(axis, panel, pair)
        sends, receives = THREADS[axis]
        return (
            multicast.switch(owner, rewrite=self.pipelined),
            Send(multicast.colour, *operand.walk(width, owns, home), thread=sends),
            Receive(multicast.colour, *operand.walk(width, const(1) - owns, came), thread=receives),
        )

    def _operand(self, axis: Axis) -> _Operand:
        tiles, cut = self.tiles, self.panels.cuts[axis]
        if axis == "x":
            m_stride, k_stride = tiles.strides("a", cut.block)
            return _Operand(self.a.buffer, tiles.m.block, m_stride, k_stride, tiles.size("a", cut))
        k_stride, n_stride = tiles.strides("b")
        return _Operand(self.b.buffer, tiles.n.block, n_stride, k_stride, tiles.size("b", cut))

    def _places(self, axis: Axis, panel: Expr, pair: int) -> tuple[Expr, Expr]:
        """Offsets of a panel in its owner's own tile, and in the buffer of PEs that it comes to."""
        operand = self._operand(axis)
        own: Expr = BATCH * operand.size if self.request.batch else const(0)
        return (
            own + self.panels.inside(axis, panel) * operand.k_stride,
            const((self._homes + pair) * operand.size),
        )

    def _offset(self, axis: Axis, panel: Expr, pair: int) -> Expr:
        """Where this PE has a panel."""
        if axis not in self.active:
            return self._places(axis, panel, pair)[0]
        size = self._operand(axis).size * (self._homes + self.buffers)
        return chosen(
            equal(self.panels.owner(axis, panel), POSITION[axis]), *self._places(axis, panel, pair), size
        )

    def _arrived(self) -> tuple[Instruction, ...]:
        """Each operand's arrival is a task, and so is what goes on."""
        if not self.active:
            return ()
        sends, receives = zip(*(THREADS[axis] for axis in self.active), strict=True)
        return (Join(sends), Join(receives, tasks=True), Control("task", const(1)))

    def _multiply(self, panel: Expr, pair: int) -> tuple[Instruction, ...]:
        tiles = self.tiles
        bounds = (tiles.m.extent(Y), self.panels.width(panel), tiles.n.extent(X))
        a, b = self._offset("x", panel, pair), self._offset("y", panel, pair)
        return tiles.product(
            self._sum, (self.a.buffer, a, self.panels.cuts["x"].block), (self.b.buffer, b), bounds,
            looped=not self.pipelined,
        )  # fmt: skip

    @property
    def _sum(self) -> Access:
        size = self.tiles.size("c", self.tiles.k)
        return Access(self.c.buffer, BATCH * size if self.request.batch else const(0), (1,))

    def _clear(self) -> Vector:
        return clear(self._sum.buffer, self._sum.offset, self.tiles.size("c", self.tiles.k))
