"""Affine index expressions as sums: factors of iterators, factors of quotients and remainders, and a constant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ....dialects.host import ir
from ....dialects.structured import used_dims


@dataclass(frozen=True)
class IndexSum:
    """The sum of `factor * iterator`, of `factor * quotient` and of a constant.

    Attributes:
        terms: factor and number of each iterator, none of them twice and no factor 0.
        quotients: factor of each expression that is divided: `floordiv`, `ceildiv` or `mod`.
    """

    terms: tuple[tuple[int, int], ...]
    quotients: tuple[tuple[int, ir.AffineExpr], ...]
    constant: int

    @property
    def divided(self) -> frozenset[int]:
        """The iterators that quotients and remainders depend on."""
        return frozenset().union(*(used_dims(expr) for _, expr in self.quotients))


def index_sum(expr: ir.AffineExpr) -> IndexSum:
    """An expression as a sum."""
    if isinstance(expr, ir.AffineDimExpr):
        return IndexSum(((1, expr.position),), (), 0)
    if isinstance(expr, ir.AffineConstantExpr):
        return IndexSum((), (), expr.value)
    if isinstance(expr, ir.AffineAddExpr):
        return _added(index_sum(expr.lhs), index_sum(expr.rhs))
    if isinstance(expr, ir.AffineMulExpr):
        left, right = index_sum(expr.lhs), index_sum(expr.rhs)
        if not right.terms and not right.quotients:
            return _scaled(left, right.constant)
        return _scaled(right, left.constant)
    return IndexSum((), ((1, expr),), 0)


def divided_iterators(maps: Sequence[ir.AffineMap]) -> frozenset[int]:
    """The iterators of which a quotient or a remainder says where an operand is read: no strides go along them."""
    return frozenset().union(*(index_sum(expr).divided for amap in maps for expr in amap.results))


def _added(one: IndexSum, other: IndexSum) -> IndexSum:
    factors: dict[int, int] = {}
    for factor, iterator in (*one.terms, *other.terms):
        factors[iterator] = factors.get(iterator, 0) + factor
    terms = tuple((factor, iterator) for iterator, factor in factors.items() if factor)
    return IndexSum(terms, (*one.quotients, *other.quotients), one.constant + other.constant)


def _scaled(found: IndexSum, by: int) -> IndexSum:
    if not by:
        return IndexSum((), (), 0)
    terms, quotients = (tuple((f * by, what) for f, what in part) for part in (found.terms, found.quotients))
    return IndexSum(terms, quotients, found.constant * by)  # type: ignore[arg-type]
