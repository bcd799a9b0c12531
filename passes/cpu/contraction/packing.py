"""How the rhs of a contraction lies in memory: in panels of columns, plain, or so that no vector can be read."""

from ....dialects.host import ir
from ....dialects.structured import Structured, dim_position
from ..access import access_kind, dims_of
from .form import ContractionForm


def packed_width(view: Structured, form: ContractionForm) -> int | None:
    """Columns of a panel of a packed rhs, as in the map (n floordiv 32, k, n mod 32); None for any other rhs."""
    value, amap = view.inputs[form.rhs], view.maps[form.rhs]
    along = [(dim, e) for dim, e in enumerate(amap.results) if form.column in dims_of(e)]
    if len(along) != 2 or along[1][0] != len(amap.results) - 1:
        return None
    (_, panel), (_, lane) = along
    if not (isinstance(panel, ir.AffineFloorDivExpr) and isinstance(lane, ir.AffineModExpr)):
        return None
    width = _divisor(lane, form)
    shape = ir.ShapedType(value.type)
    if width is None or _divisor(panel, form) != width or shape.is_dynamic_dim(shape.rank - 1):
        return None
    return width if shape.get_dim_size(shape.rank - 1) == width else None


def is_readable(view: Structured, form: ContractionForm) -> bool:
    """Whether neighbouring columns lie side by side in the rhs, a buffer."""
    value, amap = view.inputs[form.rhs], view.maps[form.rhs]
    if packed_width(view, form) is not None:
        return ir.MemRefType(value.type).get_strides_and_offset()[0][-1] == 1
    return access_kind(value, amap, form.column) == "contiguous"


def _divisor(expr: ir.AffineBinaryExpr, form: ContractionForm) -> int | None:
    """The constant that the column is divided by."""
    if dim_position(expr.lhs) != form.column or not isinstance(expr.rhs, ir.AffineConstantExpr):
        return None
    return expr.rhs.value
