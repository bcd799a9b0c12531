"""Where values are: every distributed value has a tile in a buffer of each PE's SRAM.

Positions in tiles are expressions in the loops of the vector operation at hand, which are variables of their own kind
(`loop_indices`), in the PE's coordinates and in the variables of enclosing loops.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ...dialects.host import ir
from ...wse_target.image import Access, Buffer
from ...wse_target.quasi_affine import Expr, Var, const, minimum
from .layout_rules import Axes, Grid, elements
from .library import fragment
from .nodes import shape_of
from .plan import RESHAPES
from .scalar_body import dtype_name
from .write.expressions import linear_terms, row_major_pitches

_IN_PLACE = ("wse.reduce", "wse.broadcast", "wse.all_reduce")


def loop_indices(rank: int) -> list[Expr]:
    """The indices of a vector operation's loops, outermost first."""
    return [Var(f"loop {dim}") for dim in range(rank)]


def local_bound(size: int, axis: str, grid: Grid, number: Expr | None = None) -> Expr:
    """How many elements of a dimension block `number` holds (default: the PE's own); may be negative."""
    if not axis:
        return const(size)
    block = grid.block(size, axis)
    if block * grid.extent(axis) == size:
        return const(block)
    number = Var(axis) if number is None else number
    return minimum(block, const(size) - number * block)


def access(buffer: str, position: Expr, loops: int) -> Access:
    """The walk whose element in step (`loop_indices`) is at `position`, counted in elements of the buffer."""
    terms, rest = linear_terms(position)
    strides = tuple(terms.pop(index, 0) for index in loop_indices(loops))
    offset: Expr = const(0)
    for atom, factor in terms.items():
        offset = offset + atom * factor
    return Access(buffer, offset + rest, strides)


@dataclass(frozen=True)
class Tile:
    """The part of a value that a PE holds.

    Attributes:
        buffer: the SRAM buffer it lives in.
        shape: of the largest tile; row-major in the buffer.
        sizes / axes: shape and layout of the whole tensor.
    """

    buffer: str
    shape: tuple[int, ...]
    sizes: tuple[int, ...]
    axes: Axes

    def at(self, indices: Sequence[Expr], loops: int) -> Access:
        """The walk over the elements at `indices` of the tile, in a nest of so many loops."""
        position: Expr = const(0)
        for index, pitch in zip(indices, row_major_pitches(self.shape), strict=True):
            position = position + index * pitch
        return access(self.buffer, position, loops)

    def whole(self) -> Access:
        """The walk over all elements, a loop for each dimension."""
        return self.at(loop_indices(len(self.shape)), len(self.shape))

    def bounds(self, grid: Grid) -> tuple[Expr, ...]:
        """Trip counts of a walk over the elements that this PE holds."""
        return tuple(local_bound(s, a, grid) for s, a in zip(self.sizes, self.axes, strict=True))

    def origin(self, grid: Grid) -> tuple[Expr, ...]:
        """The tensor's index of the tile's first element."""
        split = zip(self.axes, self.shape, strict=True)
        return tuple(Var(axis) * block if axis else const(0) for axis, block in split)


@dataclass
class Tiles:
    """Buffers by name, in order of creation, and the tile of every value."""

    grid: Grid
    buffers: dict[str, Buffer] = field(default_factory=dict)
    by_value: dict[ir.Value, Tile] = field(default_factory=dict)

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

    def new(self, value: ir.Value, axes: Axes, hint: str) -> Tile:
        """A tile in a buffer of its own for `value`, laid out as `axes`."""
        sizes = shape_of(value)
        shape = self.grid.tile(sizes, axes)
        flat = not shape or _is_reshaped(value)
        dtype = dtype_name(ir.RankedTensorType(value.type).element_type)
        name = self.buffer(hint, (elements(shape),) if flat else shape, dtype)
        self.by_value[value] = Tile(name, shape, sizes, axes)
        return self.by_value[value]

    def alias(self, value: ir.Value, source: ir.Value, axes: Axes) -> None:
        """`value` is `source`'s memory seen in another shape."""
        sizes = shape_of(value)
        self.by_value[value] = Tile(self.by_value[source].buffer, self.grid.tile(sizes, axes), sizes, axes)

    def like(self, tile: Tile, hint: str) -> Tile:
        """A tile of the same part of the same tensor in a buffer of its own."""
        shape, dtype = self.buffers[tile.buffer].shape, self.buffers[tile.buffer].dtype
        return Tile(self.buffer(hint, shape, dtype), tile.shape, tile.sizes, tile.axes)

    def scratch(self, hint: str, shape: tuple[int, ...], dtype: str) -> Tile:
        """A tile for an intermediate value that no tensor stands for."""
        name = self.buffer(hint, shape or (1,), dtype)
        return Tile(name, shape, shape, ("",) * len(shape))

    def dtype(self, tile: Tile) -> str:
        """Element type of a tile."""
        return self.buffers[tile.buffer].dtype

    def walk(self, tile: Tile) -> fragment.Tile:
        """A tile as the library sees it: one loop where it is one stretch of memory, else a loop for each dimension."""
        bounds = tile.bounds(self.grid)
        dtype = self.buffers[tile.buffer].dtype
        if bounds == tuple(const(size) for size in tile.shape):
            return fragment.Tile(Access(tile.buffer, const(0), (1,)), (const(elements(tile.shape)),), dtype)
        return fragment.Tile(tile.whole(), bounds, dtype)


def _is_reshaped(value: ir.Value) -> bool:
    """Whether memory of `value` is also seen in another shape."""
    for use in value.uses:
        owner = use.owner.operation
        if owner.name in RESHAPES or (owner.name in _IN_PLACE and _is_reshaped(owner.results[0])):
            return True
    return False
