"""Takes regions away: an operation becomes the body of one, or loses one that is optional."""

from __future__ import annotations

from collections.abc import Sequence

from ..dialects.host import ir
from .draft import Base, Draft, ends_its_block, erase_blocks
from .stand_ins import is_used, stand_in
from .strategy import Edits

Body = tuple[int, int]  # an operation's number, and which of its regions


class InlineRegions(Edits[Body]):
    """Runs the body of a loop once, takes one branch of a conditional, opens nested modules.

    Before: `%r = scf.for %i = %lo to %hi step %s iter_args(%x = %init) { %y = "a"(%x); scf.yield %y }; "b"(%r)`;
    after: `%y = "a"(%init); "b"(%y)`. Arguments of the body become operands of the same types, counted from the
    last, and results become what the body ends with; other values stand in where there is no such operand.
    """

    name = "regions"

    def targets(self, base: Base) -> Sequence[Body]:
        return [
            (n, i)
            for n, op in enumerate(base.operations)
            if n > 0 and "function_type" not in op.attributes
            for i, region in enumerate(op.regions)
            if len(region.blocks) == 1
        ]

    def edit(self, draft: Draft, target: Body) -> None:
        number, index = target
        if number in draft.replaced:
            return
        draft.replaced.add(number)
        op = draft.operations[number]
        _replace(list(op.results), inline(op, index, draft), op, draft)
        op.erase()


class EmptyRegions(Edits[Body]):
    """Removes a branch that a conditional can do without."""

    name = "branches of conditionals"

    def targets(self, base: Base) -> Sequence[Body]:
        return [
            (n, i)
            for n, op in enumerate(base.operations)
            if len(op.regions) > 1 and len(op.results) == 0
            for i, region in enumerate(op.regions)
            if len(region.blocks) > 0
        ]

    def edit(self, draft: Draft, target: Body) -> None:
        number, index = target
        erase_blocks(list(draft.operations[number].regions[index].blocks))


def inline(op: ir.Operation, index: int, draft: Draft) -> list[ir.Value]:
    """Moves the only block of a region of `op` before `op` and returns what the block ends with."""
    body = op.regions[index].blocks[0]
    inside = [inner.operation for inner in body.operations]
    _replace(list(body.arguments), list(op.operands), op, draft)
    last = inside.pop() if inside and ends_its_block(inside[-1]) else None
    for inner in inside:
        inner.move_before(op)
    return [] if last is None else list(last.operands)


def _replace(values: list[ir.Value], sources: list[ir.Value], op: ir.Operation, draft: Draft) -> None:
    """Lets nobody use the values any more.

    Each is replaced by the source as far from the end if that has its type, or else by any source of its type.
    """
    for behind, value in enumerate(reversed(values), start=1):
        if not is_used(value):
            continue
        source = sources[-behind] if behind <= len(sources) else None
        if source is None or source.type != value.type:
            source = next((source for source in sources if source.type == value.type), None)
        value.replace_all_uses_with(source or stand_in(value.type, op, draft))
