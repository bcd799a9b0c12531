"""How a product's tensors are cut into blocks, and the buffers that hold them.

Blocks are of equal size, ceil(size / parts), except that the last ones are shorter or empty where that does not divide.
A tile's fastest dimension is the one that vector operations run along.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .....wse_target.image import StridedRect
from .....wse_target.instructions import Access, Control, Dtype, Instruction, Vector
from .....wse_target.quasi_affine import Expr, const, minimum
from ..fragment import Held, ProductRequest


@dataclass(frozen=True)
class Cut:
    """A dimension of `size` in blocks of `block`."""

    size: int
    block: int

    @staticmethod
    def into(parts: int, size: int) -> Cut:
        """Equal blocks for so many owners."""
        return Cut(size, max(1, -(-size // parts)))

    def start(self, number: Expr | int) -> Expr:
        """First index of a block; past the end for owners without one."""
        return const(self.block) * number if isinstance(number, int) else number * self.block

    def extent(self, number: Expr | int) -> Expr:
        """Length of a block; 0 or less for owners without one."""
        return minimum(self.block, const(self.size) - self.start(number))


@dataclass(frozen=True)
class Tiles:
    """Shapes of a PE's tiles of A [m, k], B [k, n] and C [m, n], and the order of their elements.

    Vector operations run along the longer of m and n: along m, A and C are kept column by column (as the measured
    programs do); along n, all three row by row.
    """

    request: ProductRequest
    m: Cut
    k: Cut
    n: Cut

    @property
    def along_m(self) -> bool:
        return self.m.block >= self.n.block

    def strides(self, operand: str, k: int | None = None) -> tuple[int, int]:
        """Strides of A's (m, k), B's (k, n) or C's (m, n) in a tile; `k` is the tile's extent along k."""
        m, n, k = self.m.block, self.n.block, k or self.k.block
        if operand == "a":
            return (1, m) if self.along_m else (k, 1)
        if operand == "b":
            return (n, 1)
        return (1, m) if self.along_m else (n, 1)

    def with_k(self, k: Cut) -> Tiles:
        """The same tiles of C, with k cut otherwise."""
        return replace(self, k=k)

    def size(self, operand: str, k: Cut) -> int:
        """Elements of a tile of A or B whose extent along k is a block of `k`, or of C."""
        m, n = self.m.block, self.n.block
        return {"a": m * k.block, "b": k.block * n, "c": m * n}[operand]

    def held(
        self, operand: str, rows: tuple[Cut, Expr], columns: tuple[Cut, Expr], where: StridedRect
    ) -> Held:
        """How a matrix sits on PEs: the cut of each dimension, and the number of the PE's block."""
        request = self.request
        (row, row_number), (column, column_number) = rows, columns
        shape = (row.block, column.block)
        k = column.block if operand == "a" else row.block
        strides = self.strides(operand, k)
        size = shape[0] * shape[1]
        stored = shape if strides[1] == 1 else shape[::-1]
        bounds = (row.extent(row_number), column.extent(column_number))
        origin = (row.start(row_number), column.start(column_number))
        dtype: Dtype = request.accumulate if operand == "c" else request.dtype
        name = request.prefix + operand
        if not request.batch:
            return Held(name, stored, dtype, bounds, origin, Access(name, const(0), strides), where)
        batch = const(request.batch)
        return Held(
            name, (request.batch, *stored), dtype, (batch, *bounds), (const(0), *origin),
            Access(name, const(0), (size, *strides)), where,
        )  # fmt: skip

    def product(
        self, c: Access, a: tuple[str, Expr, int], b: tuple[str, Expr], bounds: tuple[Expr, Expr, Expr],
        looped: bool = False,
    ) -> tuple[Instruction, ...]:  # fmt: skip
        """C += A B on tiles, k outermost, so that every element is summed in the order of k.

        A map needs its three descriptors loaded; loading them again for every later k is part of `vector.mapped_map`.

        Args:
            c: the tile of C, one element after the other.
            a / b: buffer, offset of the tile, and (for A) the extent along k of the tile it lies in.
            bounds: extents of m, k and n; may differ between PEs.
            looped: whether scalar code issues one operation for each vector.
        """
        m, k, n = bounds
        am, ak = self.strides("a", a[2])
        bk, bn = self.strides("b")
        cm, cn = self.strides("c")
        order = (0, 1, 2) if self.along_m else (0, 2, 1)  # of the loops over k, n and m
        if self.m.size == 1:
            order = (0, 1)

        def nest(*strides: int) -> tuple[int, ...]:
            return tuple(strides[i] for i in order)

        trips = tuple((k, n, m)[i] for i in order)
        a_strides, b_strides, c_strides = nest(ak, 0, am), nest(bk, bn, 0), nest(0, cn, cm)
        multiply = Vector(
            "fma", trips, Access(c.buffer, c.offset, c_strides),
            (Access(a[0], a[1], a_strides), Access(b[0], b[1], b_strides)),
            schedule="looped" if looped else "mapped",
        )  # fmt: skip
        return (multiply,) if looped else (Control("descriptor", const(3)), multiply)


def everywhere(grid: tuple[int, int]) -> StridedRect:
    """All PEs of a grid."""
    return StridedRect((0, 0), grid)


def clear(buffer: str, offset: Expr, count: int) -> Vector:
    """Sets `count` elements to 0."""
    return Vector("fill", (const(count),), Access(buffer, offset, (1,)), (0,))


def copy(target: Access, source: Access, count: int) -> Vector:
    """Copies `count` elements that lie one after the other in both."""
    return Vector("copy", (const(count),), target, (source,))
