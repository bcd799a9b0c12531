"""Attributes of the `wse` dialect. Parameters are plain attributes; `read.py` turns them into Python values.

Their values are verified by the operations that carry them.
"""

from ..host import ir
from .dialect import Wse


class RectAttr(Wse.Attribute, name="rect"):
    """`#wse.rect<x0, y0, w, h>`: columns x0 .. x0 + w - 1 and rows y0 .. y0 + h - 1 of PEs."""

    x0: ir.IntegerAttr
    y0: ir.IntegerAttr
    w: ir.IntegerAttr
    h: ir.IntegerAttr


class LayoutAttr(Wse.Attribute, name="layout"):
    """`#wse.layout<"[y:4/2, -] on x:4; y:4 at (0, 0)">`: where a tensor is; see `wse_target.layout.text`.

    Of each dimension its digits: so many pieces of so many indices along a sub-axis of the mesh, `*` for pieces that
    one PE holds, `-` for a dimension that is whole. Behind `on` the mesh: sub-axes of x and of y, outermost first, and
    where it is. The tensor is replicated along sub-axes that no dimension names and no partial value.
    """

    text: ir.StringAttr


class StridedRectAttr(Wse.Attribute, name="strided_rect"):
    """`#wse.strided_rect<x0, y0, nx, ny, sx, sy>`: the PEs (x0 + i * sx, y0 + j * sy), i < nx, j < ny."""

    x0: ir.IntegerAttr
    y0: ir.IntegerAttr
    nx: ir.IntegerAttr
    ny: ir.IntegerAttr
    sx: ir.IntegerAttr
    sy: ir.IntegerAttr


class SramAttr(Wse.Attribute, name="sram"):
    """`#wse.sram<offset>`: memory space of a memref that lives in each PE's SRAM.

    The offset counts bytes from the SRAM's start; -1 until memory is planned.
    """

    offset: ir.IntegerAttr
