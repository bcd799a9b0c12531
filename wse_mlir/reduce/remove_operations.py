"""Removes operations; other values stand in for their results."""

from __future__ import annotations

from collections.abc import Sequence

from ..dialects.host import ir
from .draft import Base, Draft, around, ends_its_block
from .stand_ins import is_used, new_argument, replace_results
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
            if self.release(op, draft):
                op.erase()
        return draft.module

    def release(self, op: ir.Operation, draft: Draft) -> bool:
        """Lets nobody use the results of `op` any more; returns whether that was possible."""
        replace_results(op, draft)
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
        return [n for n in super().targets(base) if any(map(is_used, base.operations[n].results))]

    def release(self, op: ir.Operation, draft: Draft) -> bool:
        for result in op.results:
            if is_used(result):
                argument = new_argument(result.type, op, draft)
                if argument is None:
                    return False
                result.replace_all_uses_with(argument)
        return True
