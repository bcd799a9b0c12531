"""Affine expressions: walking one, what it depends on, and its value in numbers, arrays or index arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..host import affine, arith, ir

T = TypeVar("T")


def fold(expr: ir.AffineExpr, leaf: Callable[[Any], T], join: Callable[[ir.AffineBinaryExpr, T, T], T]) -> T:
    """Goes through an expression from its leaves up; all other functions that walk one are made of this.

    Args:
        leaf: what a dimension, a symbol or a constant becomes.
        join: what an operation becomes, given what its left and its right side have.
    """
    if not isinstance(expr, ir.AffineBinaryExpr):
        return leaf(expr)
    return join(expr, fold(expr.lhs, leaf, join), fold(expr.rhs, leaf, join))


def dim_position(expr: ir.AffineExpr) -> int | None:
    """The position of a plain dimension expression `dN`, else None."""
    return expr.position if isinstance(expr, ir.AffineDimExpr) else None


def constant_value(expr: ir.AffineExpr) -> int | None:
    """The number that an expression is, or None."""
    return expr.value if isinstance(expr, ir.AffineConstantExpr) else None


def is_plain(expr: ir.AffineExpr) -> bool:
    """Whether an expression is a dimension as it stands, or a constant."""
    return isinstance(expr, ir.AffineDimExpr | ir.AffineConstantExpr)


def used_dims(expr: ir.AffineExpr) -> frozenset[int]:
    """Positions of the dimensions that an expression depends on."""
    return fold(expr, _own_dims, lambda _, left, right: left | right)


def _own_dims(leaf: ir.AffineExpr) -> frozenset[int]:
    position = dim_position(leaf)
    return frozenset() if position is None else frozenset([position])


def division(expr: ir.AffineExpr) -> tuple[ir.AffineExpr, int] | None:
    """(what is divided, by which constant) of a `floordiv` or a `mod`; None for all else."""
    if not isinstance(expr, ir.AffineFloorDivExpr | ir.AffineModExpr):
        return None
    divisor = constant_value(expr.rhs)
    return None if divisor is None else (expr.lhs, divisor)


def divided_dim(expr: ir.AffineExpr) -> tuple[int, int] | None:
    """(dimension, divisor) of `d floordiv c` or `d mod c`; None for all else."""
    found = division(expr)
    position = dim_position(found[0]) if found is not None else None
    return None if found is None or position is None else (position, found[1])


def evaluate_affine(expr: ir.AffineExpr, variable: Callable[[Any], Any]) -> Any:
    """The value of an expression.

    Args:
        variable: the value of a dimension or symbol: a number, or an array that is computed with element by element.
    """
    return fold(expr, lambda leaf: variable(leaf) if constant_value(leaf) is None else leaf.value, _computed)


def _computed(expr: ir.AffineExpr, left: Any, right: Any) -> Any:
    if isinstance(expr, ir.AffineAddExpr):
        return left + right
    if isinstance(expr, ir.AffineMulExpr):
        return left * right
    if isinstance(expr, ir.AffineModExpr):
        return left % right
    return left // right if isinstance(expr, ir.AffineFloorDivExpr) else -(-left // right)


def emit_affine(expr: ir.AffineExpr, index: Callable[[int], ir.Value]) -> ir.Value:
    """Index arithmetic that computes an expression: the index or the constant that it is, or an `affine.apply`.

    Args:
        index: the value of a dimension, asked for those that the expression depends on, in order.
    """
    position = dim_position(expr)
    if position is not None:
        return index(position)
    value = constant_value(expr)
    if value is not None:
        return arith.constant(ir.IndexType.get(), value)
    used = sorted(used_dims(expr))
    local = ir.AffineMap.get(len(used), 0, [expr.compose(keep_dims(used, used[-1] + 1))])
    return affine.apply(local, [index(dim) for dim in used])


def keep_dims(kept: Sequence[int], count: int) -> ir.AffineMap:
    """From the dimensions that stay, numbered anew, to all `count` of them: those that go are zero."""
    number = {dim: k for k, dim in enumerate(kept)}
    exprs = [
        ir.AffineExpr.get_dim(number[dim]) if dim in number else ir.AffineExpr.get_constant(0)
        for dim in range(count)
    ]
    return ir.AffineMap.get(len(kept), 0, exprs)


def substitute(expr: ir.AffineExpr, inner: ir.AffineMap) -> ir.AffineExpr:
    """The expression with the results of `inner` in place of its dimensions, as an object of its own class."""
    (result,) = ir.AffineMap.get(inner.n_dims, 0, [expr.compose(inner)]).results
    return result
