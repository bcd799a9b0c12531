"""Places buffers of static size in one arena, by their lifetimes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from ....dialects.host import ir

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


@dataclass(frozen=True)
class LiveInterval:
    """A buffer's size in bytes and the first and last position at which it is needed."""

    size: int
    first: int
    last: int

    def overlaps(self, other: LiveInterval) -> bool:
        return self.first <= other.last and other.first <= self.last


def element_bytes(kind: ir.Type) -> int:
    """Bytes that one element takes in memory."""
    if isinstance(kind, ir.IndexType):
        return 8
    if isinstance(kind, ir.ComplexType):
        return 2 * element_bytes(kind.element_type)
    if isinstance(kind, ir.VectorType):
        return prod(kind.shape) * element_bytes(kind.element_type)
    return max(1, (kind.width + 7) // 8)  # type: ignore[attr-defined]


def buffer_bytes(kind: ir.MemRefType) -> int:
    """Bytes of a buffer of static shape."""
    total = element_bytes(kind.element_type)
    for size in kind.shape:
        total *= size
    return total


def plan_offsets(intervals: list[LiveInterval]) -> list[int]:
    """Offsets such that no two intervals that overlap in time overlap in space.

    Several orders are tried, and the first that needs no more than the lower bound is taken, or else the best. In each
    a buffer goes into the smallest gap that fits between its neighbours in time, or behind them.
    """
    bound = liveness_bound(intervals)
    best: list[int] | None = None
    for key in _ORDERS:
        order = sorted(range(len(intervals)), key=lambda k: (key(intervals[k]), k))
        offsets = _place_in_order(intervals, order)
        if best is None or arena_bytes(intervals, offsets) < arena_bytes(intervals, best):
            best = offsets
        if arena_bytes(intervals, best) <= bound:
            break
    return best or []


_ORDERS: tuple[Callable[[LiveInterval], tuple[int, ...]], ...] = (
    lambda i: (-i.size, i.first),
    lambda i: (-(i.last - i.first), -i.size),
    lambda i: (-i.size * (i.last - i.first + 1),),
    lambda i: (i.first, -i.size),
    lambda i: (-i.last, -i.size),
)


def _place_in_order(intervals: list[LiveInterval], order: list[int]) -> list[int]:
    offsets = [0] * len(intervals)
    placed: list[int] = []
    for k in order:
        size = _aligned(intervals[k].size)
        busy = sorted(
            (offsets[p], offsets[p] + _aligned(intervals[p].size))
            for p in placed
            if intervals[p].overlaps(intervals[k])
        )
        best, end = None, 0
        for start, stop in busy:
            gap = start - end
            if gap >= size and (best is None or gap < best[0]):
                best = (gap, end)
            end = max(end, stop)
        offsets[k] = best[1] if best is not None else end
        placed.append(k)
    return offsets


def liveness_bound(intervals: list[LiveInterval]) -> int:
    """Bytes that are needed at the busiest time; no plan can do with less."""
    changes = sorted(
        change
        for i in intervals
        for change in ((i.first, 0, _aligned(i.size)), (i.last + 1, -1, -_aligned(i.size)))
    )
    live = peak = 0
    for _, _, change in changes:
        live += change
        peak = max(peak, live)
    return peak


def arena_bytes(intervals: list[LiveInterval], offsets: list[int]) -> int:
    """Bytes that the arena needs."""
    return max((o + _aligned(i.size) for o, i in zip(offsets, intervals, strict=True)), default=0)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
