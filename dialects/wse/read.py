"""Plain Python values out of `wse` attributes."""

from collections.abc import Sequence

from ...wse_target.image import StridedRect
from ...wse_target.layout.rectangle import Rect
from ...wse_target.layout.tensor_layout import TensorLayout
from ...wse_target.layout.text import parse_layout
from ..host import ir
from .attributes import LayoutAttr, RectAttr, SramAttr, StridedRectAttr


def integer(attribute: ir.Attribute) -> int:
    """The value of an integer attribute."""
    return ir.IntegerAttr(attribute).value


def string(attribute: ir.Attribute) -> str:
    """The value of a string attribute."""
    return ir.StringAttr(attribute).value


def integers(array: ir.Attribute) -> tuple[int, ...]:
    """The values of an array of integers."""
    return tuple(integer(item) for item in ir.ArrayAttr(array))


def strings(array: ir.Attribute) -> tuple[str, ...]:
    """The values of an array of strings."""
    return tuple(string(item) for item in ir.ArrayAttr(array))


def maps(array: ir.Attribute) -> tuple[ir.AffineMap, ...]:
    """The maps of an array of affine maps."""
    return tuple(ir.AffineMapAttr(item).value for item in ir.ArrayAttr(array))


def types(array: ir.Attribute) -> tuple[ir.Type, ...]:
    """The types of an array of types."""
    return tuple(ir.TypeAttr(item).value for item in ir.ArrayAttr(array))


def rect(attribute: ir.Attribute) -> Rect:
    """`#wse.rect<x0, y0, w, h>` as a `Rect`."""
    return Rect(*(integer(p) for p in RectAttr(attribute).params))


def layout(attribute: ir.Attribute, of: ir.Type | Sequence[int]) -> TensorLayout:
    """`#wse.layout` of a tensor of that type, or of so many indices along each dimension, as a `TensorLayout`.

    Raises:
        TargetError: it is none of such a tensor.
    """
    shape = tuple(ir.ShapedType(of).shape) if isinstance(of, ir.Type) else tuple(of)
    return parse_layout(string(LayoutAttr(attribute).params[0]), shape)


def layouts(op: ir.OpView | ir.Operation) -> tuple[TensorLayout, ...]:
    """`wse.layouts` of an operation: where each result is."""
    attributes = ir.ArrayAttr(op.attributes["wse.layouts"])
    results = op.operation.results
    return tuple(layout(a, value.type) for a, value in zip(attributes, results, strict=True))


def strided_rect(attribute: ir.Attribute) -> StridedRect:
    """`#wse.strided_rect<x0, y0, nx, ny, sx, sy>` as a `StridedRect`."""
    x0, y0, nx, ny, sx, sy = (integer(p) for p in StridedRectAttr(attribute).params)
    return StridedRect((x0, y0), (nx, ny), (sx, sy))


def sram_offset(memref_type: ir.Type) -> int | None:
    """The byte offset in a memref's memory space; None when the memref is not in `#wse.sram`."""
    space = ir.MemRefType(memref_type).memory_space
    return integer(space.params[0]) if isinstance(space, SramAttr) else None


def scalars(array: ir.Attribute) -> tuple[float | int | None, ...]:
    """One entry per source of a `wse.vector`: None for a memref, else the immediate."""
    values: list[float | int | None] = []
    for item in ir.ArrayAttr(array):
        if isinstance(item, ir.UnitAttr):
            values.append(None)
        elif isinstance(item, ir.BoolAttr):
            values.append(int(item.value))
        else:
            values.append(item.value)  # type: ignore[attr-defined]
    return tuple(values)
