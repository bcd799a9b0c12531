"""Scores of a prefill: keys go round the y ring, rows of PEs sum their parts to a root that goes round the x ring.

In a step every PE multiplies its queries with the keys that it has. The sum over the features, which lie over x,
belongs to the column of those keys' block: from both ends of the row every PE adds its part to what passes.
"""

from __future__ import annotations

from dataclasses import dataclass

from wse_mlir.passes.wafer.algorithms.collectives.wires import Wires
from wse_mlir.passes.wafer.algorithms.fragment import Fragment, Line, RectangleText
from wse_mlir.passes.wafer.algorithms.products.ring_program import THREADS, Moving
from wse_mlir.passes.wafer.algorithms.products.rings import ProductRing
from wse_mlir.wse_target.image import StridedRect
from wse_mlir.wse_target.instructions import Choose, Control, Instruction, Join, Loop, Receive, Relay, Send
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.quasi_affine import Expr, Var, const, maximum, minimum

from .scalar_code import operations
from .writer import X, Y, vector, walk

STEP = Var("step")


@dataclass(frozen=True)
class Scores:
    """The steps of the product.

    Attributes:
        s / d: a PE's tokens and features.
    """

    grid: tuple[int, int]
    machine: Machine
    s: int
    d: int
    partial: str = "partial"

    @property
    def ring(self) -> ProductRing:
        return ProductRing("y", self.grid, "interleaved")

    @property
    def root(self) -> Expr:
        """Column that the row's sum goes to in a step: that of the keys' block, whose labels come in falling order."""
        ring = self.ring
        return ring.position((ring.label(Y) - STEP) % ring.extent)

    def fragment(self) -> Fragment:
        """The product, without what comes before and after it."""
        ring, wires = self.ring, Wires(Line("x", self.grid))
        last = self.grid[0] - 1
        for position in range(last):
            wires.connect(_right(position), position, position + 1)
            wires.connect(_left(position + 1), position + 1, position)
        routes = (*wires.routes(), *ring.routes("keys+"))
        parts = tuple(
            RectangleText(
                StridedRect((first, rows[0]), (count, rows[1]), (2, rows[2])), self._body(first, *colours)
            )
            for first, count in ((0, 1), (1, last // 2), (2, (last - 1) // 2), (last, 1))
            if count
            for rows, colours, _ in ring.roles()
        )
        return Fragment(parts, (), tuple(dict.fromkeys(r.colour for r in routes)), routes)

    def _body(self, first: int, sends: int, receives: int) -> tuple[Instruction, ...]:
        """What the PEs of a column, and those of every second one behind it, do."""
        s, d, ring = self.s, self.d, self.ring
        keys = Moving(ring, "keys", "k", s * d, const(0), packed=True)
        exchange = keys.exchange((f"keys+{sends}", f"keys+{receives}"), STEP)
        here = walk("k", s, 1, 0, at=keys.at(STEP).offset)
        step = (
            Control("descriptor", const(len(exchange))),
            *exchange,
            vector("fill", s * s, walk(self.partial), 0.0),
            Control("descriptor", const(3)),
            vector("fma", (d, s, s), walk(self.partial, 0, s, 1), walk("q", s, 0, 1), here),
            Control("scalar", const(operations(self.machine, "div", "floor", "mul", "sub"))),
            Choose(minimum(2, maximum(0, self.root - X + 1)), self._cases(first)),
            vector("fill", s * s, walk(self.partial), 0.0),
            Join(THREADS["y"], tasks=True),
        )
        return (Loop(STEP.name, const(ring.extent), step),)

    def _cases(self, column: int) -> tuple[tuple[Instruction, ...], ...]:
        """What a PE does with its part: the root is on its low side, is itself, is on its high side."""
        own, everything = walk(self.partial), (const(self.s * self.s),)
        from_low, from_high = _right(column - 1), _left(column + 1)
        is_first, is_last = column == 0, column == self.grid[0] - 1

        def passed(source: str, target: str, is_end: bool) -> tuple[Instruction, ...]:
            return (Send(target, everything, own),) if is_end else (Relay(source, target, everything, own),)

        taken = [from_low] * (not is_first) + [from_high] * (not is_last)
        at_root = tuple(Receive(colour, everything, own, "add") for colour in taken)
        return passed(from_high, _left(column), is_last), at_root, passed(from_low, _right(column), is_first)


def _right(position: int) -> str:
    """The colour on which a position sends to the next one."""
    return f"right{position % 2}"


def _left(position: int) -> str:
    """The colour on which a position sends to the one before."""
    return f"left{position % 2}"
