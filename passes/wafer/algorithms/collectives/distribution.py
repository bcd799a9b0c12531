"""What PEs hold of a tensor: boxes of indices, as expressions in x and y and as arrays over the grid."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .....wse_target.image import StridedRect
from .....wse_target.instructions import Access, Dtype
from .....wse_target.quasi_affine import Expr, Var, const, maximum, minimum
from ..fragment import Axis, Held, Line
from ..lines import coordinates
from .ring import contiguous, substitute

IndexRange = tuple[Expr, Expr]  # first index and number of indices; none when that is 0 or less


@dataclass(frozen=True)
class Boxes:
    """A distribution: which indices each PE holds, and where in its buffer.

    Attributes:
        ranges: by dimension, whatever `present` says.
        present: by axis, an expression in that coordinate, 1 on PEs that hold anything and 0 on others; none if all do.
        sizes: largest extent on any PE by dimension, at least 1.
        access: of the box's first element, with a stride for each dimension.
    """

    grid: tuple[int, int]
    ranges: tuple[IndexRange, ...]
    present: dict[Axis, Expr]
    access: Access
    dtype: Dtype
    sizes: tuple[int, ...]

    @staticmethod
    def of(held: Held, grid: tuple[int, int], permutation: tuple[int, ...] = ()) -> Boxes:
        """A tensor's distribution, its dimensions in the order of the tensor that `permutation` refers to."""
        order = [permutation.index(d) for d in range(len(permutation))] or list(range(len(held.bounds)))
        ranges = tuple((held.origin[d], held.bounds[d]) for d in order)
        access = Access(held.access.buffer, held.access.offset, tuple(held.access.strides[d] for d in order))
        if not ranges:
            ranges, access = ((const(0), const(1)),), Access(access.buffer, access.offset, (1,))
        sizes = _sizes(ranges, grid)
        return Boxes(grid, ranges, _present(held.where, grid), access, held.dtype, sizes)

    def at(self, line: Line, position: Expr) -> Boxes:
        """The same for the PE at another position of a PE's line."""
        values = {line.axis: line.coordinate(position)}
        ranges = tuple((substitute(o, values), substitute(n, values)) for o, n in self.ranges)
        present: dict[Axis, Expr] = {a: substitute(e, values) for a, e in self.present.items()}
        offset = substitute(self.access.offset, values)
        access = Access(self.access.buffer, offset, self.access.strides)
        return replace(self, ranges=ranges, present=present, access=access)

    @property
    def bounds(self) -> tuple[Expr, ...]:
        """Extents by dimension; of the first one 0 where nothing is held."""
        (_, first), *rest = self.ranges
        for flag in self.present.values():
            first = minimum(first, flag * max(1, self.sizes[0]))
        return (first, *(n for _, n in rest))

    @cached_property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """First index and one past the last, [dimensions, height, width]; equal where a PE holds nothing."""
        values = coordinates(self.grid)

        def table(expr: Expr) -> np.ndarray:
            return np.broadcast_to(expr.evaluate(values), self.grid[::-1])

        low = np.stack([table(o) for o, _ in self.ranges])
        count = np.stack([np.maximum(table(n), 0) for _, n in self.ranges])
        for flag in self.present.values():
            count = count * table(flag)
        count = np.where((count > 0).all(axis=0), count, 0)
        return low, low + count

    @property
    def elements(self) -> int:
        """Of a buffer that has room for any PE's box."""
        return math.prod(self.sizes)

    def moved_to(self, buffer: str, offset: Expr) -> Boxes:
        """The same boxes in another buffer, row-major with room for the largest."""
        return replace(self, access=contiguous(buffer, offset, self.sizes))


def _sizes(ranges: tuple[IndexRange, ...], grid: tuple[int, int]) -> tuple[int, ...]:
    values = coordinates(grid)
    return tuple(max(1, int(np.max(n.evaluate(values)))) for _, n in ranges)


