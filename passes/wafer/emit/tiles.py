"""Where values are: every distributed value has a tile in a buffer of each PE's SRAM.

Positions in tiles are expressions in the loops of the vector operation at hand, which are variables of their own kind
(`loop_indices`), in the PE's coordinates and in the variables of enclosing loops.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ....dialects.host import ir
from ....wse_target.instructions import Access, Buffer
from ....wse_target.layout.mesh import Mesh
from ....wse_target.layout.tensor_layout import TensorLayout
from ....wse_target.quasi_affine import Expr, Var, const
from ..algorithms import fragment
from ..scalars.body import dtype_name
from ..shard.layout_rules import elements
from ..shard.lowering import RESHAPES
from .in_place import changed_in_place
from .write.expressions import linear_terms, row_major_pitches

_IN_PLACE = ("wse.reduce", "wse.broadcast", "wse.all_reduce")


def loop_indices(rank: int) -> list[Expr]:
    """The indices of a vector operation's loops, outermost first."""
    return [Var(f"loop {dim}") for dim in range(rank)]


def access(buffer: str, position: Expr, loops: int) -> Access:
    """The walk whose element in step (`loop_indices`) is at `position`, counted in elements of the buffer."""
    terms, rest = linear_terms(position)
    strides = tuple(terms.pop(index, 0) for index in loop_indices(loops))
    offset: Expr = const(0)
    for atom, factor in terms.items():
        offset = offset + atom * factor
    return Access(buffer, offset + rest, strides)


@dataclass(frozen=True)
class LocalTile:
    """The part of a value that a PE holds.

    Attributes:
        buffer: the SRAM buffer it lives in.
        layout: of the tensor; the tile lies row-major in the buffer, with room for the largest.
    """

    buffer: str
    layout: TensorLayout

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the largest tile."""
        return self.layout.tile_shape

    @property
    def sizes(self) -> tuple[int, ...]:
        """Shape of the whole tensor."""
        return self.layout.shape

    def at(self, indices: Sequence[Expr], loops: int) -> Access:
        """The walk over the elements at `indices` of the tile, in a nest of so many loops."""
        position: Expr = const(0)
        for index, pitch in zip(indices, row_major_pitches(self.shape), strict=True):
            position = position + index * pitch
        return access(self.buffer, position, loops)

    def whole(self) -> Access:
        """The walk over all elements, a loop for each dimension."""
        return self.at(loop_indices(len(self.shape)), len(self.shape))

    def bounds(self) -> tuple[Expr, ...]:
        """Trip counts of a walk over the elements that this PE holds."""
        return tuple(self.layout.span(dim)[1] for dim in range(len(self.sizes)))

    def origin(self) -> tuple[Expr, ...]:
        """The tensor's index of the tile's first element."""
        return tuple(self.layout.span(dim)[0] for dim in range(len(self.sizes)))


@dataclass
class TileBuffers:
    """Buffers by name, in order of creation, and the tile of every value."""

    mesh: Mesh
    buffers: dict[str, Buffer] = field(default_factory=dict)
    by_value: dict[ir.Value, LocalTile] = field(default_factory=dict)

    def clean(self, hint: str) -> str:
        """`hint` as the beginning of a symbol's name."""
        clean = "".join(c if c.isalnum() else "_" for c in hint)
        return clean if clean[:1].isalpha() else f"t{clean}"

    def buffer(self, hint: str, shape: tuple[int, ...], dtype: str) -> str:
        """A new buffer whose name starts with `hint`."""
        name = f"{self.clean(hint)}_{len(self.buffers)}"
        kind: Any = dtype
        self.buffers[name] = Buffer(name, -1, shape, kind)
        return name

    def new(self, value: ir.Value, layout: TensorLayout, hint: str) -> LocalTile:
        """A tile in a buffer of its own for `value`, laid out like that."""
        shape = layout.tile_shape
        flat = not shape or _is_reshaped(value)
        dtype = dtype_name(ir.RankedTensorType(value.type).element_type)
        name = self.buffer(hint, (elements(shape),) if flat else shape, dtype)
        self.by_value[value] = LocalTile(name, layout)
        return self.by_value[value]

    def alias(self, value: ir.Value, source: ir.Value, layout: TensorLayout) -> None:
        """`value` is `source`'s memory seen in another shape."""
        self.by_value[value] = LocalTile(self.by_value[source].buffer, layout)

    def like(self, tile: LocalTile, hint: str) -> LocalTile:
        """A tile of the same part of the same tensor in a buffer of its own."""
        shape, dtype = self.buffers[tile.buffer].shape, self.buffers[tile.buffer].dtype
        return LocalTile(self.buffer(hint, shape, dtype), tile.layout)

    def scratch(self, hint: str, shape: tuple[int, ...], dtype: str) -> LocalTile:
        """A tile for an intermediate value that no tensor stands for."""
        name = self.buffer(hint, shape or (1,), dtype)
        return LocalTile(name, TensorLayout.whole(shape, self.mesh))

    def dtype(self, tile: LocalTile) -> str:
        """Element type of a tile."""
        return self.buffers[tile.buffer].dtype

    def walk(self, tile: LocalTile) -> fragment.TileWalk:
        """A tile as the library sees it: one loop where it is one stretch of memory, else a loop for each dimension."""
        bounds = tile.bounds()
        dtype = self.buffers[tile.buffer].dtype
        if bounds == tuple(const(size) for size in tile.shape):
            return fragment.TileWalk(
                Access(tile.buffer, const(0), (1,)), (const(elements(tile.shape)),), dtype
            )
        return fragment.TileWalk(tile.whole(), bounds, dtype)


def _is_reshaped(value: ir.Value) -> bool:
    """Whether memory of `value` is also seen in another shape."""
    return any(_sees_another_shape(use.owner, value) for use in value.uses)


def _sees_another_shape(reader: Any, value: ir.Value) -> bool:
    name = reader.operation.name
    if name in RESHAPES:
        return True
    changed = changed_in_place(reader)
    same = name in _IN_PLACE or (changed is not None and changed == value)
    return same and _is_reshaped(reader.results[0])
