"""Loop nests that walk over memory: what iterations have in common, and simpler nests that do the same."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np

from .kernels import Walk


def simplify(bounds: tuple[int, ...], walks: Sequence[Walk]) -> tuple[tuple[int, ...], tuple[Walk, ...]]:
    """The same iterations in the same order with as few loops as possible.

    Loops of one trip are left out, and neighbours become one loop where every operand goes on evenly from the end of
    the inner one to its next trip.
    """
    loops: list[tuple[int, tuple[int, ...]]] = []  # bound, stride of each walk
    for bound, *strides in zip(bounds, *(w.strides for w in walks), strict=True):
        if bound == 1:
            continue
        if loops and all(outer == bound * inner for outer, inner in zip(loops[-1][1], strides, strict=True)):
            loops[-1] = (loops[-1][0] * bound, tuple(strides))
        else:
            loops.append((bound, tuple(strides)))
    simpler = (Walk(w.dtype, tuple(s[i] for _, s in loops)) for i, w in enumerate(walks))
    return tuple(bound for bound, _ in loops), tuple(simpler)


def dense_strides(bounds: Sequence[int]) -> tuple[int, ...]:
    """Strides of elements that lie one after the other in loop order."""
    strides = [1] * len(bounds)
    for loop in range(len(bounds) - 2, -1, -1):
        strides[loop] = strides[loop + 1] * bounds[loop + 1]
    return tuple(strides)


def meets_itself(strides: Sequence[int], bounds: Sequence[int]) -> bool:
    """Whether iterations meet in an element though no loop of stride 0 makes them, as in windows that overlap.

    Only the order of the whole loop nest is right then; else loops of stride 0 are all that must run in order.
    """
    span = 0
    for stride, bound in sorted((abs(s), b) for s, b in zip(strides, bounds, strict=True)):
        if stride == 0 or bound == 1:
            continue
        if stride <= span:
            return True
        span += stride * (bound - 1)
    return False


def rows_meet(
    strides: Sequence[int], bounds: Sequence[int], moved: Sequence[tuple[int, Sequence[int]]]
) -> bool:
    """Whether iterations may meet in an element, other than along loops of stride 0, in a walk that numbers move.

    Loops of stride 0, run in order, are enough when the numbers change in them alone and what is walked over between
    two of their changes is a row that no other position shares.

    Args:
        moved: for each index the elements between its positions, and the strides of its numbers.
    """
    loops = [i for i, (stride, bound) in enumerate(zip(strides, bounds, strict=True)) if stride and bound > 1]
    span = sum(abs(strides[i]) * (bounds[i] - 1) for i in loops)
    changes = any(numbers[i] for _, numbers in moved for i in loops)
    return changes or span >= gcd(*(step for step, _ in moved))


def interferes(dst: Sequence[int], src: Sequence[int], shift: int, bounds: Sequence[int]) -> bool:
    """Whether two walks over one buffer, the second one starting `shift` elements later, share an element."""
    return bool(np.intersect1d(_walk(dst, bounds), _walk(src, bounds) + shift).size)


def _walk(strides: Sequence[int], bounds: Sequence[int]) -> np.ndarray:
    """Element offsets of all iterations."""
    offsets = np.zeros(1, np.int64)
    for stride, bound in zip(strides, bounds, strict=True):
        if stride:
            offsets = (offsets[:, None] + stride * np.arange(bound)).ravel()
    return offsets


def common_nest(
    a_bounds: Sequence[int], a_strides: Sequence[int], b_bounds: Sequence[int], b_strides: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]] | None:
    """One nest (bounds, strides of a, strides of b) for two walks over as many elements, in the same order.

    None when their loops do not divide each other, as with 2 x 3 elements that are taken as 3 x 2.
    """
    a = [(b, s) for b, s in zip(a_bounds, a_strides, strict=True) if b > 1]
    b = [(b, s) for b, s in zip(b_bounds, b_strides, strict=True) if b > 1]
    loops: list[tuple[int, int, int]] = []
    while a and b:
        (a_bound, a_stride), (b_bound, b_stride) = a.pop(), b.pop()
        bound = min(a_bound, b_bound)
        if a_bound % bound or b_bound % bound:
            return None
        loops.append((bound, a_stride, b_stride))
        if a_bound > bound:
            a.append((a_bound // bound, a_stride * bound))
        if b_bound > bound:
            b.append((b_bound // bound, b_stride * bound))
    loops.reverse()
    return tuple(b for b, _, _ in loops), tuple(s for _, s, _ in loops), tuple(s for _, _, s in loops)
