"""Affine maps of the executable stage as quasi-affine expressions of the image."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ...dialects.host import ir
from ...passes.infra.diagnostics import PassFailure
from ...wse_target import image
from ...wse_target.quasi_affine import Const, Expr, binary, const, minimum


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
    known = [*values, *dims]
    as_symbols = [ir.AffineExpr.get_symbol(len(values) + d) for d in range(amap.n_dims)]
    results = [result.compose(ir.AffineMap.get(0, len(known), as_symbols)) for result in amap.results]
    expressions = [linear_form(result, 0, known, op)[1] for result in results]
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
    if isinstance(expr, ir.AffineDimExpr):
        return [int(d == expr.position) for d in range(dims)], image.ZERO
    if isinstance(expr, ir.AffineSymbolExpr):
        return [0] * dims, values[expr.position]
    if isinstance(expr, ir.AffineConstantExpr):
        return [0] * dims, const(expr.value)
    if not isinstance(expr, ir.AffineBinaryExpr):
        raise PassFailure(op, f"cannot translate the expression {expr}")
    (left, a), (right, b) = (linear_form(e, dims, values, op) for e in (expr.lhs, expr.rhs))
    if isinstance(expr, ir.AffineAddExpr):
        return [p + q for p, q in zip(left, right, strict=True)], a + b
    if isinstance(expr, ir.AffineMulExpr):
        if isinstance(b, Const) and not any(right):
            return [p * b.value for p in left], a * b
        if isinstance(a, Const) and not any(left):
            return [q * a.value for q in right], a * b
    operators = {ir.AffineFloorDivExpr: "floordiv", ir.AffineCeilDivExpr: "ceildiv", ir.AffineModExpr: "mod"}
    for kind, operator in operators.items():
        if isinstance(expr, kind) and not any(left + right):
            return [0] * dims, binary(operator, a, b)  # type: ignore[arg-type]
    raise PassFailure(op, f"an address has to be linear in the loops' indices, got {expr}")
