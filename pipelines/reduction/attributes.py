"""Removes what is attached to operations, and shrinks the data of constants."""

from __future__ import annotations

from collections.abc import Sequence

from ...dialects.host import ir
from .draft import Base, Draft
from .stand_ins import zero_attribute
from .strategy import Edits

Named = tuple[int, str]  # an operation's number, and an attribute's name
_SPLAT_FROM = 2  # elements


class RemoveAttributes(Edits[Named]):
    """Removes attributes that an operation can do without."""

    name = "attributes"

    def targets(self, base: Base) -> Sequence[Named]:
        return [
            (n, name)
            for n, op in enumerate(base.operations)
            for name in sorted(op.attributes)
            if _is_optional(op, name)
        ]

    def edit(self, draft: Draft, target: Named) -> None:
        number, name = target
        del draft.operations[number].attributes[name]


class SplatConstants(Edits[Named]):
    """Replaces the elements of dense constants by zeros, or else all of them by the first one."""

    name = "data of constants"

    def targets(self, base: Base) -> Sequence[Named]:
        return [
            (n, name)
            for n, op in enumerate(base.operations)
            for name in sorted(op.attributes)
            if _splat(op.attributes[name]) is not None
        ]

    def edit(self, draft: Draft, target: Named) -> None:
        number, name = target
        op = draft.operations[number]
        splat = _splat(op.attributes[name])
        if splat is not None:
            op.attributes[name] = splat


def _is_optional(op: ir.Operation, name: str) -> bool:
    """Whether the operation may lack the attribute: to remove one that upstream's code relies on ends the process.

    The bindings' classes have a deleter for each declared attribute that is optional.
    """
    declared = getattr(type(op.opview), name, None)
    if isinstance(declared, property):
        return declared.fdel is not None or name == "arg_attrs"
    is_described = type(op.opview) is not ir.OpView or not op.context.is_registered_operation(op.name)
    return "." in name or is_described


def _splat(value: ir.Attribute) -> ir.Attribute | None:
    """Constant data of the same type that takes less to print; None for what is no data or a splat already."""
    if isinstance(value, ir.DenseElementsAttr):
        return None if value.is_splat or len(value) < _SPLAT_FROM else _zero_of(value.type)
    if isinstance(value, ir.DenseResourceElementsAttr):
        return _zero_of(value.type)
    return None


def _zero_of(value_type: ir.Type) -> ir.Attribute | None:
    with value_type.context, ir.Location.unknown():
        return zero_attribute(value_type)
