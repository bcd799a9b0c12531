"""Rectangles of PEs on the fabric."""

from __future__ import annotations

from dataclasses import dataclass

from ..image import StridedRect


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
