"""Simplifies the data of constants."""

from __future__ import annotations

from collections.abc import Sequence

from ..dialects.host import ir
from .draft import Base, Draft
from .stand_ins import zero_attribute
from .strategy import Edits

Data = tuple[int, str, bool]  # an operation's number, an attribute's name, and whether zero takes its place


class SimplifyConstants(Edits[Data]):
    """Makes the elements of constants equal: to the first one, or all of them zero, and scalar constants too.

    Before: `dense<[3.0, 1.0, 2.0]>`; after: `dense<0.0>`, or `dense<3.0>` where zeros would not be interesting.
    """

    name = "data of constants"

    def targets(self, base: Base) -> Sequence[Data]:
        return [
            (n, name, is_zero)
            for n, op in enumerate(base.operations)
            for name in sorted(op.attributes)
            for is_zero in (True, False)
            if _simplified(op, name, is_zero) is not None
        ]

    def edit(self, draft: Draft, target: Data) -> None:
        number, name, is_zero = target
        op = draft.operations[number]
        simplified = _simplified(op, name, is_zero)
        if simplified is not None:
            op.attributes[name] = simplified


def _simplified(op: ir.Operation, name: str, is_zero: bool) -> ir.Attribute | None:
    """Other data of the attribute's type; None for what is no data, or as simple as that already."""
    try:
        value = op.attributes[name]
    except TypeError:  # the bindings have no class for complex elements
        return None
    is_data = isinstance(value, ir.DenseElementsAttr | ir.DenseResourceElementsAttr)
    is_scalar = isinstance(value, ir.IntegerAttr | ir.FloatAttr) and op.name.endswith(".constant")
    with op.context, op.location:
        if is_zero and (is_data or is_scalar):
            zero = zero_attribute(value.type)
            return None if zero == value else zero
        if isinstance(value, ir.DenseFPElementsAttr | ir.DenseIntElementsAttr) and not is_zero:
            return _all_as_the_first(value)
    return None


def _all_as_the_first(value: ir.DenseFPElementsAttr | ir.DenseIntElementsAttr) -> ir.Attribute | None:
    shape = ir.ShapedType(value.type)
    if value.is_splat or len(value) == 0 or not _is_readable(shape.element_type):
        return None
    scalar = ir.FloatAttr if isinstance(value, ir.DenseFPElementsAttr) else ir.IntegerAttr
    return ir.DenseElementsAttr.get_splat(value.type, scalar.get(shape.element_type, value[0]))


def _is_readable(element: ir.Type) -> bool:
    """Whether the bindings can read and make elements of the type."""
    if isinstance(element, ir.IntegerType):
        return element.width < 64 or (element.width == 64 and not element.is_unsigned)
    return isinstance(element, ir.F32Type | ir.F64Type | ir.IndexType)
