"""Values of affine expressions, of numbers or of whole arrays of points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .host import ir


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
