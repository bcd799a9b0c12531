"""Straightens the control flow between blocks."""

from __future__ import annotations

from collections.abc import Sequence

from ..dialects.host import ir
from .draft import Base, Draft, around, erase_blocks, walk
from .signatures import returns
from .stand_ins import replace_results, stand_in
from .strategy import Edits

Exit = tuple[int, int | None]  # a terminator's number, and which of its successors is taken; None returns


class StraightenBranches(Edits[Exit]):
    """Ends a block by a return, or by a plain branch to one of its successors; what cannot be reached goes.

    Before: `cf.cond_br %c, ^bb1(%x : i32), ^bb2`; after: `cf.br ^bb2`.
    """

    name = "branches"

    def targets(self, base: Base) -> Sequence[Exit]:
        return [
            (n, way)
            for n, op in enumerate(base.operations)
            if len(op.successors) > 0
            for way in (None, *range(len(op.successors)))
            if way is None or len(op.successors) > 1
        ]

    def candidate(self, base: Base, chosen: Sequence[Exit]) -> ir.Operation | None:
        module = super().candidate(base, chosen)
        if module is not None:
            for function in [op for op in walk(module) if op.name in ("func.func", "llvm.func")]:
                _remove_unreachable(function.regions[0])
        return module

    def edit(self, draft: Draft, target: Exit) -> None:
        number, way = target
        if number in draft.replaced:
            return
        op = draft.operations[number]
        replaced = (
            _return_instead(op, draft) if way is None else _branch_instead(op, op.successors[way], draft)
        )
        if replaced:
            draft.replaced.add(number)
            replace_results(op, draft)
            op.erase()


class MergeBlocks(Edits[int]):
    """Appends a block to the one before it, when a plain branch there is the only way to it."""

    name = "blocks"

    def targets(self, base: Base) -> Sequence[int]:
        return [n for n, op in enumerate(base.operations) if _is_only_way(op)]

    def edit(self, draft: Draft, target: int) -> None:
        op = draft.operations[target]
        siblings = (block for region in around(op).regions for block in region)
        block = next(b for b in siblings if b == op.successors[0])  # a handle that outlives the branch
        for argument, operand in zip(block.arguments, op.operands, strict=True):
            argument.replace_all_uses_with(operand)
        for inner in list(block.operations):
            inner.operation.move_before(op)
        op.erase()
        erase_blocks([block])


def _is_only_way(op: ir.Operation) -> bool:
    if len(op.successors) != 1:
        return False
    block = op.successors[0]
    return (
        len(list(block.predecessors)) == 1 and block != op.block and len(op.operands) == len(block.arguments)
    )


def _return_instead(op: ir.Operation, draft: Draft) -> bool:
    """Puts a return before `op`, made as those that the function has; False if it has none."""
    for like in returns(around(op)):
        values = [stand_in(value.type, op, draft) for value in like.operands]
        attributes = {name: like.attributes[name] for name in like.attributes}
        with op.context, op.location:
            ir.Operation.create(like.name, operands=values, attributes=attributes, ip=ir.InsertionPoint(op))
        return True
    return False


def _branch_instead(op: ir.Operation, block: ir.Block, draft: Draft) -> bool:
    """Puts a plain branch to `block` before `op`."""
    values = [stand_in(argument.type, op, draft) for argument in block.arguments]
    name = "llvm.br" if op.name.startswith("llvm.") else "cf.br"
    with op.context, op.location:
        ir.Operation.create(name, operands=values, successors=[block], ip=ir.InsertionPoint(op))
    return True


def _remove_unreachable(region: ir.Region) -> None:
    blocks = list(region.blocks)
    reached = [False] * len(blocks)
    waiting = [0] if blocks else []
    while waiting:
        at = waiting.pop()
        if not reached[at]:
            reached[at] = True
            waiting += [blocks.index(successor) for successor in blocks[at].successors]
    erase_blocks([block for block, is_reached in zip(blocks, reached, strict=True) if not is_reached])
