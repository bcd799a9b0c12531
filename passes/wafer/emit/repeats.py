"""Stretches of a sequence that follow each other and are equal: layers of one kind, steps of a recurrence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Repeat:
    """`trips` equal stretches of `period` items each, the first of which begins at `start`."""

    start: int
    period: int
    trips: int

    @property
    def stop(self) -> int:
        """One past the last item."""
        return self.start + self.period * self.trips


def repeats(items: Sequence[int], sizes: Sequence[int], starts: Sequence[bool]) -> list[tuple[int, Repeat]]:
    """What repeats, with the size that all trips but one take; the most first.

    Args:
        sizes: of the items.
        starts: whether a stretch may begin with an item.
    """
    total = [0]
    for size in sizes:
        total.append(total[-1] + size)
    found = []
    for period in range(1, len(items) // 2 + 1):
        for first, length in _runs(items, period):
            for start in range(first, first + length - period + 1):
                trips = (first + length - start) // period + 1
                if starts[start]:
                    saved = (trips - 1) * (total[start + period] - total[start])
                    found.append((saved, Repeat(start, period, trips)))
                if start - first >= period:
                    break
    return sorted(found, key=lambda item: (-item[0], item[1].period, item[1].start))


def _runs(items: Sequence[int], period: int) -> Iterator[tuple[int, int]]:
    """Longest stretches of items that come again a period later, at least a period long: first and length."""
    start = 0
    for i in range(len(items) - period + 1):
        if i == len(items) - period or items[i] != items[i + period]:
            if i - start >= period:
                yield start, i - start
            start = i + 1
