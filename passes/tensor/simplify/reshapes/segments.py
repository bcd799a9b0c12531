"""Iterators split where digits begin and end, so that each digit that is read alone is an iterator of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .....dialects.affine.maps import compose_map
from .....dialects.host import ir
from .digits import DigitSum, IteratorDigit, make_form


@dataclass(frozen=True)
class Segment:
    """A part of an iterator: `(iterator floordiv low) mod size`; an open size for the outermost part of an open one."""

    iterator: int
    low: int
    size: int | None


@dataclass(frozen=True)
class Segments:
    """How each iterator of an operation is split; the new iterators are all parts in order.

    Attributes:
        parts: for each old iterator its parts, outermost first.
    """

    parts: tuple[tuple[Segment, ...], ...]

    @property
    def count(self) -> int:
        """Number of new iterators."""
        return sum(len(p) for p in self.parts)

    def first(self, iterator: int) -> int:
        """The number of the first part of an old iterator."""
        return sum(len(p) for p in self.parts[:iterator])

    def is_split(self, iterator: int) -> bool:
        """Whether an iterator has several parts."""
        return len(self.parts[iterator]) > 1

    def split_iterators(self) -> list[int]:
        """Iterators that have several parts."""
        return [i for i in range(len(self.parts)) if self.is_split(i)]

    def cut(self, form: DigitSum) -> DigitSum:
        """The index in digits none of which crosses the border of a part."""
        digits: list[IteratorDigit] = []
        for digit in form.digits:
            digits += self._cut_digit(digit)
        return DigitSum(tuple(sorted(digits, key=lambda d: -d.coefficient)), form.constant)

    def _cut_digit(self, digit: IteratorDigit) -> list[IteratorDigit]:
        for part in reversed(self.parts[digit.iterator][:-1]):  # borders from the innermost outwards
            inside = digit.stride < part.low
            if inside and (digit.count is None or digit.stride * digit.count > part.low):
                both = digit.split(part.low // digit.stride)
                assert both is not None, "borders divide each other"
                return [*self._cut_digit(both[0]), both[1]]
        return [digit]

    def expression(self, digit: IteratorDigit) -> ir.AffineExpr:
        """A digit that lies in one part, without its coefficient, as a function of the new iterators."""
        parts = self.parts[digit.iterator]
        number = max(k for k, part in enumerate(reversed(parts)) if part.low <= digit.stride)
        part = list(reversed(parts))[number]
        position = self.first(digit.iterator) + len(parts) - 1 - number
        dim = ir.AffineExpr.get_dim(position)
        return dim if digit.stride == part.low else ir.AffineExpr.get_floor_div(dim, digit.stride // part.low)

    def linear_expression(self, form: DigitSum) -> ir.AffineExpr:
        """An index as a function of the new iterators."""
        total: Any = ir.AffineExpr.get_constant(form.constant)
        for digit in self.cut(form).digits:
            total = ir.AffineExpr.get_add(
                total,
                ir.AffineExpr.get_mul(self.expression(digit), ir.AffineExpr.get_constant(digit.coefficient)),
            )
        return total

    def remap(self, access: ir.AffineMap) -> ir.AffineMap:
        """A map in terms of the new iterators."""
        old = [
            self.linear_expression(make_form([IteratorDigit(1, i, 1, _product(parts))]))
            for i, parts in enumerate(self.parts)
        ]
        inner = ir.AffineMap.get(self.count, 0, old)
        return compose_map(access, inner)


def _product(parts: Sequence[Segment]) -> int | None:
    result = 1
    for part in parts:
        if part.size is None:
            return None
        result *= part.size
    return result if result != 1 else None  # a digit of one value would vanish from the form


def find_segments(
    forms: Iterable[DigitSum], sizes: Sequence[int | None], *, at_begins: bool = False
) -> Segments | None:
    """The coarsest split in which no digit ends inside of a part; None when borders do not divide each other.

    Args:
        at_begins: nor begins inside, so that each digit is an iterator and not a quotient of one.
    """
    borders: list[set[int]] = [{1} for _ in sizes]
    for form in forms:
        for digit in form.digits:
            size = sizes[digit.iterator]
            if digit.count is not None and digit.stride * digit.count != size:
                borders[digit.iterator].add(digit.stride * digit.count)
            if at_begins:
                borders[digit.iterator].add(digit.stride)
    parts: list[tuple[Segment, ...]] = []
    for iterator, size in enumerate(sizes):
        lows = sorted(borders[iterator])
        if 0 in lows or any(b % a for a, b in pairwise(lows)):
            return None
        if size is not None and (size % lows[-1] or (len(lows) > 1 and size == 0)):
            return None
        highs: list[int | None] = [*lows[1:], size]
        split = [
            Segment(iterator, low, None if high is None else high // low)
            for low, high in zip(lows, highs, strict=True)
        ]
        parts.append(tuple(reversed(split)))
    return Segments(tuple(parts))
