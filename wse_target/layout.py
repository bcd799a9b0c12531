"""How a tensor is spread over a rectangle of PEs: blocks along grid axes, replicas along the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .image import StridedRect

AXES = ("x", "y")
WHOLE = ""


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


@dataclass(frozen=True)
class Layout:
    """Distribution of a tensor over `rect`.

    Tensor dimension k is split into blocks of ceil(size / extent) along grid axis `axes[k]`; "" leaves it
    whole. PEs that differ only along an axis that no dimension names hold the same block.
    """

    axes: tuple[str, ...]
    rect: Rect

    def axis_extent(self, axis: str) -> int:
        """PEs along `axis` ("x" or "y"); 1 for ""."""
        return {"x": self.rect.w, "y": self.rect.h, WHOLE: 1}[axis]

    def dim_extent(self, dim: int) -> int:
        """Number of blocks that tensor dimension `dim` is cut into."""
        return self.axis_extent(self.axes[dim])

    def dim_of(self, axis: str) -> int | None:
        """The tensor dimension that `axis` splits, None when it replicates."""
        return self.axes.index(axis) if axis in self.axes else None

    @property
    def replicated(self) -> tuple[str, ...]:
        """The axes along which every PE holds the same block."""
        return tuple(axis for axis in AXES if axis not in self.axes)

    def tile_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Shape of the largest block a PE holds of a tensor of `shape`: ceil(size / extent) per dimension."""
        if len(shape) != len(self.axes):
            raise ValueError(f"a layout of {len(self.axes)} dimensions for a tensor of {len(shape)}")
        return tuple(-(-size // self.dim_extent(dim)) for dim, size in enumerate(shape))

    def tile_range(self, shape: Sequence[int], x: int, y: int) -> tuple[tuple[int, int], ...]:
        """(start, stop) per dimension of the block held by the PE at column x and row y of the rectangle.

        Blocks at the end are shorter, or empty (start == stop), where the extent does not divide the size.
        """
        position = {"x": x, "y": y, WHOLE: 0}
        ranges = []
        for axis, size, block in zip(self.axes, shape, self.tile_shape(shape), strict=True):
            start = min(position[axis] * block, size)
            ranges.append((start, min(start + block, size)))
        return tuple(ranges)

    def with_axes(self, axes: Sequence[str]) -> Layout:
        """The same rectangle with other axes."""
        return Layout(tuple(axes), self.rect)

    def __str__(self) -> str:
        return f"[{', '.join(axis or '-' for axis in self.axes)}] on {self.rect}"


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
