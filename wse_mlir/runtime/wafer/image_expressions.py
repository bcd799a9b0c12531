"""Affine maps of the executable stage as quasi-affine expressions of the image."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ...dialects.host import ir
from ...dialects.structured import used_dims
from ...passes.infra.diagnostics import PassFailure
from ...wse_target import image
from ...wse_target.quasi_affine import Const, Expr, Operator, binary, const, minimum


def smallest(amap: ir.AffineMap, values: Sequence[Expr], op: Any) -> Expr:
    """The minimum of a map's results, over the values of its symbols."""
    return combined(amap, values, op, (), minimum)


def combined(
    amap: ir.AffineMap,
    values: Sequence[Expr],
    op: Any,
    dims: Sequence[Expr],
    combine: Callable[[Expr, Expr], Expr],
) -> Expr:
    """A map's results made one; `values` are those of its symbols, `dims` those of its dimensions."""
    expressions = [value_of(result, dims, values, op) for result in amap.results]
    if not expressions:
        raise PassFailure(op, "a map without results")
    return functools.reduce(combine, expressions)


def access(amap: ir.AffineMap, buffer: image.Buffer, values: Sequence[Expr], op: Any) -> image.Access:
    """A map into a row-major buffer as offset and strides in elements."""
    offset: Expr = image.ZERO
    strides = [0] * amap.n_dims
    pitch = 1
    for result, size in zip(reversed(list(amap.results)), reversed(buffer.shape), strict=True):
        parts, start = linear_form(result, amap.n_dims, values, op)
        strides = [s + pitch * p for s, p in zip(strides, parts, strict=True)]
        offset = offset + start * pitch
        pitch *= size
    return image.Access(buffer.name, offset, tuple(strides))


def linear_form(expr: ir.AffineExpr, dims: int, values: Sequence[Expr], op: Any) -> tuple[list[int], Expr]:
    """Coefficients of the dimensions, and the rest, which depends on symbols alone."""
    if not used_dims(expr):
        return [0] * dims, value_of(expr, (), values, op)
    if isinstance(expr, ir.AffineDimExpr):
        return [int(d == expr.position) for d in range(dims)], image.ZERO
    if isinstance(expr, ir.AffineAddExpr | ir.AffineMulExpr):
        (left, a), (right, b) = (linear_form(e, dims, values, op) for e in (expr.lhs, expr.rhs))
        if isinstance(expr, ir.AffineAddExpr):
            return [p + q for p, q in zip(left, right, strict=True)], a + b
        if isinstance(b, Const) and not any(right):
            return [p * b.value for p in left], a * b
        if isinstance(a, Const) and not any(left):
            return [q * a.value for q in right], a * b
    raise PassFailure(op, f"an address has to be linear in the loops' indices, got {expr}")


_OPERATORS: dict[type, Operator] = {
    ir.AffineAddExpr: "+",
    ir.AffineMulExpr: "*",
    ir.AffineFloorDivExpr: "floordiv",
    ir.AffineCeilDivExpr: "ceildiv",
    ir.AffineModExpr: "mod",
}


def value_of(expr: ir.AffineExpr, dims: Sequence[Expr], values: Sequence[Expr], op: Any) -> Expr:
    """An affine expression over the values of its dimensions and symbols."""
    if isinstance(expr, ir.AffineDimExpr):
        return dims[expr.position]
    if isinstance(expr, ir.AffineSymbolExpr):
        return values[expr.position]
    if isinstance(expr, ir.AffineConstantExpr):
        return const(expr.value)
    if not isinstance(expr, ir.AffineBinaryExpr):
        raise PassFailure(op, f"cannot translate the expression {expr}")
    left, right = (value_of(e, dims, values, op) for e in (expr.lhs, expr.rhs))
    return binary(_OPERATORS[type(expr)], left, right)
