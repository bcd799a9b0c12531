"""How a tensor is spread over a rectangle of PEs: blocks along grid axes, replicas along the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .rectangle import Rect

AXES = ("x", "y")
WHOLE = ""


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
