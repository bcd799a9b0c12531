"""Creates operations of the dialect from attributes given as plain Python values."""

from collections.abc import Sequence
from typing import Any

from ..host import ir
from .encode import i64

Loc = ir.Location | None


def symbol(name: str) -> ir.FlatSymbolRefAttr:
    """A reference to a symbol of the module."""
    return ir.FlatSymbolRefAttr.get(name)


def create(
    name: str,
    attributes: dict[str, Any],
    *,
    operands: Sequence[ir.Value] = (),
    segments: Sequence[int] | None = None,
    results: Sequence[ir.Type] = (),
    loc: Loc = None,
) -> Any:
    """Creates `wse.name`; strings and integers among the attributes are converted."""
    attrs: dict[str, ir.Attribute] = {
        key: ir.StringAttr.get(v) if isinstance(v, str) else i64(v) if isinstance(v, int) else v
        for key, v in attributes.items()
    }
    if segments is not None:
        attrs["operandSegmentSizes"] = ir.DenseI32ArrayAttr.get(list(segments))
    op = ir.Operation.create(
        f"wse.{name}", results=list(results), operands=list(operands), attributes=attrs, loc=loc
    )
    return op.opview
