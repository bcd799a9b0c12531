"""All tokens through one layer as WaferLLM's prefill executes it: nine Cannon products on interleaved rings.

Activations lie with tokens over y and features over x. Of the products, the scores' is another: its left operand stays,
and rows of PEs sum their parts to a column that walks round the ring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.passes.wafer.algorithms.fragment import (
    CollectiveRequest,
    Fragment,
    Line,
    ProductRequest,
    RectangleText,
    TileWalk,
)
from wse_mlir.passes.wafer.emit.forms import FormRewriter
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.instructions import Access, Combine, Instruction
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.quasi_affine import const

from .row import Row
from .scalar_code import loop
from .scores import Scores
from .writer import Writer, vector, walk

SILU = ("neg", "exp", "add", "div")


@dataclass
class Prefill:
    """The steps of one row.

    Attributes:
        d / f / s: a PE's part of the width, of the inner width, and of the tokens.
    """

    row: Row
    machine: Machine

    def __post_init__(self) -> None:
        self.d, self.f, self.s = self.row.tiles
        self._begin()

    def _begin(self) -> None:
        self.w = Writer(self.row.side, self.machine)
        self._buffers()

    @property
    def _stages(self) -> tuple[Callable[[], None], ...]:
        return self._first_half, self._scores, self._attend, self._second_half, self._inner, self._down

    def program(self) -> Program:
        """The layer, step by step."""
        self._begin()
        for stage in self._stages:
            stage()
        return self.w.program("prefill")

    def scores(self) -> Program:
        """The scores alone, begun on all PEs at once."""
        return self._alone(self._scores)

    def others(self) -> Iterator[Program]:
        """What comes before and after the scores, in parts that each begin on all PEs at once."""
        return (self._alone(stage) for stage in self._stages if stage != self._scores)

    def _alone(self, stage: Callable[[], None]) -> Program:
        self._begin()
        stage()
        return self.w.program("prefill")

    def _buffers(self) -> None:
        d, f, s, buffer = self.d, self.f, self.s, self.w.buffer
        for name, size in (("x", s * d), ("weight", d), ("cosine", d), ("sine", d)):
            buffer(name, size, resident=True)
        for name, size in (
            ("normed", s * d), ("square", s * d), ("line", s), ("turned", s * d), ("q", s * d), ("k", 2 * s * d),
            ("v", 2 * s * d), ("scores", s * s), ("mixed", s * d), ("o", s * d), ("residual", s * d),
            ("up", s * f), ("gate", s * f), ("down", s * d), ("result", s * d),
        ):  # fmt: skip
            buffer(name, size)

    def _first_half(self) -> None:
        self._norm("norm 1", "x")
        for name, aligned in (("q", 1), ("k", 0), ("v", 0)):
            self._product(name, (self.s, self.d, self.d), "normed", name, aligned=aligned)
        self.w.phase("rotary")
        for name in ("q", "k"):
            self._rotate(name)

    def _attend(self) -> None:
        self._softmax()
        self._product("output", (self.s, self.s, self.d), "scores", "mixed", right="v")

    def _second_half(self) -> None:
        d, s, w = self.d, self.s, self.w
        self._product("o", (s, d, d), "mixed", "o")
        w.phase("residual")
        w.run(
            vector("fill", s * d, walk("residual"), 0.0),
            vector("add", s * d, walk("residual"), walk("x"), walk("o")),
        )

    def _scores(self) -> None:
        s = self.s
        self.w.buffer("partial", s * s)
        self.w.phase("scores")
        self.w.run(vector("fill", s * s, walk("scores"), 0.0))
        self.w.add(Scores(self.w.grid, self.machine, s, self.d).fragment())

    def _inner(self) -> None:
        d, f, s, w = self.d, self.f, self.s, self.w
        self._norm("norm 2", "residual")
        self._product("up", (s, d, f), "normed", "up")
        self._product("gate", (s, d, f), "normed", "gate", aligned=0)
        w.phase("silu")
        w.run(
            *loop(self.machine, s * f, "up", *SILU),
            vector("mul", s * f, walk("gate"), walk("gate"), walk("up")),
        )

    def _down(self) -> None:
        d, f, s, w = self.d, self.f, self.s, self.w
        self._product("down", (s, f, d), "gate", "down")
        w.phase("result")
        w.run(vector("add", s * d, walk("result"), walk("residual"), walk("down")))

    def _product(
        self, name: str, sizes: tuple[int, int, int], left: str, out: str, right: str = "", aligned: int = 1
    ) -> None:
        """out = left right, tiles of `sizes` (m, k, n): the left one moves along x, the right one along y.

        Args:
            right: a buffer of two tiles; weights of its own when empty.
            aligned: whether the left tiles are brought into place before.
        """
        side, prefix = self.row.side, f"{name}_product_"
        m, k, n = (size * side for size in sizes)
        asked = ProductRequest(self.w.grid, m, k, n, "f16", "f16", self.machine, prefix)
        product = choose("matmul", f"mesh_gemm{{aligned={aligned} packed=1}}").build(asked)
        weights = right or self.w.buffer(f"w_{name}", 2 * sizes[1] * sizes[2], resident=True)
        names = {product.a.buffer: left, product.b.buffer: weights, product.c.buffer: out}
        self.w.phase(name)
        self.w.add(_renamed(product.fragment, names))

    def _norm(self, name: str, source: str) -> None:
        """RMSNorm: squares are summed over the features, tokens side by side."""
        d, s, w = self.d, self.s, self.w
        w.phase(name)
        w.run(
            vector("mul", s * d, walk("square"), walk(source), walk(source)),
            vector("fill", s, walk("line"), 0.0),
            self._onto_line("add", d, "square"),
        )
        self._line("line", "add")
        w.run(
            *loop(self.machine, s, "line", "add", "div", "sqrt", "div"),
            vector(
                "mul", (d, s), walk("normed", s, 1), walk("square", s, 1), walk("weight", 1, 0), looped=True
            ),
            vector(
                "mul", (d, s), walk("normed", s, 1), walk("normed", s, 1), walk("line", 0, 1), looped=True
            ),
        )

    def _onto_line(self, kind: str, columns: int, source: str) -> Instruction:
        """A vector of s operated on with every column of a tile."""
        return vector(
            kind,
            (columns, self.s),
            walk("line", 0, 1),
            walk("line", 0, 1),
            walk(source, self.s, 1),
            looped=True,
        )

    def _line(self, buffer: str, combine: Combine) -> None:
        """A chain from both ends of each row to its middle, which multicasts."""
        tile = TileWalk(walk(buffer), (const(self.s),), "f16")
        request = CollectiveRequest(Line("x", self.w.grid), tile, self.machine, "line_", combine=combine)
        self.w.add(choose("all_reduce", "chain{middle=1}").build(request))

    def _rotate(self, name: str) -> None:
        """Pairs of columns are turned, token by token."""
        half, s = self.d // 2, self.s
        if not half:
            return

        def column(buffer: str, odd: int) -> Access:
            return walk(buffer, 2 * s, 1, at=odd * s)

        def step(kind: str, out: Access, left: Access, right: Access) -> Instruction:
            return vector(kind, (half, s), out, left, right, looped=True)

        even, odd, other = column(name, 0), column(name, 1), walk("turned", s, 1)
        cosine, sine = walk("cosine", 2, 0), walk("sine", 2, 0)
        self.w.run(
            step("mul", other, even, cosine), step("mul", other, odd, sine), step("sub", even, even, other),
            step("mul", other, even, sine), step("mul", odd, odd, cosine), step("add", odd, odd, other),
        )  # fmt: skip

    def _softmax(self) -> None:
        s, w = self.s, self.w
        w.phase("softmax")
        w.run(
            vector("mul", s * s, walk("scores"), walk("scores"), 0.1),
            vector("fill", s, walk("line"), 0.0),
            self._onto_line("max", s, "scores"),
        )
        self._line("line", "max")
        w.run(
            vector(
                "sub", (s, s), walk("scores", s, 1), walk("scores", s, 1), walk("line", 0, 1), looped=True
            ),
            *loop(self.machine, s * s, "scores", "add", "exp"),
            vector("fill", s, walk("line"), 0.0),
            self._onto_line("add", s, "scores"),
        )
        self._line("line", "add")
        w.run(
            *loop(self.machine, s, "line", "copy", "div"),
            vector(
                "mul", (s, s), walk("scores", s, 1), walk("scores", s, 1), walk("line", 0, 1), looped=True
            ),
        )


def _renamed(fragment: Fragment, names: Mapping[str, str]) -> Fragment:
    """The fragment on other buffers."""

    def access(given: Access) -> Access:
        return replace(given, buffer=names.get(given.buffer, given.buffer))

    rewriter = FormRewriter(access, lambda colour: colour, lambda source: source)
    parts = tuple(RectangleText(part.where, rewriter(part.body)) for part in fragment.parts)
    return replace(fragment, parts=parts)
