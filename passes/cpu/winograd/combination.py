"""Emits the sums that a constant matrix makes of scalars, few operations each."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ....dialects.host import arith, ir
from .interpolation import Matrix

Terms = tuple[tuple[int, Fraction], ...]  # (which scalar, its factor)


def transform(
    matrix: Matrix, groups: Sequence[Sequence[int]], square: Sequence[Sequence[ir.Value]]
) -> list[list[ir.Value]]:
    """matrix x square x matrix^T, for a square of scalars given by rows."""
    columns = [combine(matrix, groups, list(column)) for column in zip(*square, strict=True)]
    rows = list(zip(*columns, strict=True))
    return [combine(matrix, groups, list(row)) for row in rows]


def combine(matrix: Matrix, groups: Sequence[Sequence[int]], values: Sequence[ir.Value]) -> list[ir.Value]:
    """The product of a matrix and a column of scalars.

    Args:
        groups: a partition of the columns. A sum within a group that several rows have in common, but for a factor, is
            computed once.
    """
    shared: dict[Terms, ir.Value] = {}
    found: list[ir.Value] = []
    for row in matrix:
        parts: list[tuple[ir.Value, Fraction]] = []
        for group in groups:
            terms = [(k, row[k]) for k in group if row[k]]
            if not terms:
                continue
            scale = terms[-1][1]
            key = tuple((k, c / scale) for k, c in terms)
            if key not in shared:
                shared[key] = _sum([(values[k], c) for k, c in key])
            parts.append((shared[key], scale))
        found.append(_sum(parts))
    return found


def _sum(parts: Sequence[tuple[ir.Value, Fraction]]) -> ir.Value:
    """The sum of values times factors, begun with one that needs no multiplication if there is one."""
    ordered = sorted(parts, key=lambda part: part[1] != 1)
    first, factor = ordered[0]
    total = first if factor == 1 else arith.mulf(first, _constant(first.type, factor))
    for value, factor in ordered[1:]:
        if abs(factor) == 1:
            total = arith.addf(total, value) if factor > 0 else arith.subf(total, value)
        else:
            total = arith.addf(total, arith.mulf(value, _constant(value.type, factor)))
    return total


def _constant(kind: ir.Type, value: Fraction) -> ir.Value:
    return arith.constant(kind, float(value))
