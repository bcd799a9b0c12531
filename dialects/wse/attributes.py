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
    """`#wse.layout<["y", ""], #wse.rect<...>>`: how a tensor is spread over a rectangle of PEs.

    One grid axis ("x", "y" or "" for none) per tensor dimension: the dimension is cut into blocks of
    ceil(size / extent) along it. The tensor is replicated along an axis that no dimension names.
    """

    axes: ir.ArrayAttr
    rect: RectAttr


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
