"""Turns functions into declarations."""

from __future__ import annotations

from collections.abc import Sequence

from ..dialects.host import ir
from .draft import Base, Draft
from .functions import signature_of
from .strategy import Edits


class RemoveBodies(Edits[int]):
    """Leaves of a function what its callers need.

    Before: `func.func @f(%a: i32) { ... return }`; after: `func.func private @f(i32)`.
    """

    name = "bodies of functions"

    def targets(self, base: Base) -> Sequence[int]:
        return [
            n
            for n, op in enumerate(base.operations)
            if signature_of(op) is not None and len(op.regions[0].blocks) > 0
        ]

    def edit(self, draft: Draft, target: int) -> None:
        op = draft.operations[target]
        attributes = {name: op.attributes[name] for name in op.attributes}
        with op.context, op.location:
            attributes["sym_visibility"] = ir.StringAttr.get("private")
            ir.Operation.create(op.name, attributes=attributes, regions=1, ip=ir.InsertionPoint(op))
        op.erase()
