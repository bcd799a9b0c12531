"""Affine maps of the executable stage as quasi-affine expressions of the image."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ...dialects.affine.expressions import constant_value, dim_position, fold
from ...dialects.host import ir
from ...passes.infra.diagnostics import PassFailure
from ...wse_target import instructions
from ...wse_target.quasi_affine import Const, Expr, ExprOperator, binary, const, minimum


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


def access(
    amap: ir.AffineMap, buffer: instructions.Buffer, values: Sequence[Expr], op: Any
) -> instructions.Access:
    """A map into a row-major buffer as offset and strides in elements."""
    offset: Expr = instructions.ZERO
    strides = [0] * amap.n_dims
    pitch = 1
    for result, size in zip(reversed(list(amap.results)), reversed(buffer.shape), strict=True):
        parts, start = linear_form(result, amap.n_dims, values, op)
        strides = [s + pitch * p for s, p in zip(strides, parts, strict=True)]
        offset = offset + start * pitch
        pitch *= size
    return instructions.Access(buffer.name, offset, tuple(strides))


def linear_form(expr: ir.AffineExpr, dims: int, values: Sequence[Expr], op: Any) -> tuple[list[int], Expr]:
    """Coefficients of the dimensions, and the rest, which depends on symbols alone."""

    def leaf(part: Any) -> tuple[list[int], Expr]:
        position = dim_position(part)
        if position is not None:
            return [int(d == position) for d in range(dims)], instructions.ZERO
        return [0] * dims, value_of(part, (), values, op)

    def join(
        part: ir.AffineBinaryExpr, left: tuple[list[int], Expr], right: tuple[list[int], Expr]
    ) -> tuple[list[int], Expr]:
        (p, a), (q, b) = left, right
        if isinstance(part, ir.AffineAddExpr):
            return [x + y for x, y in zip(p, q, strict=True)], a + b
        if not any(p) and not any(q):
            return p, binary(_OPERATORS[type(part)], a, b)
        if isinstance(part, ir.AffineMulExpr) and isinstance(b, Const) and not any(q):
            return [x * b.value for x in p], a * b
        if isinstance(part, ir.AffineMulExpr) and isinstance(a, Const) and not any(p):
            return [y * a.value for y in q], a * b
        raise PassFailure(op, f"an address has to be linear in the loops' indices, got {expr}")

    return fold(expr, leaf, join)


_OPERATORS: dict[type, ExprOperator] = {
    ir.AffineAddExpr: "+",
    ir.AffineMulExpr: "*",
    ir.AffineFloorDivExpr: "floordiv",
    ir.AffineCeilDivExpr: "ceildiv",
    ir.AffineModExpr: "mod",
}


def value_of(expr: ir.AffineExpr, dims: Sequence[Expr], values: Sequence[Expr], op: Any) -> Expr:
    """An affine expression over the values of its dimensions and symbols."""

    def leaf(part: Any) -> Expr:
        value = constant_value(part)
        if value is not None:
            return const(value)
        if not isinstance(part, ir.AffineDimExpr | ir.AffineSymbolExpr):
            raise PassFailure(op, f"cannot translate the expression {part}")
        return (dims if isinstance(part, ir.AffineDimExpr) else values)[part.position]

    return fold(expr, leaf, lambda part, left, right: binary(_OPERATORS[type(part)], left, right))
