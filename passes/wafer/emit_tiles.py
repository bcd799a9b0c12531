"""Gives every distributed value a tile in a buffer of each PE's SRAM."""

from dataclasses import dataclass, field

from ...dialects.host import ir
from .emit_steps import Tile
from .layout_rules import Axes, Grid, elements
from .nodes import shape_of
from .plan import RESHAPES
from .scalar_body import dtype_name

_IN_PLACE = ("wse.reduce", "wse.broadcast")


@dataclass
class Tiles:
    """Buffers by name, in order of creation, and the tile of every value."""

    grid: Grid
    buffers: dict[str, tuple[tuple[int, ...], str]] = field(default_factory=dict)
    by_value: dict[ir.Value, Tile] = field(default_factory=dict)

    def buffer(self, hint: str, shape: tuple[int, ...], dtype: str) -> str:
        """A new buffer whose name starts with `hint`."""
        clean = "".join(c if c.isalnum() else "_" for c in hint)
        clean = clean if clean[:1].isalpha() else f"t{clean}"
        name = f"{clean}_{len(self.buffers)}"
        self.buffers[name] = (shape, dtype)
        return name

    def new(self, value: ir.Value, axes: Axes, hint: str) -> Tile:
        """A tile in a buffer of its own for `value`, laid out as `axes`."""
        sizes = shape_of(value)
        shape = self.grid.tile(sizes, axes)
        flat = not shape or _is_reshaped(value)
        dtype = dtype_name(ir.RankedTensorType(value.type).element_type)
        name = self.buffer(hint, (elements(shape),) if flat else shape, dtype)
        self.by_value[value] = Tile(name, shape, flat, sizes, axes)
        return self.by_value[value]

    def alias(self, value: ir.Value, source: ir.Value, axes: Axes) -> None:
        """`value` is `source`'s memory seen in another shape."""
        sizes = shape_of(value)
        self.by_value[value] = Tile(
            self.by_value[source].buffer, self.grid.tile(sizes, axes), True, sizes, axes
        )

    def scratch(self, hint: str, shape: tuple[int, ...], dtype: str) -> Tile:
        """A tile for an intermediate value that no tensor stands for."""
        flat = not shape
        name = self.buffer(hint, (1,) if flat else shape, dtype)
        return Tile(name, shape, flat, shape, ("",) * len(shape))

    def dtype(self, tile: Tile) -> str:
        """Element type of a tile."""
        return self.buffers[tile.buffer][1]


def _is_reshaped(value: ir.Value) -> bool:
    """Whether memory of `value` is also seen in another shape."""
    for use in value.uses:
        owner = use.owner.operation
        if owner.name in RESHAPES or (owner.name in _IN_PLACE and _is_reshaped(owner.results[0])):
            return True
    return False
