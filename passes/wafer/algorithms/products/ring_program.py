"""The program of Cannon's algorithm: rotate the tiles into place, then pass them on while multiplying."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .....wse_target.image import Route, StridedRect
from .....wse_target.instructions import Access, Control, Instruction, Join, Loop, Receive, Send
from .....wse_target.quasi_affine import Expr, Var, const, minimum
from ..fragment import Axis, Fragment, Held, Product, RectangleText, Scratch
from .blocks import clear, copy
from .cannon import STEP, Cannon, X, Y
from .rings import ProductRing

ROUND, BATCH = Var("round"), Var("batch")
THREADS: dict[Axis, tuple[int, int]] = {
    "x": (1, 2),
    "y": (3, 4),
}  # (send, receive) of the tile that moves along it


@dataclass(frozen=True)
class Moving:
    """The tile of one operand that is passed along a ring, between the two halves of a buffer.

    Attributes:
        buffer: has room for two tiles of `size` elements.
        turns: how often it was passed on before step 0.
    """

    ring: ProductRing
    name: str
    buffer: str
    size: int
    turns: Expr
    packed: bool

    def at(self, passed: Expr) -> Access:
        """The half in which a tile is that was passed on so often."""
        return Access(self.buffer, passed % 2 * self.size, (1,))

    def exchange(self, colours: tuple[str, str], passed: Expr) -> tuple[Instruction, ...]:
        """Passes the tile on, on microthreads."""
        (send, receive), threads, whole = colours, THREADS[self.ring.axis], (const(self.size),)
        return (
            Send(send, whole, self.at(passed), thread=threads[0], packed=self.packed),
            Receive(receive, whole, self.at(passed + 1), thread=threads[1]),
        )


@dataclass(frozen=True)
class RingProgram:
    """Makes the fragment for a `Cannon`.

    Attributes:
        packed: whether elements narrower than a word share wavelets.
    """

    plan: Cannon
    packed: bool

    def product(self) -> Product:
        """The whole product."""
        plan = self.plan
        moving = [self._moving("x", plan.a), self._moving("y", plan.b)]
        parts = []
        for columns, x_colours, x_parity in plan.rings["x"].roles():
            for rows, y_colours, y_parity in plan.rings["y"].roles():
                where = StridedRect((columns[0], rows[0]), (columns[1], rows[1]), (columns[2], rows[2]))
                numbers: dict[Axis, tuple[int, int]] = {"x": x_colours, "y": y_colours}
                parity: dict[Axis, int] = {"x": y_parity, "y": x_parity}  # of the line that a tile moves on
                parts.append(RectangleText(where, self._body(moving, numbers, parity)))
        own = {plan.a.buffer, plan.b.buffer}
        scratch = tuple(
            Scratch(m.buffer, (2, m.size), plan.request.dtype) for m in moving if m.buffer not in own
        )
        routes = tuple(r for axis in plan.rings for r in self._routes(axis))
        colours = tuple(dict.fromkeys(r.colour for r in routes))
        return Product(plan.a, plan.b, plan.c, Fragment(tuple(parts), scratch, colours, routes))

    def _moving(self, axis: Axis, held: Held) -> Moving:
        ring, prefix = self.plan.rings[axis], self.plan.request.prefix
        name = f"{prefix}{axis}"
        turns = self.plan.rotation(axis) or const(0)
        size = self.plan.tiles.size("a" if axis == "x" else "b", self.plan.moving(axis))
        buffer = held.buffer if axis == "y" and self.plan.b_in_place else f"{held.buffer}_ring"
        return Moving(ring, name, buffer, size, turns, self.packed)

    def _backwards(self, axis: Axis, parity: int) -> bool:
        """Whether tiles are rotated against the ring's direction on lines of a parity."""
        return self.plan.kind == "plain" or parity == 0

    def _routes(self, axis: Axis) -> tuple[Route, ...]:
        ring, name = self.plan.rings[axis], f"{self.plan.request.prefix}{axis}"
        forwards = ring.routes(f"{name}+")
        if not self.plan.rounds(axis):
            return forwards
        across = self.plan.rings["y" if axis == "x" else "x"].extent
        step = 1 if self.plan.kind == "plain" else 2
        return forwards + ring.routes(f"{name}-", backwards=True, lines=(0, -(-across // step), step))

    def _body(
        self, moving: Sequence[Moving], numbers: Mapping[Axis, tuple[int, int]], parity: Mapping[Axis, int]
    ) -> tuple[Instruction, ...]:
        plan, request = self.plan, self.plan.request
        batch: Expr = BATCH if request.batch else const(0)
        size = plan.tiles.size("c", plan.tiles.k)
        body: list[Instruction] = []
        for m, held in zip(moving, (plan.a, plan.b), strict=True):
            if m.buffer != held.buffer:
                body.append(copy(m.at(const(0)), Access(held.buffer, batch * m.size, (1,)), m.size))
        body += self._rotate(moving, numbers, parity)
        body.append(clear(plan.c.buffer, batch * size, size))
        body += self._multiply(moving, numbers, Access(plan.c.buffer, batch * size, (1,)))
        b = moving[1]
        if plan.b_in_place and b.ring.extent > 1 and plan.steps % 2:
            body.append(copy(b.at(const(0)), b.at(const(1)), b.size))
        return (Loop(BATCH.name, const(request.batch), tuple(body)),) if request.batch else tuple(body)

    def _rotate(
        self, moving: Sequence[Moving], numbers: Mapping[Axis, tuple[int, int]], parity: Mapping[Axis, int]
    ) -> list[Instruction]:
        """Exchanges on every line as many times as any line needs; a tile that is in place is sent again in vain."""
        turning = [m for m in moving if self.plan.rounds(m.ring.axis)]
        if not turning:
            return []
        exchanges: list[Instruction] = []
        for m in turning:
            axis = m.ring.axis
            colours = self._colours(m, numbers[axis], self._backwards(axis, parity[axis]))
            exchanges += m.exchange(colours, minimum(ROUND, m.turns))
        rounds = max(self.plan.rounds(m.ring.axis) for m in turning)
        return [Loop(ROUND.name, const(rounds), self._asynchronous(exchanges, turning))]

    def _multiply(
        self, moving: Sequence[Moving], numbers: Mapping[Axis, tuple[int, int]], c: Access
    ) -> list[Instruction]:
        """In each step every PE passes its tiles on while it multiplies them."""
        plan, tiles = self.plan, self.plan.tiles
        exchanges: list[Instruction] = []
        offsets = []
        for m in moving:
            axis = m.ring.axis
            passed = m.turns + STEP if m.ring.extent > 1 else const(0)
            if m.ring.extent > 1:
                exchanges += m.exchange(self._colours(m, numbers[axis], False), passed)
            rows = (
                tiles.k.block
                * tiles.strides("a" if axis == "x" else "b", plan.moving(axis).block)[axis == "x"]
            )
            offsets.append(m.at(passed).offset + plan.tile_block(axis) * rows)
        a, b = (m.buffer for m in moving)
        bounds = (tiles.m.extent(Y), tiles.k.extent(plan.place(plan.block)), tiles.n.extent(X))
        compute = tiles.product(c, (a, offsets[0], plan.moving("x").block), (b, offsets[1]), bounds)
        active = [m for m in moving if m.ring.extent > 1]
        return [Loop(STEP.name, const(plan.steps), self._asynchronous(exchanges, active, *compute))]

    def _colours(self, m: Moving, numbers: tuple[int, int], backwards: bool) -> tuple[str, str]:
        """Names of the colours to send and to receive on."""
        sends, receives = reversed(numbers) if backwards else numbers
        sign = "-" if backwards else "+"
        return f"{m.name}{sign}{sends}", f"{m.name}{sign}{receives}"

    def _asynchronous(
        self, exchanges: Sequence[Instruction], moving: Sequence[Moving], *meanwhile: Instruction
    ) -> tuple[Instruction, ...]:
        """Starts exchanges, does something else, and goes on when a task says that they are done."""
        if not exchanges:
            return tuple(meanwhile)
        threads = tuple(t for m in moving for t in THREADS[m.ring.axis])
        load = Control("descriptor", const(len(exchanges)))
        return (load, *exchanges, *meanwhile, Join(threads, tasks=True))
