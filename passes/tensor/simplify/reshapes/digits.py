"""Indices as sums of digits of iterators, which reshapes and transpositions keep sums of digits.

A digit of iterator i is `(i floordiv stride) mod count`: with 12 heads of 64 elements, column c of a projection is
head `(c floordiv 64) mod 12` and element `(c floordiv 1) mod 64`. Flattening and splitting dimensions regroups digits;
nothing else happens to them, so that no quasi-affine expression ever has to be simplified.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class IteratorDigit:
    """`coefficient * ((iterator floordiv stride) mod count)`; without `mod` when the count is None (an open size)."""

    coefficient: int
    iterator: int
    stride: int
    count: int | None

    @property
    def highest(self) -> int | None:
        """The largest value, None when it is open."""
        return None if self.count is None else self.coefficient * (self.count - 1)

    def split(self, inner: int) -> tuple[IteratorDigit, IteratorDigit] | None:
        """The same as (outer digit, inner digit of `inner` values); None when that does not divide."""
        if self.count is not None and self.count % inner:
            return None
        rest = None if self.count is None else self.count // inner
        outer = IteratorDigit(self.coefficient * inner, self.iterator, self.stride * inner, rest)
        return outer, replace(self, count=inner)


@dataclass(frozen=True)
class DigitSum:
    """An index: `constant + sum of digits`, digits by falling coefficient."""

    digits: tuple[IteratorDigit, ...] = ()
    constant: int = 0

    def scaled(self, factor: int) -> DigitSum:
        """`factor` times the index."""
        digits = tuple(replace(d, coefficient=d.coefficient * factor) for d in self.digits)
        return make_form(digits, self.constant * factor)

    def iterators(self) -> set[int]:
        """Iterators that the index depends on."""
        return {d.iterator for d in self.digits}

    def is_whole(self) -> bool:
        """Whether the index is one digit as it is, so that it runs through a dimension from end to end."""
        return self.constant == 0 and len(self.digits) == 1 and self.digits[0].coefficient == 1


def make_form(digits: Iterable[IteratorDigit], constant: int = 0) -> DigitSum:
    """The form of a sum; neighbouring digits of one iterator that count on are one digit."""
    ordered = sorted(
        (d for d in digits if d.count != 1 and d.coefficient), key=lambda d: (d.coefficient, d.iterator)
    )
    merged: list[IteratorDigit] = []
    for digit in ordered:
        last = merged[-1] if merged else None
        if last is not None and last.count is not None and _counts_on(last, last.count, digit):
            count = None if digit.count is None else last.count * digit.count
            merged[-1] = replace(last, count=count)
        else:
            merged.append(digit)
    return DigitSum(tuple(reversed(merged)), constant)


def _counts_on(low: IteratorDigit, count: int, high: IteratorDigit) -> bool:
    return (
        high.iterator == low.iterator
        and high.stride == low.stride * count
        and high.coefficient == low.coefficient * count
    )


def add(forms: Iterable[DigitSum]) -> DigitSum:
    """The sum of indices."""
    forms = list(forms)
    return make_form((d for f in forms for d in f.digits), sum(f.constant for f in forms))


def iterator_form(iterator: int, size: int | None) -> DigitSum:
    """An iterator as it stands."""
    return make_form([IteratorDigit(1, iterator, 1, size)])


def flattened(forms: Sequence[DigitSum], sizes: Sequence[int]) -> DigitSum:
    """The index into several dimensions made one; `sizes` of all but the first of them."""
    parts = [forms[-1]]
    stride = 1
    for form, size in zip(reversed(forms[:-1]), reversed(sizes), strict=True):
        stride *= size
        parts.append(form.scaled(stride))
    return add(parts)


def unflattened(form: DigitSum, sizes: Sequence[int]) -> list[DigitSum] | None:
    """The indices into the dimensions that one dimension is split into; `sizes` of all but the first of them.

    None when a digit would have to be divided that does not divide, or values would carry over.
    """
    result: list[DigitSum] = []
    for size in reversed(sizes):
        parts = _divide(form, size)
        if parts is None:
            return None
        form, inner = parts
        result.append(inner)
    return [form, *reversed(result)]


def _divide(form: DigitSum, size: int) -> tuple[DigitSum, DigitSum] | None:
    """(index floordiv size, index mod size)."""
    outer: list[IteratorDigit] = []
    inner: list[IteratorDigit] = []
    for digit in form.digits:
        c = digit.coefficient
        if c < 0 or size == 0:
            return None
        if c % size == 0:
            outer.append(replace(digit, coefficient=c // size))
        elif digit.count is not None and c * digit.count <= size:
            inner.append(digit)
        else:
            if size % c or (digit.count is None and not form.is_whole()):
                return None
            parts = digit.split(size // c)
            if parts is None:
                return None
            outer.append(replace(parts[0], coefficient=1))
            inner.append(parts[1])
    rest = form.constant % size
    if rest + sum(d.highest or 0 for d in inner) >= size:
        return None
    return make_form(outer, form.constant // size), make_form(inner, rest)
