"""Writes that went to a transposed tensor go to the tensor itself, with their indices in its order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .....dialects.host import ir, tensor
from .....dialects.structured import PARALLEL, build_generic, element_type
from ...bufferization.op_model import loop_inits
from ...unit_reshape import unit_groups
from .read_chain import kept_dims, shape_of
from .views import open_part

_DYNAMIC = ir.ShapedType.get_dynamic_size()
_INSERTIONS = frozenset({"tensor.insert_slice", "tensor.insert"})


def written_by(use: Any) -> ir.Value | None:
    """What becomes of a tensor that an operation writes, a loop perhaps; None when it is no such use."""
    user, number = use.owner.operation, use.operand_number
    if user.name in _INSERTIONS and number == 1:
        return user.results[0]
    if user.name == "scf.for":
        return next((result for index, _, result in loop_inits(user) if index == number), None)
    return None


def can_move(use: Any) -> bool:
    """Whether a write may go to a tensor whose dimensions lie in another order."""
    user, number = use.owner.operation, use.operand_number
    if user.name != "scf.for":
        return written_by(use) is not None
    for index, carried, result in loop_inits(user):
        if index == number:
            return _is_only_written(carried, user, list(user.results).index(result))
    return False


def _is_only_written(carried: ir.Value, loop: ir.Operation, position: int) -> bool:
    """Whether a loop's body only writes a tensor, or reads single elements, and hands it on where it came from."""
    for use in carried.uses:
        user = use.owner.operation
        if user.name == "tensor.extract":
            continue
        if user.name == "scf.yield" and user.parent == loop and use.operand_number == position:
            continue
        result = written_by(use)
        if result is None or not can_move(use) or not _is_only_written(result, loop, position):
            return False
    return True


def move_write(use: Any, target: ir.Value, order: Sequence[int]) -> ir.Value:
    """Lets a write that `can_move` go to another tensor.

    Args:
        target: holds what was to be written, transposed; `order[d]` is where dimension `d` lies in it.
    Returns:
        What `target` becomes. Uses of what was written before stay as they are: they expect the old order.
    """
    user, number = use.owner.operation, use.operand_number
    if user.name == "tensor.insert_slice":
        with ir.InsertionPoint(user), user.location:
            return _inserted(user.opview, target, order)
    user.operands[number] = target
    if user.name == "tensor.insert":
        _permute_indices(user, 2, order)
        user.results[0].set_type(target.type)
        return user.results[0]
    _, carried, result = next(part for part in loop_inits(user) if part[0] == number)
    carried.set_type(target.type)
    result.set_type(target.type)
    _move_uses(carried, carried, order)
    return result


def _move_uses(old: ir.Value, new: ir.Value, order: Sequence[int]) -> None:
    """Moves everything that a loop's body does with a tensor."""
    for use in list(old.uses):
        user = use.owner.operation
        if user.name == "tensor.extract":
            user.operands[0] = new
            _permute_indices(user, 1, order)
        elif user.name == "scf.yield":
            user.operands[use.operand_number] = new
        else:
            before = written_by(use)
            assert before is not None
            _move_uses(before, move_write(use, new, order), order)
            if user.name == "tensor.insert_slice":
                user.erase()


def _permute_indices(op: ir.Operation, first: int, order: Sequence[int]) -> None:
    indices = list(op.operands)[first:]
    for d, index in enumerate(indices):
        op.operands[first + order[d]] = index


def _inserted(op: Any, target: ir.Value, order: Sequence[int]) -> ir.Value:
    """The same slice, inserted into a tensor of other order, without its dimensions of size one."""
    source = _in_order(op, order)
    groups = []
    for static, dynamic in (
        (op.static_offsets, op.offsets),
        (op.static_sizes, op.sizes),
        (op.static_strides, op.strides),
    ):
        given = iter(dynamic)
        mixed = [next(given) if int(n) == _DYNAMIC else int(n) for n in static]
        placed: list[Any] = [0] * len(mixed)
        for d, number in enumerate(mixed):
            placed[order[d]] = number
        groups.append(placed)
    dynamic = [[n for n in group if not isinstance(n, int)] for group in groups]
    static = [[n if isinstance(n, int) else _DYNAMIC for n in group] for group in groups]
    return tensor.InsertSliceOp(source, target, *dynamic, *static).result


def _in_order(op: Any, order: Sequence[int]) -> ir.Value:
    """What is inserted, without dimensions of size one, its others in the target's order."""
    source, shape = op.source, shape_of(op.source)
    sizes = [None if int(s) == _DYNAMIC else int(s) for s in op.static_sizes]
    seen = sorted(kept_dims(sizes, shape) or range(len(sizes)))
    kept = [k for k, size in enumerate(shape) if size != 1] or [0][: len(shape)]
    if len(kept) < len(shape):
        kind = ir.RankedTensorType.get(
            [_DYNAMIC if (s := shape[k]) is None else s for k in kept], element_type(source.type)
        )
        source = tensor.CollapseShapeOp(kind, source, unit_groups(kept, len(shape))).result
    places = [order[seen[k]] for k in kept]
    if places == sorted(places):
        return source
    return transposed(source, [places.index(p) for p in sorted(places)])


def transposed(value: ir.Value, order: Sequence[int]) -> ir.Value:
    """A tensor whose dimension `d` is dimension `order[d]` of another."""
    shape, rank = shape_of(value), len(order)
    sizes = [open_part(value, d, 1) if (s := shape[d]) is None else s for d in order]
    empty = tensor.empty(sizes, element_type(value.type))
    loops: list[ir.AffineExpr] = [ir.AffineExpr.get_dim(0)] * rank
    for d, place in enumerate(order):
        loops[place] = ir.AffineExpr.get_dim(d)
    maps = [ir.AffineMap.get(rank, 0, loops), ir.AffineMap.get_identity(rank)]
    return build_generic([value], [empty], maps, [PARALLEL] * rank, lambda x, _: [x]).results[0]
