"""What reads at indices that are data cost a processing element."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..scalars.values import ElementaryOp, Immediate
from .cost import CostModel

GATHER = "gather"


def moving(op: ElementaryOp, iterators_of: Sequence[frozenset[int]]) -> frozenset[int]:
    """The iterators along which indices of a gather change.

    Args:
        iterators_of: of each operand of the operation, the iterators that it depends on.
    """
    numbers = zip(op.operands[1:], iterators_of[1:], strict=True)
    return frozenset().union(*(found for index, found in numbers if not isinstance(index, Immediate)))


def gather_order(loops: Sequence[int], moved: frozenset[int]) -> list[int]:
    """Loops of a gather, outermost first: those within which indices stay are one operation of the hardware."""
    return sorted(loops, key=lambda loop: loop not in moved)


def gather_cycles(
    cost: CostModel, op: ElementaryOp, iterators_of: Sequence[frozenset[int]], trips: dict[int, int]
) -> float:
    """Cycles of a gather.

    Args:
        trips: of each iterator that the value depends on, its trips on a PE.
    """
    moved = moving(op, iterators_of)
    row = [trips[i] for i in sorted(trips) if i not in moved]
    count = sum(not isinstance(o, Immediate) for o in op.operands[1:])
    return indirect_cycles(cost, "copy", op.dtype, [trips[i] for i in moved], row, count)


def indirect_cycles(
    cost: CostModel, kind: str, dtype: str, outer: Sequence[int], row: Sequence[int], indices: int
) -> float:
    """Cycles of an operation that numbers move: scalar code reads them, and an operation runs for each row.

    Args:
        outer: trips of the loops in which numbers change, or which keep an order; row: of those inside.
        indices: how many numbers an access has.
    """
    vector = cost.machine.vector
    rows, read = prod(outer), vector.index * indices
    if not row:
        return rows * (vector.scalar_element + read)
    each = cost.vector(kind, dtype, row) - vector.setup
    return vector.setup + rows * (each + read) + (rows - 1) * vector.looped_row
