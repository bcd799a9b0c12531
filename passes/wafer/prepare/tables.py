"""Tables: tensors that the body of a `linalg.generic` reads at indices which it computes.

A table is an operand of its operation, so that planning sees it. Its map says which of its dimensions are iterators or
constants; all others are 0, and what is read lies so far behind as the indices of the `tensor.extract` say.
"""

from __future__ import annotations

from typing import Any

from ....dialects.affine.expressions import constant_value, dim_position
from ....dialects.host import ir
from ....dialects.structured import Structured, structured
from ..scalars.splat import scalar_constant

TABLE = "wse.table"  # on a `tensor.extract` in a body: the operand that it reads


def extracts(op: Any) -> list[Any]:
    """The `tensor.extract`s in the body of a `linalg.generic`, in order."""
    view = structured(op)
    if view is None:
        return []
    return [inner for inner in view.body.operations if inner.operation.name == "tensor.extract"]


def table_of(extract: Any) -> int | None:
    """Position of the operand that a `tensor.extract` reads; None where it is not bound to one."""
    attributes = extract.operation.attributes
    return ir.IntegerAttr(attributes[TABLE]).value if TABLE in attributes else None


def rebind(op: Any) -> None:
    """Lets the reads in a body follow operands that were replaced."""
    for extract in extracts(op):
        position = table_of(extract)
        if position is not None:
            extract.operation.operands[0] = op.operation.operands[position]


def is_plain(view: Structured, position: int, dim: int, index: ir.Value) -> bool:
    """Whether the map says all of where a read with this index is along a dimension of a table."""
    expr = view.maps[position].results[dim]
    if dim_position(expr) is not None:
        return True
    value = constant_value(expr)
    return value is not None and scalar_constant(index) == value
