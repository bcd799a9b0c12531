"""Values of affine expressions, of numbers or of whole arrays of points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .host import ir
from .structured import dim_position, used_dims


def evaluate_affine(expr: ir.AffineExpr, variable: Callable[[Any], Any]) -> Any:
    """The value of an expression.

    Args:
        variable: the value of a dimension or symbol: a number, or an array that is computed with element by element.
    """
    if isinstance(expr, (ir.AffineDimExpr, ir.AffineSymbolExpr)):
        return variable(expr)
    if isinstance(expr, ir.AffineConstantExpr):
        return expr.value
    assert isinstance(expr, ir.AffineBinaryExpr), "MLIR has no other expressions"
    left, right = evaluate_affine(expr.lhs, variable), evaluate_affine(expr.rhs, variable)
    if isinstance(expr, ir.AffineAddExpr):
        return left + right
    if isinstance(expr, ir.AffineMulExpr):
        return left * right
    if isinstance(expr, ir.AffineModExpr):
        return left % right
    return left // right if isinstance(expr, ir.AffineFloorDivExpr) else -(-left // right)


def coefficient(expr: ir.AffineExpr, iterator: int) -> int | None:
    """The constant factor of a dimension in a linear expression; None when it is not linear in it."""
    if iterator not in used_dims(expr):
        return 0
    if dim_position(expr) == iterator:
        return 1
    if isinstance(expr, ir.AffineAddExpr):
        left, right = coefficient(expr.lhs, iterator), coefficient(expr.rhs, iterator)
        return None if left is None or right is None else left + right
    if isinstance(expr, ir.AffineMulExpr) and isinstance(expr.rhs, ir.AffineConstantExpr):
        inner = coefficient(expr.lhs, iterator)
        return None if inner is None else inner * expr.rhs.value
    return None
