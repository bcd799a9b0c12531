"""What a loop nest reads and writes: layouts of operands from those of iterators, through affine index expressions.

Windows, strides, offsets and products of dimensions are nothing of their own here: a convolution reads a dimension at
`stride * o + dilation * k - padding`, and pitch and halo follow from the factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .algebra import joined
from .dimension import Dimension


@dataclass(frozen=True)
class Term:
    """`factor` times an iterator, which runs over the indices that `iterator` says."""

    factor: int
    iterator: Dimension


def accessed(terms: Sequence[Term], constant: int, size: int) -> Dimension | None:
    """Which indices of a dimension every PE accesses at the sum of `terms` and `constant`; the least range of them.

    Args:
        size: of the dimension; indices beside it are in no tensor.

    Returns:
        None where what a PE accesses is no range that digits tell: of two iterators that are bound, unless they are the
        digits of one index; of a bound one that counts backwards.
    """
    bound = [term for term in terms if not term.iterator.is_whole]
    if any(term.iterator.size == 0 for term in terms):
        return Dimension(size, (), 0, 0)
    reach = 0
    first = constant
    for term in terms:
        if term.iterator.is_whole:
            far = term.factor * (term.iterator.size - 1)
            first += min(far, 0)
            reach += abs(far)
    if not bound:
        low, high = max(0, first), min(size, first + reach + 1)
        return Dimension.whole(size) if (low, high) == (0, size) else Dimension(size, (), low, max(low, high))
    term = bound[0] if len(bound) == 1 else _one(bound)
    if term is None or term.factor < 1:
        return None
    step, of = term.factor, term.iterator
    digits = tuple(digit.scaled(step) for digit in of.digits)
    before, after = of.before * step - first, of.after * step + first + reach + 1 - step
    return Dimension(size, digits, of.low * step, of.high * step, before, after)


def _one(terms: Sequence[Term]) -> Term | None:
    """Several iterators as one, if each counts what the next one leaves: `12 * h + d` for d below 12."""
    ordered = sorted(terms, key=lambda term: -term.factor)
    found = ordered[0]
    for term in ordered[1:]:
        together = joined(found.iterator, term.iterator)
        if together is None or found.factor != term.factor * term.iterator.size:
            return None
        found = Term(term.factor, together)
    return found
