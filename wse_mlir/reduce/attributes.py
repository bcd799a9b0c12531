"""Removes what is attached to operations."""

from __future__ import annotations

from collections.abc import Sequence

from ..dialects.host import ir
from .draft import Base, Draft
from .strategy import Edits

Named = tuple[int, str]  # an operation's number, and an attribute's name


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


def _is_optional(op: ir.Operation, name: str) -> bool:
    """Whether the operation may lack the attribute: to remove one that upstream's code relies on ends the process.

    The bindings' classes have a deleter for each declared attribute that is optional.
    """
    declared = getattr(type(op.opview), name, None)
    if isinstance(declared, property):
        return declared.fdel is not None or name == "arg_attrs"
    is_described = type(op.opview) is not ir.OpView or not op.context.is_registered_operation(op.name)
    return "." in name or is_described
