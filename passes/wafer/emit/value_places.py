"""Where the values of an operation's scalar body are on a PE: in tiles, in scratch vectors, or in the text alone."""

from collections.abc import Sequence
from typing import cast

from ....dialects.host import ir
from ....wse_target.instructions import Access, Dtype
from ....wse_target.layout.tensor_layout import TensorLayout
from ....wse_target.quasi_affine import Expr
from ..scalars.splat import made_of
from ..scalars.values import Immediate, IteratorValue, Operand, ScalarValue, Temp
from ..shard.nodes import Compute, dtype_of
from .positions import positions_in_tile, stride_of
from .tiles import LocalTile, TileBuffers, loop_indices
from .write.expressions import row_major_pitches

ScalarSource = Access | float | int


class ValuePlaces:
    """Tiles of operands, results and temporaries, as vector operations reach them.

    Attributes:
        results: tiles of the results; None for those that nobody uses.
        places: temporary -> its tile, and its iterators in order.
        indices: iterator -> the vector of its values.
        looped: iterators that are run by enclosing loops -> their variable.
    """

    def __init__(
        self,
        compute: Compute,
        loops: TensorLayout,
        tiles: TileBuffers,
        needed: Sequence[TensorLayout | None],
        results: Sequence[LocalTile | None],
    ) -> None:
        """
        Args:
            needed: layouts in which the operation reads and writes its operands.
        """
        self.results = results
        self.places: dict[int, tuple[LocalTile, tuple[int, ...]]] = {}
        self.indices: dict[int, LocalTile] = {}
        self.looped: dict[int, Expr] = {}
        self._view, self._has_reduction = compute.view, compute.has_reduction
        self._loops, self._tiles, self._needed = loops, tiles, needed

    def block(self, iterator: int) -> int:
        """Most points of an iterator on a PE."""
        return self._loops.dims[iterator].room

    def bound(self, iterator: int) -> Expr:
        """Points of an iterator on each PE."""
        return self._loops.span(iterator)[1]

    def index(self, iterator: int, loops: Sequence[int]) -> Expr:
        """An iterator's value in an operation over these loops."""
        if iterator in self.looped:
            return self.looped[iterator]
        return loop_indices(len(loops))[list(loops).index(iterator)]

    def access(self, tile: LocalTile, amap: ir.AffineMap, loops: Sequence[int]) -> Access:
        """The element of a tile that an operand's map says."""
        indices = positions_in_tile(amap, self._loops, tile.layout, lambda i: self.index(i, loops))
        return tile.at(indices, len(loops))

    def source(self, value: ScalarValue, loops: Sequence[int]) -> ScalarSource:
        """What an operation over these loops reads a value from."""
        if isinstance(value, Immediate):
            return value.value
        if isinstance(value, IteratorValue):
            return self.indices[value.dim].at([self.index(value.dim, loops)], len(loops))
        if isinstance(value, Temp):
            tile, iterators = self.places[value.index]
            return tile.at([self.index(i, loops) for i in iterators], len(loops))
        return self.operand(value.position, loops)

    def operand(self, position: int, loops: Sequence[int]) -> ScalarSource:
        """What an operation reads its operand of that number from; a reduction its result."""
        inputs = len(self._view.inputs)
        result = self.results[position - inputs] if position >= inputs and self._has_reduction else None
        if result is not None:
            return self.access(result, self._view.maps[position], loops)
        value = self._view.operands[position]
        number = made_of(value)  # what nobody wrote is nowhere, either
        if number is not None:
            return number
        return self.access(self._tiles.by_value[value], self._view.maps[position], loops)

    def dtype(self, value: Operand | Temp) -> Dtype:
        """The type of a value's elements."""
        if isinstance(value, Temp):
            return cast(Dtype, self._tiles.dtype(self.places[value.index][0]))
        return dtype_of(self._view.operands[value.position])

    def stride(self, value: ScalarValue, iterator: int) -> int:
        """Elements between two steps of `iterator` in what `value` is read from; 0 when it does not move."""
        if isinstance(value, Temp):
            tile, iterators = self.places[value.index]
            pitches = row_major_pitches(tile.shape)
            return pitches[iterators.index(iterator)] if iterator in iterators else 0
        if not isinstance(value, Operand):
            return 0
        layout, amap = self._needed[value.position], self._view.maps[value.position]
        return stride_of(amap, iterator, layout.tile_shape) if layout is not None else 0
