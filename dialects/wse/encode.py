"""`wse` attributes out of plain Python values; `read.py` is the way back."""

from collections.abc import Sequence

from ...wse_target.image import StridedRect
from ...wse_target.layout.rectangle import Rect
from ...wse_target.layout.tensor_layout import TensorLayout
from ...wse_target.layout.text import layout_text
from ..host import ir
from .attributes import LayoutAttr, RectAttr, SramAttr, StridedRectAttr

EncodedNumber = float | int
LayoutLike = TensorLayout | LayoutAttr
WhereLike = StridedRect | StridedRectAttr


def i64(value: int) -> ir.IntegerAttr:
    """A 64-bit integer attribute."""
    return ir.IntegerAttr.get(ir.IntegerType.get_signless(64), int(value))


def i64_array(values: Sequence[int]) -> ir.ArrayAttr:
    """An array of 64-bit integers."""
    return ir.ArrayAttr.get([i64(v) for v in values])


def string_array(values: Sequence[str]) -> ir.ArrayAttr:
    """An array of strings."""
    return ir.ArrayAttr.get([ir.StringAttr.get(v) for v in values])


def map_array(values: Sequence[ir.AffineMap]) -> ir.ArrayAttr:
    """An array of affine maps."""
    return ir.ArrayAttr.get([ir.AffineMapAttr.get(v) for v in values])


def rect(value: Rect) -> RectAttr:
    """`#wse.rect` of a rectangle."""
    return RectAttr.get(i64(value.x0), i64(value.y0), i64(value.w), i64(value.h))


def layout(value: LayoutLike) -> LayoutAttr:
    """`#wse.layout` of a layout."""
    if isinstance(value, LayoutAttr):
        return value
    return LayoutAttr.get(ir.StringAttr.get(layout_text(value)))


def strided_rect(value: WhereLike) -> StridedRectAttr:
    """`#wse.strided_rect` of a strided rectangle."""
    if isinstance(value, StridedRectAttr):
        return value
    return StridedRectAttr.get(*(i64(v) for v in (*value.base, *value.extent, *value.step)))


def sram(offset: int = -1) -> SramAttr:
    """`#wse.sram<offset>`, a memory space; -1 until planned."""
    return SramAttr.get(i64(offset))


def scalar(value: EncodedNumber | ir.Attribute, element: ir.Type) -> ir.Attribute:
    """An immediate as attribute of the given element type."""
    if isinstance(value, ir.Attribute):
        return value
    if isinstance(element, ir.IntegerType | ir.IndexType):
        return ir.IntegerAttr.get(element, int(value))
    return ir.FloatAttr.get(element, float(value))
