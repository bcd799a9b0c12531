"""Affine expressions as sums: factors of dimensions, factors of quotients and remainders, and a constant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..host import ir
from .expressions import constant_value, dim_position, fold, used_dims


@dataclass(frozen=True)
class IndexSum:
    """The sum of `factor * dimension`, of `factor * quotient` and of a constant.

    Attributes:
        terms: factor and number of each dimension, none of them twice and no factor 0.
        quotients: factor of each expression that is divided, `floordiv`, `ceildiv` or `mod`, and of what has symbols.
    """

    terms: tuple[tuple[int, int], ...]
    quotients: tuple[tuple[int, ir.AffineExpr], ...]
    constant: int

    @property
    def divided(self) -> frozenset[int]:
        """The dimensions that quotients and remainders depend on."""
        return frozenset().union(*(used_dims(expr) for _, expr in self.quotients))

    @property
    def dims(self) -> list[int]:
        """The dimensions that have a factor, in order."""
        return sorted(dim for _, dim in self.terms)

    @property
    def is_constant(self) -> bool:
        """Whether nothing is left but the constant."""
        return not self.terms and not self.quotients

    def factor(self, dim: int) -> int:
        """The factor of a dimension, outside of quotients and remainders."""
        return sum(factor for factor, term in self.terms if term == dim)

    def plain_dim(self) -> int | None:
        """The dimension if the sum is just that."""
        plain = len(self.terms) == 1 and self.terms[0][0] == 1 and not self.constant and not self.quotients
        return self.terms[0][1] if plain else None


def index_sum(expr: ir.AffineExpr) -> IndexSum:
    """An expression as a sum."""
    return fold(expr, _leaf, _joined)


def linear(expr: ir.AffineExpr) -> IndexSum | None:
    """An expression as a sum without quotients and remainders; None if it has any, or symbols."""
    found = index_sum(expr)
    return None if found.quotients else found


def coefficient(expr: ir.AffineExpr, dim: int) -> int | None:
    """The constant factor of a dimension in an expression; None when it is not linear in it."""
    position = dim_position(expr)
    if position is not None:
        return int(position == dim)
    found = index_sum(expr)
    return None if dim in found.divided else found.factor(dim)


def linear_offset(expr: ir.AffineExpr, point: Mapping[int, int]) -> int | None:
    """How far an expression moves when dimensions advance by `point`; None when it is not linear in one of them."""
    total = 0
    for dim, steps in point.items():
        if steps:
            factor = coefficient(expr, dim)
            if factor is None:
                return None
            total += factor * steps
    return total


def _leaf(expr: ir.AffineExpr) -> IndexSum:
    position, value = dim_position(expr), constant_value(expr)
    if position is not None:
        return IndexSum(((1, position),), (), 0)
    return IndexSum((), (), value) if value is not None else _opaque(expr)


def _joined(expr: ir.AffineBinaryExpr, left: IndexSum, right: IndexSum) -> IndexSum:
    if isinstance(expr, ir.AffineAddExpr):
        return _added(left, right)
    if isinstance(expr, ir.AffineMulExpr) and (left.is_constant or right.is_constant):
        return _scaled(left, right.constant) if right.is_constant else _scaled(right, left.constant)
    return _opaque(expr)


def _opaque(expr: ir.AffineExpr) -> IndexSum:
    return IndexSum((), ((1, expr),), 0)


def _added(one: IndexSum, other: IndexSum) -> IndexSum:
    factors: dict[int, int] = {}
    for factor, dim in (*one.terms, *other.terms):
        factors[dim] = factors.get(dim, 0) + factor
    terms = tuple((factor, dim) for dim, factor in factors.items() if factor)
    return IndexSum(terms, (*one.quotients, *other.quotients), one.constant + other.constant)


def _scaled(found: IndexSum, by: int) -> IndexSum:
    if not by:
        return IndexSum((), (), 0)
    terms = tuple((factor * by, dim) for factor, dim in found.terms)
    quotients = tuple((factor * by, expr) for factor, expr in found.quotients)
    return IndexSum(terms, quotients, found.constant * by)
