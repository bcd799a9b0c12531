"""A member of a group on one tile of the group's loops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .....dialects.affine.expressions import (
    divided_dim,
    emit_affine,
    keep_dims,
    substitute,
    used_dims,
)
from .....dialects.affine.linear import linear
from .....dialects.host import affine, arith, ir, linalg, memref
from .....dialects.structured import (
    Structured,
    clone_into,
    rebuild_generic,
)
from ....tensor.bufferization.layouts import DYNAMIC, subview_type
from ....tensor.loops.tiling.index_math import IndexOrValue, dim_size, weighted_sum


@dataclass(frozen=True)
class TileRange:
    """What a loop's body covers of an iterator: `size` iterations from `start`; one iteration is no loop any more."""

    start: ir.Value
    size: int


@dataclass(frozen=True)
class _Dim:
    """A dimension of an operand's slice; dropped ones have no expression, whole ones of open size no size."""

    offset: IndexOrValue
    size: IndexOrValue | None
    expr: ir.AffineExpr | None


@dataclass(frozen=True)
class SmallBuffer:
    """A buffer that holds one tile of another one.

    Attributes:
        value: the buffer.
        tiles: dimensions of the other one that are cut -> extent here; dimensions cut to 1 are not there.
    """

    value: ir.Value
    tiles: Mapping[int, int]


def emit_member(
    view: Structured, parts: Mapping[int, TileRange], small: Mapping[ir.Value, SmallBuffer]
) -> None:
    """Emits the operation for the given parts of its iterators.

    Args:
        parts: iterator -> part.
        small: what stands for buffers of which only a tile is kept.
    """
    kept = [i for i in range(len(view.iterators)) if i not in parts or parts[i].size > 1]
    operands: list[ir.Value] = []
    maps: list[ir.AffineMap] = []
    for operand, access in zip(view.operands, view.maps, strict=True):
        if not isinstance(operand.type, ir.MemRefType):
            operands.append(operand)
            maps.append(ir.AffineMap.get(len(kept), 0, []))
            continue
        dims = [_slice_dim(view, operand, d, expr, parts, kept) for d, expr in enumerate(access.results)]
        maps.append(ir.AffineMap.get(len(kept), 0, [d.expr for d in dims if d.expr is not None]))
        if operand in small:
            buffer = small[operand]
            inner = [replace(d, offset=0) if k in buffer.tiles else d for k, d in enumerate(dims)]
            operands.append(
                take_slice(buffer.value, [d for k, d in enumerate(inner) if buffer.tiles.get(k) != 1])
            )
        else:
            operands.append(take_slice(operand, dims))
    count = len(view.inputs)
    rebuild_generic(
        view,
        operands[:count],
        operands[count:],
        maps,
        [view.iterators[i] for i in kept],
        lambda *scalars: _body(view, scalars, parts, kept),
    )


def _slice_dim(
    view: Structured,
    operand: ir.Value,
    dim: int,
    expr: ir.AffineExpr,
    parts: Mapping[int, TileRange],
    kept: Sequence[int],
) -> _Dim:
    """What a tile touches of one dimension of an operand."""
    used = used_dims(expr)
    rest = [i for i in sorted(used) if i in kept]
    cut = [i for i in sorted(used) if i in parts]
    renamed = substitute(expr, keep_dims(kept, len(view.iterators)))
    if not cut:
        return _Dim(0, _whole(operand, dim), renamed)
    form = linear(expr)
    if form is None and rest:
        return _slice_blocks(operand, dim, expr, parts[cut[0]], renamed)
    if form is None:  # of an iterator that is down to one iteration
        return _Dim(emit_affine(expr, lambda i: parts[i].start), 1, None)
    offset = weighted_sum([(form.factor(i), parts[i].start) for i in cut], 0 if rest else form.constant)
    if not rest:
        return _Dim(offset, 1, None)
    sizes = view.loop_sizes()
    extents = [(form.factor(i), parts[i].size if i in parts else sizes[i]) for i in rest]
    known = [(c, s) for c, s in extents if s is not None]
    if len(known) < len(extents):
        size = weighted_sum([(1, dim_size(operand, dim)), (-1, offset)])
    else:
        size = 1 + form.constant + sum(c * (s - 1) for c, s in known)
    return _Dim(offset, size, renamed)


def _slice_blocks(
    operand: ir.Value, dim: int, expr: ir.AffineExpr, part: TileRange, renamed: ir.AffineExpr
) -> _Dim:
    """What a part that starts at a multiple of the divisor touches of a dimension of a packed operand."""
    block = divided_dim(expr)
    assert block is not None, "such expressions are not cut"
    if isinstance(expr, ir.AffineModExpr):
        return _Dim(0, _whole(operand, dim), renamed)
    first = ir.AffineMap.get(1, 0, [ir.AffineExpr.get_floor_div(ir.AffineExpr.get_dim(0), block[1])])
    return _Dim(affine.apply(first, [part.start]), -(-part.size // block[1]), renamed)


def take_slice(value: ir.Value, dims: Sequence[_Dim]) -> ir.Value:
    """A subview without the dropped dimensions; the buffer itself if that is all of it."""
    kind = ir.MemRefType(value.type)
    if all(d.expr is not None and d.offset == 0 and d.size == _whole(value, k) for k, d in enumerate(dims)):
        return value
    dims = [replace(d, size=dim_size(value, k)) if d.size is None else d for k, d in enumerate(dims)]
    sizes = [d.size if isinstance(d.size, int) else DYNAMIC for d in dims]
    offsets = [d.offset if isinstance(d.offset, int) else DYNAMIC for d in dims]
    steps = [1] * len(dims)
    kept = [s for d, s in zip(dims, sizes, strict=True) if d.expr is not None]
    dropped = [d.expr is None for d in dims]
    result = _reduced(subview_type(kind, offsets, sizes, steps, sizes), dropped, kept)
    dynamic_offsets = [d.offset for d in dims if isinstance(d.offset, ir.Value)]
    dynamic_sizes = [d.size for d in dims if isinstance(d.size, ir.Value)]
    return memref.SubViewOp(result, value, dynamic_offsets, dynamic_sizes, [], offsets, sizes, steps).result


def _whole(value: ir.Value, dim: int) -> int | None:
    """The size of a dimension; None when it is open."""
    kind = ir.MemRefType(value.type)
    return None if kind.is_dynamic_dim(dim) else kind.get_dim_size(dim)


def _reduced(full: ir.MemRefType, dropped: Sequence[bool], kept: Sequence[int]) -> ir.MemRefType:
    """The type of a subview without some of its dimensions."""
    strides, offset = full.get_strides_and_offset()
    layout = ir.StridedLayoutAttr.get(
        offset, [s for s, gone in zip(strides, dropped, strict=True) if not gone]
    )
    return ir.MemRefType.get(list(kept), full.element_type, layout, full.memory_space)


def _body(
    view: Structured, scalars: Sequence[ir.Value], parts: Mapping[int, TileRange], kept: Sequence[int]
) -> list[ir.Value]:
    mapping: dict[ir.Value, Any] = dict(zip(view.body.arguments, scalars, strict=True))
    for op in view.body_operations():
        if op.operation.name != "linalg.index":
            clone_into([op], mapping)
            continue
        i = ir.IntegerAttr(op.attributes["dim"]).value
        if i not in kept:
            mapping[op.result] = parts[i].start
        elif i in parts:
            mapping[op.result] = arith.addi(linalg.IndexOp(kept.index(i)).result, parts[i].start)
        else:
            mapping[op.result] = linalg.IndexOp(kept.index(i)).result
    return [mapping.get(v, v) for v in view.yielded]
