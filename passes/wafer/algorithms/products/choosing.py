"""Quasi-affine choice: one of two numbers, by a flag."""

from __future__ import annotations

from .....wse_target.quasi_affine import Expr, const, maximum, minimum


def chosen(flag: Expr, yes: Expr | int, no: Expr | int, reach: int) -> Expr:
    """`yes` where `flag` is 1, `no` where it is 0; both are less than `reach` in magnitude."""
    return maximum(flag * (2 * reach) + yes, flag * (-2 * reach) + no + 2 * reach) - 2 * reach


def equal(left: Expr, right: Expr) -> Expr:
    """1 where two numbers are the same, else 0."""
    difference = left - right
    return const(1) - minimum(1, maximum(difference, const(0) - difference))
