"""Reshapes that only add or drop dimensions of size one: to a reader they are a change of indexing map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...dialects.host import ir, tensor
from ...dialects.reshapes import reassociation


def read_through(op: Any, access: ir.AffineMap) -> tuple[ir.Value, ir.AffineMap] | None:
    """The source of a reshape and the map that reads from it what `access` reads from its result.

    None when the operation is no reshape or merges or splits a dimension whose size is not one.
    """
    if isinstance(op, tensor.ExpandShapeOp):
        expanded = _sizes(op.result)
        kept: list[ir.AffineExpr] = []
        for group in reassociation(op):
            expr = _one(group, expanded, list(access.results))
            if expr is None:
                return None
            kept.append(expr)
        return op.src, ir.AffineMap.get(access.n_dims, 0, kept)
    if isinstance(op, tensor.CollapseShapeOp):
        expanded = _sizes(op.src)
        exprs: list[ir.AffineExpr] = [ir.AffineExpr.get_constant(0)] * len(expanded)
        for group, expr in zip(reassociation(op), access.results, strict=True):
            real = [d for d in group if expanded[d] != 1]
            if len(real) > 1:
                return None
            exprs[(real or group)[0]] = expr
        return op.src, ir.AffineMap.get(access.n_dims, 0, exprs)
    return None


def unit_groups(kept: Sequence[int], rank: int) -> list[list[int]]:
    """Groups of a collapse to `kept` dimensions: each with those before it that go, the last with those after."""
    groups: list[list[int]] = []
    for d in range(rank):
        before = (
            groups[-1] if groups and (groups[-1][-1] not in kept or not any(k >= d for k in kept)) else None
        )
        if before is None:
            groups.append([d])
        else:
            before.append(d)
    return groups if kept else []


def _sizes(value: ir.Value) -> list[int]:
    """Sizes of a tensor; a dynamic one is -1, which is not one."""
    shaped = ir.ShapedType(value.type)
    return [-1 if shaped.is_dynamic_dim(d) else shaped.get_dim_size(d) for d in range(shaped.rank)]


def _one(group: list[int], sizes: list[int], exprs: list[ir.AffineExpr]) -> ir.AffineExpr | None:
    """The expression of a group's only real dimension; of its first one when all are of size one."""
    real = [d for d in group if sizes[d] != 1]
    return None if len(real) > 1 else exprs[(real or group)[0]]
