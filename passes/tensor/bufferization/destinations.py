"""Lets tensors be computed where they are inserted later, so that the insertion copies nothing.

    %e = tensor.empty
    %x = linalg.generic ... outs(%e)
    %r = tensor.insert_slice %x into %d[...]
becomes
    %s = tensor.extract_slice %d[...]
    %x = linalg.generic ... outs(%s)
    %r = tensor.insert_slice %x into %d[...]

which the in-place analysis makes one buffer. What `%d` is made of moves up if it depends on nothing computed since;
results of one operation that are inserted at separate places are all slices of what the first is inserted into.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dialects.host import ir, tensor
from ....dialects.reshapes import reassociation
from ....dialects.structured import replace_op, structured
from ..traversal import made_by
from . import layouts
from .op_model import disjoint_slices, is_empty, is_linalg, is_tensor, slice_key, writes_of

_RESHAPES = frozenset({"tensor.expand_shape", "tensor.collapse_shape"})
# What may be moved up: it computes next to nothing.
_LIGHT = frozenset(
    {
        "tensor.empty",
        "tensor.extract_slice",
        "tensor.insert_slice",
        "tensor.dim",
        "arith.constant",
        "linalg.fill",
    }
)
# Users of a tensor that do not mind a buffer with gaps.
_STRIDED_USERS = frozenset(
    {
        "tensor.extract_slice",
        "tensor.insert_slice",
        "tensor.dim",
        "tensor.extract",
        "tensor.pad",
        "tensor.concat",
    }
)


def is_fill(op: ir.Operation) -> bool:
    """Whether an operation fills an empty tensor with a scalar, or repeats a vector in it: cheap to do again."""
    if op.name == "linalg.fill":
        return len(op.results) == 1 and is_empty(op.operands[1])
    view = structured(op) if len(op.results) == 1 else None
    if view is None or not view.is_elementwise() or not is_empty(view.inits[0]):
        return False
    return not view.reads(len(view.inputs)) and all(
        not is_tensor(v) or v.type.rank <= 1 < view.inits[0].type.rank for v in view.inputs
    )


def sink_fills(block: ir.Block) -> None:
    """Moves fills right before their only user: buffers then live no longer than they must."""
    for op in reversed([o.operation for o in block.operations]):
        if not is_fill(op):
            continue
        users = [use.owner.operation for use in op.results[0].uses]
        if len(users) == 1 and users[0].block == op.block:
            op.move_before(users[0])
            empty = made_by(op.operands[len(op.operands) - 1])
            if empty is not None and empty.block == op.block:
                empty.move_before(op)


def place_in_destinations(block: ir.Block, writable: Sequence[ir.Value]) -> None:
    """Replaces the empty tensors that a block's inserted tensors were computed in by slices of the destinations.

    Every `tensor.empty` must have one user.
    """
    _order_insertions(block)
    for op in [o.operation for o in block.operations]:
        if op.name == "tensor.insert_slice":
            _place(op, writable)


def _place(insertion: ir.Operation, writable: Sequence[ir.Value]) -> None:
    source, target = insertion.operands[0], _before_siblings(insertion)
    traced = _trace(source, insertion.block)
    if traced is None or not (_may_have_gaps(traced[1], insertion) and _can_undo(traced[1], insertion)):
        return
    root, makers = traced
    if isinstance(target.owner, ir.Block) and target not in writable:
        return
    needed = _below([target, *list(insertion.operands)[2:]], root)
    if needed is None:
        return
    for op in needed:
        op.move_before(root)
    with ir.InsertionPoint(root), root.location:
        place = _slice_of(insertion, target)
        for op in makers:
            place = _undo(op, place) if op.name in _RESHAPES else place
        replace_op(root, [place])


def _trace(value: ir.Value, block: ir.Block) -> tuple[ir.Operation, list[ir.Operation]] | None:
    """The `tensor.empty` that a tensor was computed in, and what computed it, last first; all in one block."""
    makers: list[ir.Operation] = []
    while (op := made_by(value)) is not None and op.block == block:
        if op.name == "tensor.empty":
            return op, makers
        makers.append(op)
        tied = [w for w in writes_of(op) if w.result == value]
        if (is_linalg(op) or op.name == "tensor.insert_slice") and tied:
            value = op.operands[tied[0].index]
        elif op.name in _RESHAPES and _is_static(value) and _is_static(op.operands[0]):
            value = op.operands[0]
        else:
            return None
    return None


def _is_static(value: ir.Value) -> bool:
    return ir.ShapedType(value.type).has_static_shape


def _may_have_gaps(makers: list[ir.Operation], insertion: ir.Operation) -> bool:
    """Whether all users of the tensors can work on a part of a larger buffer."""
    for maker in makers:
        for use in (use for result in maker.results for use in result.uses):
            user = use.owner.operation
            if user in makers or user.name in _STRIDED_USERS or is_linalg(user):
                continue
            if user.name != "tensor.collapse_shape" or maker != makers[0] or not _collapses(user, insertion):
                return False
    return True


def _collapses(reshape: ir.Operation, insertion: ir.Operation) -> bool:
    """Whether the slice that a tensor is inserted as can be reshaped without a copy."""
    window, kind = _window(insertion), reshape.results[0].type
    if window is None or not kind.has_static_shape:
        return False
    return layouts.collapsed_type(window, reassociation(reshape), list(kind.shape)) is not None


def _can_undo(makers: list[ir.Operation], insertion: ir.Operation) -> bool:
    """Whether the slice can be viewed in the shapes that an inserted tensor had before it was reshaped."""
    reshapes = [op for op in makers if op.name in _RESHAPES]
    window = _window(insertion) if reshapes else None
    for op in reshapes:
        if window is None:
            return False
        shape, view = list(op.operands[0].type.shape), layouts.expanded_type
        if op.name == "tensor.expand_shape":
            view = layouts.collapsed_type
        window = view(window, reassociation(op), shape)
    return not reshapes or window is not None


def _window(insertion: ir.Operation) -> ir.MemRefType | None:
    """The buffer type of the slice that an insertion writes, if all is static."""
    source, whole = insertion.operands[0].type, ir.RankedTensorType(insertion.operands[1].type)
    key, rank = slice_key(insertion), whole.rank
    if not (source.has_static_shape and whole.has_static_shape and all(isinstance(n, int) for n in key)):
        return None
    offsets, sizes, steps = (list(key[k : k + rank]) for k in (0, rank, 2 * rank))
    return layouts.subview_type(layouts.buffer_type(whole), offsets, sizes, steps, list(source.shape))


def _before_siblings(insertion: ir.Operation) -> ir.Value:
    """The destination before results of the same operation were inserted at other places of it."""
    target, key, maker = insertion.operands[1], slice_key(insertion), made_by(insertion.operands[0])
    while (before := made_by(target)) is not None and before.name == "tensor.insert_slice":
        sibling = made_by(before.operands[0])
        if (
            maker is None
            or sibling is None
            or sibling != maker
            or not disjoint_slices(slice_key(before), key)
        ):
            break
        target = before.operands[1]
    return target


def _below(values: Sequence[ir.Value], root: ir.Operation) -> list[ir.Operation] | None:
    """What an insertion's destination and place need of what stands behind `root`, in order; None if too much."""
    found: dict[ir.Operation, None] = {}
    pending = list(values)
    while pending:
        value = pending.pop()
        if isinstance(value.owner, ir.Block):
            continue
        op = value.owner.operation
        if op.block != root.block or op.is_before_in_block(root) or op in found:
            continue
        if op == root or not (
            op.name in _LIGHT or op.name.startswith("arith.") or is_fill(op) or _fills_slice(op)
        ):
            return None
        found[op] = None
        pending += list(op.operands)
    order = {op.operation: k for k, op in enumerate(root.block.operations)} if found else {}
    return sorted(found, key=lambda op: order[op])


