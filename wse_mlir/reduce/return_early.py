"""Ends functions early, with the values that were just computed."""

from __future__ import annotations

from collections.abc import Sequence

from ..dialects.host import ir
from .draft import Base, Draft, around, ends_its_block
from .functions import has_users, set_signature, signature_of
from .inline_regions import inline
from .strategy import Edits

ReturnPoint = tuple[
    int, int | None
]  # an operation's number, and a region whose yields are returned; None: its results


class ReturnEarly(Edits[ReturnPoint]):
    """Lets a function return what one of its operations computes, or what one of its regions ends with.

    What a pipeline's own clean-up would remove stays alive that way. Before: `%0 = "a"(); %1 = "b"(%0);
    return %1`; after: `%0 = "a"(); return %0`, with the type of %0 as the function's result.
    """

    name = "ends of functions"
    grouped = False

    def targets(self, base: Base) -> Sequence[ReturnPoint]:
        return [
            (n, way)
            for n, op in enumerate(base.operations)
            if n > 0 and _may_return_after(op)
            for way in (None, *(i for i, region in enumerate(op.regions) if len(region.blocks) == 1))
        ]

    def edit(self, draft: Draft, target: ReturnPoint) -> None:
        number, region = target
        op = draft.operations[number]
        function, block = around(op), op.block
        signature = signature_of(function)
        if signature is None or block is None or has_users(function, draft):
            return
        later = [inner.operation for inner in block.operations]
        later = later[later.index(op) + 1 :]
        leave = later[-1].name
        for inner in reversed(later):
            inner.erase()
        values = list(op.results) if region is None else inline(op, region, draft)
        with op.context, op.location:
            ir.Operation.create(leave, operands=values, ip=ir.InsertionPoint(block))
        if region is not None:
            op.erase()
        set_signature(function, signature.with_results([value.type for value in values]))


def _may_return_after(op: ir.Operation) -> bool:
    function = around(op)
    return (
        signature_of(function) is not None and len(function.regions[0].blocks) == 1 and not ends_its_block(op)
    )
