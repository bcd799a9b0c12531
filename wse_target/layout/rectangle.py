"""Rectangles of PEs on the fabric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..image import StridedRect

Progression = tuple[int, int, int]  # base, count, step


@dataclass(frozen=True)
class Rect:
    """A rectangle of PEs: columns x0 .. x0 + w - 1, rows y0 .. y0 + h - 1."""

    x0: int
    y0: int
    w: int
    h: int

    @property
    def size(self) -> int:
        """Number of PEs."""
        return self.w * self.h

    @property
    def grid(self) -> str:
        """Its width and height as a user gives them: "8x4"."""
        return f"{self.w}x{self.h}"

    def contains(self, other: Rect) -> bool:
        """Whether every PE of `other` is one of this rectangle's."""
        return (
            self.x0 <= other.x0
            and self.y0 <= other.y0
            and other.x0 + other.w <= self.x0 + self.w
            and other.y0 + other.h <= self.y0 + self.h
        )

    def overlaps(self, other: Rect) -> bool:
        """Whether the two share a PE."""
        return (
            self.x0 < other.x0 + other.w
            and other.x0 < self.x0 + self.w
            and self.y0 < other.y0 + other.h
            and other.y0 < self.y0 + self.h
        )

    def __str__(self) -> str:
        return f"{self.w} x {self.h} at ({self.x0}, {self.y0})"


def common_pe(a: StridedRect, b: StridedRect) -> tuple[int, int] | None:
    """The first PE, in (x, y) order, that both strided rectangles hold; None when they are disjoint."""
    common = []
    for axis in (0, 1):
        first, second = _coordinates(a, axis), _coordinates(b, axis)
        if first[-1] < second[0] or second[-1] < first[0]:
            return None
        shared = next((v for v in first if v in second), None)
        if shared is None:
            return None
        common.append(shared)
    return common[0], common[1]


def _coordinates(rect: StridedRect, axis: int) -> range:
    base, extent, step = rect.base[axis], rect.extent[axis], rect.step[axis]
    return range(base, base + (extent - 1) * step + 1, step)


def progressions(members: Sequence[int]) -> list[Progression]:
    """Ascending numbers cut into arithmetic progressions, greedily the longest from the left."""
    found: list[Progression] = []
    start = 0
    while start < len(members):
        step = members[start + 1] - members[start] if start + 1 < len(members) else 1
        end = start + 1
        while end < len(members) and members[end] - members[end - 1] == step:
            end += 1
        if end - start == 2 and end < len(members):  # two are a progression of any step: do not waste one
            end = start + 1
            step = 1
        found.append((members[start], end - start, step))
        start = end
    return found


def strided_rects(mask: np.ndarray) -> list[StridedRect]:
    """Disjoint strided rectangles that hold the true places of a mask [y, x], rows that are alike together."""
    alike: dict[bytes, list[int]] = {}
    for y in np.flatnonzero(mask.any(axis=1)).tolist():
        alike.setdefault(mask[y].tobytes(), []).append(y)
    return [
        StridedRect((column[0], row[0]), (column[1], row[1]), (column[2], row[2]))
        for rows in alike.values()
        for column in progressions(np.flatnonzero(mask[rows[0]]).tolist())
        for row in progressions(rows)
    ]