def _present(where: StridedRect, grid: tuple[int, int]) -> dict[Axis, Expr]:
    found: dict[Axis, Expr] = {}
    axes: tuple[Axis, Axis] = ("x", "y")
    for axis, size, base, count, step in zip(axes, grid, where.base, where.extent, where.step, strict=True):
        if (base, count, step) == (0, size, 1):
            continue
        at, last = Var(axis), base + (count - 1) * step
        inside = maximum(0, minimum(1, minimum(at - (base - 1), const(last + 1) - at)))
        found[axis] = minimum(inside, const(1) - minimum(1, (at - base) % step))
    return found


def overlap(a: Boxes, b: Boxes) -> tuple[tuple[Expr, ...], Access, Access]:
    """The indices that two PEs' boxes share: extents, and where they are in either's buffer."""
    bounds, a_offset, b_offset = [], a.access.offset, b.access.offset
    for d, ((a_low, _), (b_low, _)) in enumerate(zip(a.ranges, b.ranges, strict=True)):
        low = maximum(a_low, b_low)
        high = minimum(a_low + a.bounds[d], b_low + b.bounds[d])
        bounds.append(high - low)
        a_offset = a_offset + (low - a_low) * a.access.strides[d]
        b_offset = b_offset + (low - b_low) * b.access.strides[d]
    return (
        tuple(bounds),
        Access(a.access.buffer, a_offset, a.access.strides),
        Access(b.access.buffer, b_offset, b.access.strides),
    )


def covers(have: tuple[np.ndarray, np.ndarray], want: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether every PE's wanted box lies in what it has."""
    empty = (want[1] <= want[0]).any(axis=0)
    inside = ((have[0] <= want[0]) & (want[1] <= have[1])).all(axis=0)
    return bool((empty | inside).all())


def on_lines(boxes: Boxes, axis: Axis) -> tuple[np.ndarray, np.ndarray] | None:
    """What the PEs of each line hold together, as boxes for every PE; None if that is a box on some line only."""
    low, high = (a.swapaxes(1, 2) if axis == "y" else a for a in boxes.arrays)
    whole_low, whole_high = low.copy(), high.copy()
    for number in range(low.shape[1]):
        held = (high[:, number] > low[:, number]).all(axis=0)
        starts, ends = low[:, number, held], high[:, number, held]
        if not starts.size:
            continue
        varying = [
            d
            for d in range(len(starts))
            if (starts[d] != starts[d, 0]).any() or (ends[d] != ends[d, 0]).any()
        ]
        if len(varying) > 1 or (varying and not _touch(starts[varying[0]], ends[varying[0]])):
            return None
        whole_low[:, number] = starts.min(axis=1)[:, None]
        whole_high[:, number] = ends.max(axis=1)[:, None]
    if axis == "y":
        return whole_low.swapaxes(1, 2), whole_high.swapaxes(1, 2)
    return whole_low, whole_high


def _touch(starts: np.ndarray, ends: np.ndarray) -> bool:
    """Whether intervals leave no gap between them."""
    order = np.argsort(starts)
    reach = np.maximum.accumulate(ends[order])
    return bool((starts[order][1:] <= reach[:-1]).all())


def between(source: Boxes, target: Boxes, axis: Axis, buffer: str) -> Boxes:
    """What each PE takes along `axis` so that the rest of the way is along the other one.

    Of what its line holds, all that some PE on its crossing line wants.
    """
    other: Axis = "y" if axis == "x" else "x"
    whole = [(const(0), const(int(high.max()))) for high in source.arrays[1]]
    ranges = []
    for d, everything in enumerate(whole):
        held = _without(source.ranges[d], axis, everything)
        wanted = _without(target.ranges[d], other, everything)
        low = maximum(held[0], wanted[0])
        ranges.append((low, minimum(held[0] + held[1], wanted[0] + wanted[1]) - low))
    present: dict[Axis, Expr] = {}
    if other in source.present:
        present[other] = source.present[other]
    if axis in target.present:
        present[axis] = target.present[axis]
    sizes = _sizes(tuple(ranges), source.grid)
    access = contiguous(buffer, const(0), sizes)
    return Boxes(source.grid, tuple(ranges), present, access, source.dtype, sizes)


def _without(given: IndexRange, axis: Axis, everything: IndexRange) -> IndexRange:
    """A range if it does not depend on a coordinate, else that of the whole dimension."""
    return everything if any(axis in e.variables() for e in given) else given
