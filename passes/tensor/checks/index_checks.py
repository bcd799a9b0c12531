"""Checks of indices, in the form that a run evaluates: one reduction over the indices, one comparison.

An index that is too large and a negative one are both large when they are read without a sign, so that the greatest of
them tells all. What the program asserts is a comparison `greatest < size` without signs; where indices may count from
the end, the size is added to both sides' meaning: `greatest of (index + size) < 2 * size`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ....dialects.affine.expressions import dim_position
from ....dialects.host import arith, cf, ir, linalg, tensor
from ....dialects.structured import REDUCTION, build_generic
from ..sizes import TensorSize, sizes_of

INDEX_CHECK = "wse.index_check"
FROM_FRONT, FROM_EITHER_END = "front", "either-end"
_DIMENSION = "wse.dimension"


def assert_in_range(
    operands: Sequence[ir.Value],
    maps: Sequence[ir.AffineMap],
    size: TensorSize,
    index_of: Callable[..., ir.Value],
    *,
    dimension: int,
    counts_from_end: bool,
) -> None:
    """Asserts at the insertion point that all indices are those of a dimension.

    Args:
        operands / maps: what the indices are computed of, as inputs of a `linalg.generic`; they give all trip counts.
        size: of the dimension, an index.
        index_of: the index, of type index or an integer's, from the operands' scalars; called inside of the body.
        counts_from_end: whether negative indices down to minus the size are meant to count from the end.
    """
    i64 = ir.IntegerType.get_signless(64)
    if any(0 in ir.ShapedType(v.type).shape for v in operands):
        return
    wide: ir.Value = arith.constant(i64, size) if isinstance(size, int) else arith.index_cast(i64, size)
    limit = arith.addi(wide, wide) if counts_from_end else wide

    def largest(*scalars: ir.Value) -> list[ir.Value]:
        index = _as_i64(index_of(*scalars[:-1]))
        return [arith.maxui(scalars[-1], arith.addi(index, wide) if counts_from_end else index)]

    loops = maps[0].n_dims
    zero = linalg.fill(arith.constant(i64, 0), outs=[tensor.EmptyOp([], i64).result])
    every = [*maps, ir.AffineMap.get(loops, 0, [])]
    found = build_generic(operands, [zero], every, [REDUCTION] * loops, largest).results[0]
    empty = _is_empty(operands, maps)
    if empty is not None:
        limit = arith.select(empty, arith.constant(i64, 1), limit)
    fits = arith.cmpi(arith.CmpIPredicate.ult, tensor.extract(found, []), limit)
    made: Any = cf.AssertOp(fits, "index out of range")
    made.attributes[INDEX_CHECK] = ir.StringAttr.get(FROM_EITHER_END if counts_from_end else FROM_FRONT)
    made.attributes[_DIMENSION] = ir.IntegerAttr.get(i64, dimension)


def dimension_of(check: ir.Operation) -> int:
    """The dimension that an assertion is about."""
    return ir.IntegerAttr(check.attributes[_DIMENSION]).value


def _as_i64(index: ir.Value) -> ir.Value:
    i64 = ir.IntegerType.get_signless(64)
    if isinstance(index.type, ir.IndexType):
        return arith.index_cast(i64, index)
    return index if index.type == i64 else arith.extsi(i64, index)


def _is_empty(operands: Sequence[ir.Value], maps: Sequence[ir.AffineMap]) -> ir.Value | None:
    """Whether there is no index at all, where that is open: then nothing is compared."""
    seen: set[int] = set()
    empty: ir.Value | None = None
    for value, amap in zip(operands, maps, strict=True):
        for expression, size in zip(amap.results, sizes_of(value), strict=True):
            loop = dim_position(expression)
            if loop is None or loop in seen or isinstance(size, int):
                continue
            seen.add(loop)
            none = arith.cmpi(arith.CmpIPredicate.eq, size, arith.constant(ir.IndexType.get(), 0))
            empty = none if empty is None else arith.ori(empty, none)
    return empty