def _fills_slice(op: ir.Operation) -> bool:
    """Whether an operation fills a slice with a scalar."""
    view = structured(op) if len(op.results) == 1 else None
    return view is not None and view.is_copy() and not any(is_tensor(v) for v in view.inputs)


def _slice_of(insertion: ir.Operation, target: ir.Value) -> ir.Value:
    """The place that an insertion writes, in what its destination was before."""
    op: Any = insertion.opview
    return tensor.ExtractSliceOp(
        op.source.type,
        target,
        list(op.offsets),
        list(op.sizes),
        list(op.strides),
        op.static_offsets,
        op.static_sizes,
        op.static_strides,
    ).result


def _undo(reshape: ir.Operation, place: ir.Value) -> ir.Value:
    """The place of a reshaped tensor in the shape that it had before."""
    kind = reshape.operands[0].type
    groups = reshape.attributes["reassociation"]
    if reshape.name == "tensor.expand_shape":
        return tensor.CollapseShapeOp(kind, place, groups).result
    return tensor.ExpandShapeOp(kind, place, groups, [], list(kind.shape)).result


# -- insertions one after the other


def _order_insertions(block: ir.Block) -> None:
    """Brings insertions into separate places of one tensor into the order in which their sources are computed."""
    for op in [o.operation for o in block.operations]:
        chain = _chain_ending_at(op)
        if len(chain) < 2 or not _are_disjoint(chain):
            continue
        position = {o.operation: k for k, o in enumerate(block.operations)}
        ordered = sorted(chain, key=lambda o: _position(o.operands[0], position))
        if ordered == chain:
            continue
        base = chain[0].operands[1]
        for member in ordered:
            clone = member.clone(ir.InsertionPoint(op))
            clone.operands[1] = base
            base = clone.results[0]
        op.results[0].replace_all_uses_with(base)
        for member in reversed(chain):
            member.erase()


def _position(value: ir.Value, positions: dict[ir.Operation, int]) -> int:
    owner = made_by(value)
    return -1 if owner is None else positions.get(owner, -1)


def _chain_ending_at(op: ir.Operation) -> list[ir.Operation]:
    """Insertions into one tensor that have no other user in between, first to last; empty if `op` is not the last."""
    if op.name != "tensor.insert_slice" or _only_insertion(op.results[0]) is not None:
        return []
    chain = [op]
    while (before := made_by(chain[0].operands[1])) is not None and before.name == "tensor.insert_slice":
        if before.block != op.block or _only_insertion(before.results[0]) is None:
            break
        chain.insert(0, before)
    return chain


def _only_insertion(value: ir.Value) -> ir.Operation | None:
    """The insertion into a tensor that is its only user."""
    uses = list(value.uses)
    if len(uses) != 1 or uses[0].operand_number != 1:
        return None
    user = uses[0].owner.operation
    return user if user.name == "tensor.insert_slice" else None


def _are_disjoint(chain: list[ir.Operation]) -> bool:
    keys = [slice_key(op) for op in chain]
    return all(disjoint_slices(a, b) for k, a in enumerate(keys) for b in keys[:k])
