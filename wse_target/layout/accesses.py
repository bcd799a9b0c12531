"""What a loop nest reads and writes: layouts of operands from those of iterators, through affine index expressions.

Windows, strides, offsets and products of dimensions are nothing of their own here: a convolution reads a dimension at
`stride * o + dilation * k - padding`, and pitch and halo follow from the factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .algebra import joined
from .dimension import Digit, Dimension, centred


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
    return centred(Dimension(size, digits, of.low * step, of.high * step, before, after))


def quotient(terms: Sequence[Term], constant: int, divisor: int) -> tuple[Dimension, int] | None:
    """What the sum of `terms` and `constant`, divided by a number above 0 and rounded down, runs over.

    Returns:
        As an iterator: indices of a dimension, and what the index 0 of it stands for. A PE may have some more of them
        than it needs. None where pieces of what is divided are no pieces of the quotient.
    """
    bound = [term for term in terms if not term.iterator.is_whole]
    if any(term.iterator.size == 0 for term in terms):
        return Dimension.whole(0), 0
    far = [term.factor * (term.iterator.size - 1) for term in terms if term.iterator.is_whole]
    least, most = constant + sum(min(f, 0) for f in far), constant + sum(max(f, 0) for f in far)
    if not bound:
        first = least // divisor
        return Dimension.whole(most // divisor - first + 1), first
    step, of = bound[0].factor, bound[0].iterator
    if len(bound) > 1 or step < 1 or any(digit.pitch * step % divisor for digit in of.digits):
        return None

    def last(end: int) -> int:
        return (step * (end + of.after - 1) + most) // divisor

    first = (step * (of.low - of.before) + least) // divisor
    digits = tuple(Digit(d.extent, d.pitch * step // divisor, d.axes, d.rotates) for d in of.digits)
    size = last(of.size) - first + 1
    if not digits:
        return Dimension(size, (), 0, last(of.high) - first + 1), first
    old, pitch = of.digits[-1].pitch, digits[-1].pitch
    after = last(of.low + old) - first + 1 - pitch
    begun = (of.high - of.low - 1) // old * pitch + 1  # the last piece that is not empty stays so
    high = max(last(of.high) - first + 1 - after, begun)
    return Dimension(size, digits, 0, high, 0, after), first


def together(one: Dimension, other: Dimension) -> Dimension | None:
    """What PEs need that need both of two parts of a dimension; None where their pieces are no neighbours.

    A PE may have some more than it needs.
    """
    if one.digits != other.digits or not one.digits:
        return one if one == other else None
    apart = other.low - one.low
    before, after = max(one.before, other.before - apart), max(one.after, other.after + apart)
    ends = one.high + one.after - after, other.high + other.after - after
    high = max(*ends, one.high, other.high - apart)  # no piece becomes empty, which would have no halo
    found = centred(Dimension(one.size, one.digits, one.low, high, before, after))
    return None if found.problem() else found


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
