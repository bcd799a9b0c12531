"""One token through one layer as WaferLLM's decode executes it: ten sums over lines of PEs, nine local products.

x lies along y, and every product sums along the axis that its operand lies along: results alternate between the axes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.passes.wafer.algorithms.fragment import Axis, CollectiveRequest, Fragment, Line, TileWalk
from wse_mlir.passes.wafer.algorithms.products.matvec import TREE_ROLES
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.instructions import Combine, Control, Switch
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.quasi_affine import const

from .row import Row
from .scalar_code import code, loop
from .writer import Writer, folded, vector, walk

POSITION: dict[Axis, int] = {"y": 0, "x": 1}  # settings of the colours that both axes share
EXP = ("mul", "add", "mul", "mul")  # of one scale, one sum and two squares
SILU = ("mul", *EXP, "add", "div")


@dataclass
class Decode:
    """The steps of one row.

    Attributes:
        d / f / s: a PE's part of the width, of the inner width, and of the positions.
    """

    row: Row
    machine: Machine

    def __post_init__(self) -> None:
        self.d, self.f, self.s = self.row.tiles
        self.w = Writer(self.row.side, self.machine)
        self.tree = choose("all_reduce", f"k_tree{{group={self.row.group}}}")

    def program(self) -> Program:
        """The layer, step by step."""
        self._buffers()
        self._attention()
        self._feed_forward()
        return self.w.program("decode")

    def _buffers(self) -> None:
        d, f, s, buffer = self.d, self.f, self.s, self.w.buffer
        for name, *shape in (
            ("x", d), ("weight_1", d), ("weight_2", d), ("cosine", d), ("sine", d), ("w_q", d, d), ("w_k", d, d),
            ("w_v", d, d), ("w_o", d, d), ("w_up", d, f), ("w_gate", d, f), ("w_down", f, d), ("keys", d, s),
            ("values", s, d),
        ):  # fmt: skip
            buffer(name, *shape, resident=True)
        for name, size in (
            ("normed", d), ("square", d), ("qkv", 3 * d), ("turned", d), ("scores", s), ("mixed", d), ("o", d),
            ("up_gate", 2 * f), ("inner", f), ("down", d), ("residual", d), ("result", d), ("number", 1),
        ):  # fmt: skip
            buffer(name, size)

    def _attention(self) -> None:
        d, s, w = self.d, self.s, self.w
        self._norm("norm 1", "x", "weight_1", d)
        w.phase("q, k, v")
        for number, weight in enumerate(("w_q", "w_k", "w_v")):
            self._gemv("qkv", "normed", weight, d, d, at=number * d)
        self._sum("y", "qkv", 3 * d)
        self._turn("x")
        w.phase("rotary")
        for at in (0, d):
            self._rotate(at)
        w.phase("scores")
        self._gemv("scores", "qkv", "keys", d, s)
        self._sum("x", "scores", s)
        w.run(vector("mul", s, walk("scores"), walk("scores"), 0.1))
        self._turn("y")
        self._softmax()
        w.phase("output")
        self._gemv("mixed", "scores", "values", s, d)
        self._sum("y", "mixed", d)
        self._turn("x")
        w.phase("o")
        self._gemv("o", "mixed", "w_o", d, d)
        self._sum("x", "o", d)
        w.run(vector("add", d, walk("residual"), walk("x"), walk("o")))
        self._turn("y")

    def _feed_forward(self) -> None:
        d, f, w = self.d, self.f, self.w
        self._norm("norm 2", "residual", "weight_2", min(d, self.s))
        w.phase("up, gate")
        self._gemv("up_gate", "normed", "w_up", d, f)
        self._gemv("up_gate", "normed", "w_gate", d, f, at=f)
        self._sum("y", "up_gate", 2 * f)
        w.phase("silu")
        w.run(
            *loop(self.machine, d, "up_gate", *SILU),
            vector("mul", f, walk("inner"), walk("up_gate"), walk("up_gate", at=f)),
        )
        self._turn("x")
        w.phase("down")
        self._gemv("down", "inner", "w_down", f, d)
        self._sum("x", "down", d)
        w.run(vector("add", d, walk("result"), walk("residual"), walk("down")))
        self._turn("y")

    def _gemv(self, out: str, left: str, right: str, k: int, n: int, at: int = 0) -> None:
        """out[at:] = left right on what a PE has: one map, which issues an operation on n elements for each of k."""
        self.w.run(
            vector("fill", n, walk(out, at=at), 0.0),
            Control("descriptor", const(3)),
            vector("fma", (k, n), walk(out, 0, 1, at=at), walk(left, 1, 0), walk(right, n, 1)),
        )

    def _sum(self, axis: Axis, buffer: str, count: int, combine: Combine = "add") -> None:
        """The two-level all-reduce along an axis; which part a PE has in it, it finds out at run time."""
        self.w.run(*TREE_ROLES)
        self.w.add(self._tree(axis, buffer, count, combine))

    def _tree(self, axis: Axis, buffer: str, count: int, combine: Combine) -> Fragment:
        tile = TileWalk(walk(buffer), (const(count),), "f16")
        request = CollectiveRequest(Line(axis, self.w.grid), tile, self.machine, "sum_", combine=combine)
        fragment, position = self.tree.build(request), POSITION[axis]
        return replace(fragment, routes=tuple(replace(r, position=position) for r in fragment.routes))

    def _turn(self, axis: Axis) -> None:
        """Every PE writes the routes of all colours anew, for sums along the other axis."""
        colours = self._tree(axis, "number", 1, "add").colours
        self.w.phase("routes")
        self.w.run(*(Switch(colour, const(POSITION[axis]), rewrite=True) for colour in colours))

    def _norm(self, name: str, source: str, weight: str, scaled: int) -> None:
        """RMSNorm; the last product is over `scaled` elements."""
        d, w = self.d, self.w
        w.phase(name)
        w.run(
            vector("mul", d, walk("square"), walk(source), walk(source)),
            folded("add", d, "number", "square"),
        )
        self._sum("y", "number", 1)
        w.run(
            vector("mul", d, walk("normed"), walk("square"), walk(weight)),
            code(self.machine, "div", "add", "sqrt", "div"),
            vector("mul", scaled, walk("normed"), walk("normed"), walk("number", 0)),
        )

    def _rotate(self, at: int) -> None:
        """Pairs of neighbours are turned: four products, a difference and a sum, each of every second element."""
        half = self.d // 2
        if not half:
            return
        even, odd = walk("qkv", 2, at=at), walk("qkv", 2, at=at + 1)
        there, here = walk("turned", 2), walk("turned", 2, at=1)
        self.w.run(
            vector("mul", half, there, even, walk("cosine", 2)),
            vector("mul", half, here, odd, walk("sine", 2)),
            vector("sub", half, there, there, here),
            vector("mul", half, here, even, walk("sine", 2)),
            vector("mul", half, even, odd, walk("cosine", 2)),
            vector("add", half, odd, here, even),
        )

    def _softmax(self) -> None:
        s, w = self.s, self.w
        w.phase("softmax")
        w.run(vector("fill", 1, walk("number"), 0.0), folded("max", s, "number", "scores"))
        self._sum("y", "number", 1, "max")
        w.run(
            vector("sub", s, walk("scores"), walk("scores"), walk("number", 0)),
            *loop(self.machine, s, "scores", *EXP),
            folded("add", s, "number", "scores"),
        )
        self._sum("y", "number", 1)
        w.run(
            code(self.machine, "div"),
            vector("mul", s, walk("scores"), walk("scores"), walk("number", 0)),
        )
