"""Which loops the values of a body depend on."""

from __future__ import annotations

from collections.abc import Sequence

from ....dialects.affine.expressions import used_dims
from ....dialects.affine.linear import index_sum
from ....dialects.host import ir
from ....dialects.structured import Structured
from ..scalars.splat import splat_of
from ..scalars.values import IteratorValue, Operand, ScalarBody, ScalarValue, Temp


def operand_iterators(view: Structured, position: int) -> frozenset[int]:
    """The iterators that index operand `position`."""
    if splat_of(view.operands[position]) is not None and position < len(view.inputs):
        return frozenset()
    return frozenset().union(*map(used_dims, view.maps[position].results))


def iterators_of(view: Structured, value: ScalarValue, depends: Sequence[frozenset[int]]) -> frozenset[int]:
    """The iterators that a value of the body depends on; `depends`: those of operations in front of it."""
    if isinstance(value, Operand):
        return operand_iterators(view, value.position)
    if isinstance(value, Temp):
        return depends[value.index]
    return frozenset({value.dim}) if isinstance(value, IteratorValue) else frozenset()


def dependencies(view: Structured, body: ScalarBody) -> list[frozenset[int]]:
    """Per operation of the body, the iterators that its value depends on."""
    found: list[frozenset[int]] = []
    for op in body.ops:
        found.append(frozenset().union(*(iterators_of(view, o, found) for o in op.operands)))
    return found


def divided_iterators(maps: Sequence[ir.AffineMap]) -> frozenset[int]:
    """The iterators of which a quotient or a remainder says where an operand is read: no strides go along them."""
    return frozenset().union(*(index_sum(expr).divided for amap in maps for expr in amap.results))
