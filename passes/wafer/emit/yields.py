"""The order in which a step of a reduction hands on its running values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..scalars.values import Operand, ScalarValue


def copy_order(yielded: Sequence[ScalarValue], inputs: int, results: Iterable[int]) -> list[int] | None:
    """The results in an order in which none is overwritten that another one still takes over.

    Args:
        yielded: what each result becomes; `inputs`: number of operands in front of the inits.

    Returns:
        None where results go round in a circle, as of a step that exchanges two of them.
    """
    left = sorted(results)
    order: list[int] = []
    while left:
        read = {
            o.position - inputs
            for r in left
            if isinstance(o := yielded[r], Operand) and o.position != inputs + r
        }
        ready = [r for r in left if r not in read]
        if not ready:
            return None
        order += ready
        left = [r for r in left if r in read]
    return order
