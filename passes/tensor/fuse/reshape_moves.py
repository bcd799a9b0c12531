"""Moves reshapes past elementwise operations, so that a reshape does not cut a chain that could be one operation.

Only iteration spaces change, one operation at a time and each at most once, in program order:

    producer -> expand_shape -> consumer     becomes   producer -> consumer over merged loops -> expand_shape
    producer -> collapse_shape -> consumer   becomes   producer -> consumer over split loops  -> collapse_shape

Producer and consumer then share an iteration space. That is done only where the consumer's users are reshapes that
undo the moved one, or the end of the function: a reduction over the consumer's result would be cut off instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....dialects.affine.expressions import dim_position
from ....dialects.affine.maps import has_plain_results
from ....dialects.host import func, ir, tensor
from ....dialects.reshapes import reassociation
from ....dialects.structured import (
    PARALLEL,
    Structured,
    element_type,
    rebuild_generic,
    structured,
)
from ...infra.pass_base import PassRun

Groups = list[list[int]]


@dataclass(frozen=True)
class _Reshaped:
    """An operand as the reshaped operation reads it: dimensions grouped or split, and the new map."""

    groups: Groups
    map: ir.AffineMap


def move_reshapes(block: ir.Block, run: PassRun) -> bool:
    """Moves the reshapes of one block downwards past elementwise operations where that joins two of them.

    Returns whether any was moved.
    """
    any_moved = False
    for op in list(block.operations):
        view = structured(op)
        if view is None or not _is_movable_past(view):
            continue
        for k, value in enumerate(view.inputs):
            owner: Any = None if isinstance(value, ir.BlockArgument) else value.owner
            if not isinstance(owner, tensor.ExpandShapeOp | tensor.CollapseShapeOp):
                continue
            if not _is_elementwise(owner.src) or not _users_undo(view, type(owner)):
                continue
            if isinstance(owner, tensor.ExpandShapeOp):
                moved = _merge_loops(view, k, owner)
            else:
                moved = _split_loops(view, k, owner)
            if moved:
                run.count("reshapes moved past an elementwise operation")
                any_moved = True
                break
    return any_moved


def _users_undo(view: Structured, moved: type) -> bool:
    """Whether all users are the other kind of reshape or return the value."""
    opposite = tensor.CollapseShapeOp if moved is tensor.ExpandShapeOp else tensor.ExpandShapeOp
    owners = [use.owner for result in view.op.results for use in result.uses]
    return all(isinstance(owner, opposite | func.ReturnOp) for owner in owners)


def _is_movable_past(view: Structured) -> bool:
    """Elementwise, of static shape, accessed by plain dimensions and constants, its position not asked for."""
    return (
        len(view.op.results) > 0
        and view.is_elementwise()
        and all(map(has_plain_results, view.maps))
        and all(isinstance(v.type, ir.RankedTensorType) and v.type.has_static_shape for v in view.operands)
        and not any(o.operation.name == "linalg.index" for o in view.body_operations())
    )


def _is_elementwise(value: ir.Value) -> bool:
    """Whether a tensor is computed by an operation that fusion can take in."""
    view = None if isinstance(value, ir.BlockArgument) else structured(value.owner)
    return view is not None and view.is_elementwise() and not _is_fill(view)


def _is_fill(view: Structured) -> bool:
    return view.is_copy() and all(not m.results for m in view.input_maps)


def _loops_of(access: ir.AffineMap) -> list[int] | None:
    """The loops that a map reads by, one a dimension and all different; None when it is not of that kind."""
    loops = [dim_position(e) for e in access.results]
    plain = [p for p in loops if p is not None]
    return plain if len(plain) == len(loops) == len(set(plain)) else None


# -- expand_shape before the consumer: its loops are merged -----------------------------------------------------


def _merge_loops(view: Structured, operand: int, reshape: Any) -> bool:
    loops = _loops_of(view.maps[operand])
    if loops is None:
        return False
    merged = [[loops[d] for d in group] for group in reassociation(reshape)]
    covered = {d for group in merged for d in group}
    merged += [[d] for d in range(len(view.iterators)) if d not in covered]
    merged.sort(key=min)
    plans = [_merged_access(m, merged) for m in view.maps]
    if any(p is None for p in plans) or _cuts_another(view, operand, plans):
        return False
    with ir.InsertionPoint(view.op), view.op.location:
        operands = [
            reshape.src if _is_same_read(view, operand, k) else _collapse(v, p.groups)
            for k, (v, p) in enumerate(zip(view.operands, plans, strict=True))
            if p is not None
        ]
        results = _rebuild(view, operands, [p.map for p in plans if p is not None], len(merged))
        for old, value, plan in zip(view.op.results, results, plans[len(view.inputs) :], strict=True):
            assert plan is not None
            old.replace_all_uses_with(_expand(value, plan.groups, ir.ShapedType(old.type).shape))
    view.op.operation.erase()
    return True


def _merged_access(access: ir.AffineMap, merged: Groups) -> _Reshaped | None:
    """An access by merged loops; None when it does not read a merged group as adjacent dimensions in order."""
    group_of = {d: g for g, group in enumerate(merged) for d in group}
    exprs: list[ir.AffineExpr] = []
    groups: Groups = []
    results = [dim_position(e) for e in access.results]
    at = 0
    while at < len(results):
        loop = results[at]
        if loop is None:
            exprs.append(access.results[at])
            groups.append([at])
            at += 1
            continue
        group = merged[group_of[loop]]
        if results[at : at + len(group)] != group:
            return None
        exprs.append(ir.AffineExpr.get_dim(group_of[loop]))
        groups.append(list(range(at, at + len(group))))
        at += len(group)
    return _Reshaped(groups, ir.AffineMap.get(len(merged), 0, exprs))


# -- collapse_shape before the consumer: its loops are split ----------------------------------------------------


def _split_loops(view: Structured, operand: int, reshape: Any) -> bool:
    loops = _loops_of(view.maps[operand])
    if loops is None:
        return False
    shape = ir.ShapedType(reshape.src.type).shape
    sizes: dict[int, list[int]] = {
        loop: [shape[d] for d in group] for loop, group in zip(loops, reassociation(reshape), strict=True)
    }
    split: Groups = []
    for loop in range(len(view.iterators)):
        first = sum(len(g) for g in split)
        split.append(list(range(first, first + len(sizes.get(loop, [0])))))
    plans = [_split_access(m, split) for m in view.maps]
    if _cuts_another(view, operand, list(plans)):
        return False
    with ir.InsertionPoint(view.op), view.op.location:
        operands = [
            reshape.src
            if _is_same_read(view, operand, k)
            else _expand(v, p.groups, _split_sizes(v, m, sizes))
            for k, (v, m, p) in enumerate(zip(view.operands, view.maps, plans, strict=True))
        ]
        results = _rebuild(view, operands, [p.map for p in plans], sum(len(g) for g in split))
        for old, value, plan in zip(view.op.results, results, plans[len(view.inputs) :], strict=True):
            old.replace_all_uses_with(_collapse(value, plan.groups))
    view.op.operation.erase()
    return True


def _split_access(access: ir.AffineMap, split: Groups) -> _Reshaped:
    exprs: list[ir.AffineExpr] = []
    groups: Groups = []
    for expr in access.results:
        loop = dim_position(expr)
        parts = [expr] if loop is None else [ir.AffineExpr.get_dim(d) for d in split[loop]]
        groups.append(list(range(len(exprs), len(exprs) + len(parts))))
        exprs += parts
    return _Reshaped(groups, ir.AffineMap.get(sum(len(g) for g in split), 0, exprs))


def _split_sizes(value: ir.Value, access: ir.AffineMap, sizes: dict[int, list[int]]) -> list[int]:
    result: list[int] = []
    for expr, size in zip(access.results, ir.ShapedType(value.type).shape, strict=True):
        loop = dim_position(expr)
        result += [size] if loop is None else sizes.get(loop, [size])
    return result


# -- both -------------------------------------------------------------------------------------------------------


def _is_same_read(view: Structured, operand: int, other: int) -> bool:
    """Whether two operands are one tensor read in one way: an outer product reads a vector in two."""
    return view.operands[other] == view.operands[operand] and view.maps[other] == view.maps[operand]


def _cuts_another(view: Structured, operand: int, plans: list[_Reshaped | None]) -> bool:
    """Whether another input that fusion could take in would get a reshape in between instead."""
    for k, (value, plan) in enumerate(zip(view.inputs, plans, strict=False)):
        reshaped = plan is None or any(len(g) > 1 for g in plan.groups)
        if k != operand and value != view.inputs[operand] and reshaped and _is_elementwise(value):
            return True
    return False


def _rebuild(
    view: Structured, operands: list[ir.Value], maps: list[ir.AffineMap], loops: int
) -> list[ir.Value]:
    count = len(view.inputs)
    inits = [
        v if view.reads(count + k) else tensor.empty(ir.ShapedType(v.type).shape, element_type(v.type))
        for k, v in enumerate(operands[count:])
    ]
    op = rebuild_generic(view, operands[:count], inits, maps, [PARALLEL] * loops)
    return list(op.results)


def _collapse(value: ir.Value, groups: Groups) -> ir.Value:
    """The value with each group of dimensions as one; itself when every group is one dimension."""
    if all(len(g) == 1 for g in groups):
        return value
    shape = ir.ShapedType(value.type).shape
    merged = [1] * len(groups)
    for k, group in enumerate(groups):
        for d in group:
            merged[k] *= shape[d]
    return tensor.CollapseShapeOp(_typed(value, merged), value, groups).result


def _expand(value: ir.Value, groups: Groups, shape: list[int]) -> ir.Value:
    """The value with each dimension split into a group of the new shape's dimensions."""
    if all(len(g) == 1 for g in groups):
        return value
    return tensor.ExpandShapeOp(_typed(value, shape), value, groups, [], list(shape)).result


def _typed(value: ir.Value, shape: list[int]) -> ir.Type:
    return ir.RankedTensorType.get(shape, element_type(value.type))
