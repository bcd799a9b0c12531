"""Removes results of conditionals, loops and `linalg.generic`, with what computes them inside."""

from __future__ import annotations

from collections.abc import Sequence

from ..dialects.host import ir
from .draft import Base, Draft, ends_its_block
from .recreate import recreate, recreate_without
from .stand_ins import is_used, stand_in
from .strategy import Edits

RegionResult = tuple[int, int]  # an operation's number, and which of its results

_SEGMENTS = "operandSegmentSizes"


class RemoveRegionResults(Edits[RegionResult]):
    """Removes a result, the operand of the yields that it comes from, and the initial value that it starts at.

    Before: `%r:2 = scf.for ... iter_args(%x = %a, %y = %b) { ... scf.yield %u, %v }`; after, for the second result:
    `%r = scf.for ... iter_args(%x = %a) { ... scf.yield %u }`.
    """

    name = "results of loops, conditionals and linalg.generic"

    def targets(self, base: Base) -> Sequence[RegionResult]:
        return [
            (n, i)
            for n, op in enumerate(base.operations)
            if op.name in ("scf.if", "scf.for", "linalg.generic")
            for i in range(len(op.results))
        ]

    def edit(self, draft: Draft, target: RegionResult) -> None:
        number, index = target
        op = draft.operations[number]
        from_end = len(op.results) - index
        carried = op.name != "scf.if"
        if carried and not _detach_argument(op, from_end):
            return
        lost = op.results[index]
        if is_used(lost):
            lost.replace_all_uses_with(stand_in(lost.type, op, draft))
        for region in op.regions:
            for block in region.blocks:
                last = block.operations[len(block.operations) - 1].operation
                if ends_its_block(last):
                    recreate_without(last, operand=len(last.operands) - from_end)
        kept = [result for i, result in enumerate(op.results) if i != index]
        operands = list(op.operands)
        if carried:
            del operands[-from_end]
        new = recreate(
            op, operands=operands, results=[r.type for r in kept], attributes=_narrower(op, from_end)
        )
        for old_result, new_result in zip(kept, new.results, strict=True):
            old_result.replace_all_uses_with(new_result)
        op.erase()
        draft.operations[number] = new


def _detach_argument(op: ir.Operation, from_end: int) -> bool:
    """Erases the body's argument for a carried value; False when nothing can take its place."""
    block = op.regions[0].blocks[0]
    position = len(block.arguments) - from_end
    argument = block.arguments[position]
    if is_used(argument):
        instead = [op.operands[len(op.operands) - from_end], *block.arguments]
        same = [v for v in instead if v.type == argument.type and v != argument]
        if not same:
            return False
        argument.replace_all_uses_with(same[0])
    block.erase_argument(position)
    return True


def _narrower(op: ir.Operation, from_end: int) -> dict[str, ir.Attribute]:
    """The attributes of `linalg.generic` that speak of each operand, without the output's."""
    if op.name != "linalg.generic":
        return {}
    inputs, outputs = ir.DenseI32ArrayAttr(op.attributes[_SEGMENTS])
    maps = list(ir.ArrayAttr(op.attributes["indexing_maps"]))
    del maps[-from_end]
    with op.context:
        return {
            _SEGMENTS: ir.DenseI32ArrayAttr.get([inputs, outputs - 1]),
            "indexing_maps": ir.ArrayAttr.get(maps),
        }
