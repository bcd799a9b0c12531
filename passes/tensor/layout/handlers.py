"""How each operation on tensors is rebuilt when its tensors lie in another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dialects.affine.expressions import used_dims
from ....dialects.affine.maps import compose_map
from ....dialects.host import ir, tensor
from ....dialects.reshapes import reassociation
from ....dialects.structured import (
    PARALLEL,
    Structured,
    clone_into,
    rebuild_generic,
    structured,
)
from ..sizes import Mixed
from .order import Order, collapsed_order, expanded_order, permuted, permuted_map, permuted_type
from .rewriting import LayoutRewriter, reorders

DYNAMIC = ir.ShapedType.get_dynamic_size()


@reorders("linalg.generic")
def reorder_generic(rewriter: LayoutRewriter, op: Any) -> list[ir.Value]:
    """The same operation on reordered tensors, its loops in the order of its result."""
    view = structured(op)
    assert view is not None
    loops = _loops(rewriter, view)
    position = {loop: k for k, loop in enumerate(loops)}
    renamed = ir.AffineMap.get(len(loops), 0, [ir.AffineExpr.get_dim(position[d]) for d in range(len(loops))])
    orders = [rewriter.assignment.operand_order(view, k) for k in range(len(view.operands))]
    operands = [rewriter.tensors.get(v, o) if o else v for v, o in zip(view.operands, orders, strict=True)]
    maps = [permuted_map(m, o) if o else m for m, o in zip(view.maps, orders, strict=True)]
    new = rebuild_generic(
        view,
        operands[: len(view.inputs)],
        operands[len(view.inputs) :],
        [compose_map(m, renamed) for m in maps],
        [view.iterators[loop] for loop in loops],
    )
    for inner in new.regions[0].blocks[0].operations:
        _rename_indices(inner, position)
        rewriter.correct(inner)
    return list(new.results)


def _loops(rewriter: LayoutRewriter, view: Structured) -> list[int]:
    """Parallel loops as the result lies in memory, then reduced ones as the first input that has them."""
    seed = rewriter.assignment.convolutions.get(view.op.results[0])
    if seed is not None:
        return seed.all_loops(rewriter.assignment.operand_order(view, seed.image))
    loops: list[int] = []
    values = [*list(view.op.results)[:1], *view.inputs]
    for access, value in zip([*view.init_maps[:1], *view.input_maps], values, strict=True):
        loops += [loop for d in rewriter.order(value) for loop in sorted(used_dims(access.results[d]))]
    unique = dict.fromkeys([*loops, *range(len(view.iterators))])
    return sorted(unique, key=lambda loop: view.iterators[loop] != PARALLEL)


def _rename_indices(op: Any, position: dict[int, int]) -> None:
    if op.operation.name == "linalg.index":
        old = ir.IntegerAttr(op.attributes["dim"])
        op.attributes["dim"] = ir.IntegerAttr.get(old.type, position[old.value])
    for region in op.regions:
        for block in region.blocks:
            for inner in block.operations:
                _rename_indices(inner, position)


def _mixed(static: Sequence[int], dynamic: Sequence[ir.Value]) -> Mixed:
    values = iter(dynamic)
    return [next(values) if n == DYNAMIC else int(n) for n in static]


def _split(mixed: Mixed) -> tuple[list[ir.Value], list[int]]:
    """Dynamic numbers, and static ones with a place for each dynamic one."""
    dynamic = [n for n in mixed if not isinstance(n, int)]
    return dynamic, [n if isinstance(n, int) else DYNAMIC for n in mixed]


def _window(op: Any, order: Order) -> tuple[Any, ...]:
    """Offsets, sizes and strides of a slice in the order: first the dynamic ones, then the static ones."""
    parts = ((op.static_offsets, op.offsets), (op.static_sizes, op.sizes), (op.static_strides, op.strides))
    split = [_split(permuted(_mixed(static, dynamic), order)) for static, dynamic in parts]
    return (*(dynamic for dynamic, _ in split), *(static for _, static in split))


@reorders("tensor.extract_slice")
def reorder_extract_slice(rewriter: LayoutRewriter, op: Any) -> list[ir.Value]:
    source, result = op.source, op.result
    if source.type.rank != result.type.rank:
        return [_as_before(rewriter, op)]
    order = rewriter.order(result)
    kind = permuted_type(result.type, order)
    return [tensor.ExtractSliceOp(kind, rewriter.tensors.get(source, order), *_window(op, order)).result]


@reorders("tensor.insert_slice")
def reorder_insert_slice(rewriter: LayoutRewriter, op: Any) -> list[ir.Value]:
    if op.source.type.rank != op.result.type.rank:
        return [_as_before(rewriter, op)]
    order = rewriter.order(op.result)
    source, target = rewriter.tensors.get(op.source, order), rewriter.tensors.get(op.dest, order)
    return [tensor.InsertSliceOp(source, target, *_window(op, order)).result]


def _as_before(rewriter: LayoutRewriter, op: Any) -> ir.Value:
    """The operation on tensors in the order in which they are written."""
    mapping = {
        v: rewriter.tensors.get(v, tuple(range(v.type.rank)))
        for v in op.operands
        if isinstance(v.type, ir.RankedTensorType)
    }
    return clone_into([op], mapping)[op.results[0]]


@reorders("tensor.pad")
def reorder_pad(rewriter: LayoutRewriter, op: Any) -> list[ir.Value]:
    result = op.result
    order = rewriter.order(result)
    low = _split(permuted(_mixed(op.static_low, op.low), order))
    high = _split(permuted(_mixed(op.static_high, op.high), order))
    source = rewriter.tensors.get(op.source, order)
    new = tensor.PadOp(permuted_type(result.type, order), source, low[0], high[0], low[1], high[1])
    old = op.regions[0].blocks[0]
    where = [op.location] * len(order)
    block = new.regions[0].blocks.append(*[ir.IndexType.get()] * len(order), arg_locs=where)
    mapping = {old.arguments[d]: block.arguments[k] for k, d in enumerate(order)}
    clone_into(list(old.operations), mapping, ir.InsertionPoint(block))
    for inner in block.operations:
        rewriter.correct(inner)
    return [new.result]


@reorders("tensor.concat")
def reorder_concat(rewriter: LayoutRewriter, op: Any) -> list[ir.Value]:
    order = rewriter.order(op.result)
    parts = [rewriter.tensors.get(v, order) for v in op.operands]
    kind = permuted_type(op.result.type, order)
    return [tensor.ConcatOp(kind, order.index(ir.IntegerAttr(op.dim).value), parts).result]


@reorders("tensor.cast")
def reorder_cast(rewriter: LayoutRewriter, op: Any) -> list[ir.Value]:
    order = rewriter.order(op.result)
    source = rewriter.tensors.get(op.source, order)
    return [tensor.CastOp(permuted_type(op.result.type, order), source).result]


@reorders("tensor.collapse_shape")
def reorder_collapse(rewriter: LayoutRewriter, op: Any) -> list[ir.Value]:
    groups, order = reassociation(op), rewriter.order(op.result)
    source = rewriter.tensors.get(op.src, expanded_order(order, groups))
    kind = permuted_type(op.result.type, order)
    return [tensor.CollapseShapeOp(kind, source, _consecutive(permuted(groups, order))).result]


@reorders("tensor.expand_shape")
def reorder_expand(rewriter: LayoutRewriter, op: Any) -> list[ir.Value]:
    """The assignment gives results only orders whose groups lie together."""
    groups, order = reassociation(op), rewriter.order(op.result)
    narrow = collapsed_order(order, groups)
    assert narrow is not None
    source = rewriter.tensors.get(op.src, narrow)
    sizes = permuted(_mixed(op.static_output_shape, list(op.output_shape)), order)
    kind = permuted_type(op.result.type, order)
    return [tensor.ExpandShapeOp(kind, source, _consecutive(permuted(groups, narrow)), *_split(sizes)).result]


def _consecutive(groups: Sequence[Sequence[int]]) -> list[list[int]]:
    """Groups of the same lengths over dimensions counted from zero."""
    result: list[list[int]] = []
    for group in groups:
        first = sum(len(g) for g in result)
        result.append(list(range(first, first + len(group))))
    return result
