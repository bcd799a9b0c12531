"""The order in which a tensor's dimensions lie in memory, as a permutation, and what it does to types and maps.

An order lists the dimensions from the outermost to the innermost: (0, 2, 3, 1) is channels last for (n, c, h, w).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ....dialects.affine.expressions import dim_position, used_dims
from ....dialects.host import ir

Order = tuple[int, ...]
_T = TypeVar("_T")


def identity(rank: int) -> Order:
    """Dimensions as they are written."""
    return tuple(range(rank))


def is_identity(order: Order) -> bool:
    """Whether the order changes nothing."""
    return order == identity(len(order))


def permuted(items: Sequence[_T], order: Order) -> list[_T]:
    """One item a dimension, brought into the order."""
    return [items[d] for d in order]


def permuted_type(tensor: ir.Type, order: Order) -> ir.RankedTensorType:
    """The type of a tensor whose dimensions are brought into the order."""
    kind = ir.RankedTensorType(tensor)
    return ir.RankedTensorType.get(permuted(list(kind.shape), order), kind.element_type, kind.encoding)


def permuted_map(access: ir.AffineMap, order: Order) -> ir.AffineMap:
    """The map of an operand after its dimensions were brought into the order."""
    return ir.AffineMap.get(access.n_dims, 0, permuted(list(access.results), order))


def order_by_loops(access: ir.AffineMap, loops: Sequence[int]) -> Order:
    """The order of an operand's dimensions that follows an order of the loops.

    A dimension indexed by several loops goes by the outermost of them, a constant one stays behind its predecessor.
    """
    depth = {loop: k for k, loop in enumerate(loops)}
    keys: list[int] = []
    for expr in access.results:
        depths = [depth[d] for d in used_dims(expr) if d in depth]
        keys.append(min(depths) if depths else (keys[-1] if keys else -1))
    return tuple(sorted(range(len(keys)), key=lambda d: (keys[d], d)))


def loops_by_order(access: ir.AffineMap, order: Order) -> list[int]:
    """The loops that index an operand by themselves, in the order of its dimensions in memory."""
    loops = [dim_position(access.results[d]) for d in order]
    return list(dict.fromkeys(p for p in loops if p is not None))


def expanded_order(order: Order, groups: Sequence[Sequence[int]]) -> Order:
    """The order of a tensor's dimensions after each was split into the dimensions of its group."""
    return tuple(d for dim in order for d in groups[dim])


def collapsed_order(order: Order, groups: Sequence[Sequence[int]]) -> Order | None:
    """The order after each group of dimensions became one; None when a group does not lie together in order."""
    group_of = {group[0]: k for k, group in enumerate(groups) if group}
    result: list[int] = []
    at = 0
    while at < len(order):
        group = group_of.get(order[at])
        if group is None or list(order[at : at + len(groups[group])]) != list(groups[group]):
            return None
        result.append(group)
        at += len(groups[group])
    return tuple(result)


def same_memory(shape: Sequence[int], left: Order, right: Order) -> bool:
    """Whether two orders put the elements of a tensor at the same places: sizes of one do not matter."""
    return [d for d in left if shape[d] != 1] == [d for d in right if shape[d] != 1]
