"""Removes operations; other values stand in for their results."""

from __future__ import annotations

from collections.abc import Sequence

from ...dialects.host import ir
from .draft import Base, Draft, around, ends_its_block
from .stand_ins import new_argument, stand_in
from .strategy import Strategy


class RemoveOperations(Strategy[int]):
    """Removes any operations but terminators, whether their results are used or not.

    Before: `%1 = "a"(%0); %2 = "b"(%1); %3 = "c"(%2)`; after removing "a" and "b": `%3 = "c"(%0)`.
    """

    name = "operations"

    def targets(self, base: Base) -> Sequence[int]:
        return [n for n, op in enumerate(base.operations) if n > 0 and not ends_its_block(op)]

    def candidate(self, base: Base, chosen: Sequence[int]) -> ir.Operation | None:
        draft = base.draft()
        for number in reversed(base.outermost(chosen)):  # users before what they use
            op = draft.operations[number]
            if self.replace_results(op, draft):
                op.erase()
        return draft.module

    def replace_results(self, op: ir.Operation, draft: Draft) -> bool:
        """Lets nobody use the results any more; returns whether that was possible."""
        for result in op.results:
            if _is_used(result):
                result.replace_all_uses_with(stand_in(result.type, op, draft))
        return True


class RemoveOutermost(RemoveOperations):
    """Removes what stands directly in a module: functions, globals, other symbols."""

    name = "functions and symbols"

    def targets(self, base: Base) -> Sequence[int]:
        return [n for n in super().targets(base) if around(base.operations[n]).name == "builtin.module"]


class PassArguments(RemoveOperations):
    """Removes operations, with a new argument of the function for each result."""

    name = "operations, by arguments"

    def targets(self, base: Base) -> Sequence[int]:
        return [n for n in super().targets(base) if any(map(_is_used, base.operations[n].results))]

    def replace_results(self, op: ir.Operation, draft: Draft) -> bool:
        for result in op.results:
            if _is_used(result):
                argument = new_argument(result.type, op, draft)
                if argument is None:
                    return False
                result.replace_all_uses_with(argument)
        return True


def _is_used(value: ir.Value) -> bool:
    return next(iter(value.uses), None) is not None
