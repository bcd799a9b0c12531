"""Loads and stores of one register tile: vectors along the column, the last one under a mask where columns end."""

from collections.abc import Mapping
from dataclasses import dataclass

from .....dialects.affine.expressions import emit_affine, used_dims
from .....dialects.constants import zeros
from .....dialects.host import arith, ir, memref, vector
from ....tensor.access import access_kind
from ..vector_body import Point, vector_of
from .accesses import BufferElement
from .flat_operand import index


@dataclass(frozen=True)
class Columns:
    """The columns of a tile.

    Attributes:
        vectors / lanes: as in `TileShape`.
        filled: lanes of the last vector that are columns; a value where it is known only at run time, None for all.
    """

    vectors: int
    lanes: int
    filled: int | ir.Value | None = None

    @property
    def width(self) -> int:
        """Columns of its vectors, those beyond the last one included."""
        return self.vectors * self.lanes

    def mask(self, number: int) -> ir.Value | None:
        """Emits the mask of a vector; None when it is full."""
        if self.filled is None or number != self.vectors - 1:
            return None
        kind = ir.VectorType.get([self.lanes], ir.IntegerType.get_signless(1))
        if isinstance(self.filled, int):
            bits = [lane < self.filled for lane in range(self.lanes)]
            return arith.constant(kind, ir.DenseElementsAttr.get([ir.BoolAttr.get(b) for b in bits], kind))
        return vector.create_mask(kind, [self.filled])


class TileMemory:
    """Reads and writes the elements of a tile, each index and each loaded value once.

    Args:
        bases: index of the tile's first point, for every parallel iterator.
    """

    def __init__(self, bases: Mapping[int, ir.Value], column: int, columns: Columns, loops: int) -> None:
        self.bases = bases
        self.columns = columns
        self._column = column
        self._loops = loops
        self._indices: dict[tuple[int, int], ir.Value] = {}
        self._loads: dict[tuple[BufferElement, tuple[tuple[int, int], ...]], ir.Value] = {}
        self._masks = [columns.mask(number) for number in range(columns.vectors)]

    def index(self, expr: ir.AffineExpr, point: Point) -> ir.Value:
        """The value of an expression of iterators at a point."""
        return emit_affine(expr, lambda i: self._iterator(i, point.get(i, 0)))

    def load(self, access: BufferElement, rows: Point, number: int) -> ir.Value:
        """The elements of an access for vector `number` of a row: a scalar where all lanes have the same."""
        if not isinstance(access.buffer.type, ir.MemRefType):
            return access.buffer
        point = self._point(rows, number)
        used = {i for e in access.subscripts for i in used_dims(e)}
        key = (access, tuple((i, o) for i, o in sorted(point.items()) if i in used))
        if key not in self._loads:
            self._loads[key] = self._load(access, point, number)
        return self._loads[key]

    def store(self, value: ir.Value, access: BufferElement, rows: Point, number: int) -> None:
        """Writes the vector `number` of a row."""
        point = self._point(rows, number)
        mask = self._masks[number]
        if self._kind(access) == "contiguous":
            subscripts = self._subscripts(access, point)
            if mask is None:
                vector.StoreOp(value, access.buffer, subscripts)
            else:
                vector.maskedstore(access.buffer, subscripts, mask, value)
            return
        for lane in range(self._filled(number)):
            element = vector.ExtractOp(value, [], [lane]).result
            memref.StoreOp(element, access.buffer, self._subscripts(access, self._lane(point, lane)))

    def _load(self, access: BufferElement, point: Point, number: int) -> ir.Value:
        element = ir.MemRefType(access.buffer.type).element_type
        kind, lanes = self._kind(access), self.columns.lanes
        if kind == "uniform":
            return memref.load(access.buffer, self._subscripts(access, point))
        if kind == "contiguous":
            subscripts, mask = self._subscripts(access, point), self._masks[number]
            if mask is None:
                return vector.LoadOp(vector_of(element, lanes), access.buffer, subscripts).result
            of_type = ir.VectorType.get([lanes], element)
            return vector.maskedload(of_type, access.buffer, subscripts, mask, zeros(of_type))
        filled = self._filled(number)
        loads = [
            memref.load(access.buffer, self._subscripts(access, self._lane(point, lane)))
            for lane in range(filled)
        ]
        return vector.FromElementsOp(vector_of(element, lanes), loads + loads[:1] * (lanes - filled)).result

    def _kind(self, access: BufferElement) -> str:
        return access_kind(access.buffer, access.map(self._loops), self._column)

    def _filled(self, number: int) -> int:
        filled = self.columns.filled if number == self.columns.vectors - 1 else None
        assert filled is None or isinstance(filled, int), "scattered elements have a known number"
        return self.columns.lanes if filled is None else filled

    def _iterator(self, iterator: int, offset: int) -> ir.Value:
        if offset == 0:
            return self.bases[iterator]
        key = (iterator, offset)
        if key not in self._indices:
            self._indices[key] = arith.addi(self.bases[iterator], index(offset))
        return self._indices[key]

    def _subscripts(self, access: BufferElement, point: Point) -> list[ir.Value]:
        return [self.index(e, point) for e in access.subscripts]

    def _point(self, rows: Point, number: int) -> dict[int, int]:
        return {**rows, self._column: number * self.columns.lanes}

    def _lane(self, point: Point, lane: int) -> Point:
        return {**point, self._column: point[self._column] + lane}


def points_of(rows: Mapping[int, int]) -> list[dict[int, int]]:
    """The points of a tile's rows, the last iterator running fastest."""
    points: list[dict[int, int]] = [{}]
    for iterator in sorted(rows):
        points = [{**p, iterator: k} for p in points for k in range(rows[iterator])]
    return points
