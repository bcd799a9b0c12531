"""Where a tensor is: digits of its dimensions on a mesh of PEs, partial values, copies, and how long it stays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..image import StridedRect
from ..instructions import Combine
from ..quasi_affine import Expr, Var, const
from .dimension import Digit, Dimension
from .mesh import Mesh

TIME = "t"
NOW = Var(TIME)


@dataclass(frozen=True)
class Partial:
    """The value is what the PEs along sub-axes hold, combined."""

    kind: Combine
    axes: tuple[str, ...]


@dataclass(frozen=True)
class TensorLayout:
    """Layout of a tensor.

    Sub-axes that neither a dimension nor a partial value names hold copies.

    Attributes:
        partial: what has to be combined, in this order, before the value is there.
        is_resident: it stays for the life of the program, not of a call.
    """

    mesh: Mesh
    dims: tuple[Dimension, ...]
    partial: tuple[Partial, ...] = ()
    is_resident: bool = False

    def __hash__(self) -> int:
        """Kept: plans look layouts up all the time."""
        found = self.__dict__.get("_hash")
        if found is None:
            found = hash((self.mesh, self.dims, self.partial, self.is_resident))
            object.__setattr__(self, "_hash", found)
        return found

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, TensorLayout) or hash(self) != hash(other):
            return False
        same_place = self.mesh == other.mesh and self.is_resident == other.is_resident
        if not (same_place and self.dims == other.dims and self.partial == other.partial):
            return False
        object.__setattr__(
            other, "mesh", self.mesh
        )  # one object for what is equal: quick to compare next time
        object.__setattr__(other, "dims", self.dims)
        return True

    @staticmethod
    def whole(shape: Sequence[int], mesh: Mesh) -> TensorLayout:
        """The whole tensor on every PE."""
        return TensorLayout(mesh, tuple(map(Dimension.whole, shape)))

    @staticmethod
    def blocks(shape: Sequence[int], axes: Sequence[str], mesh: Mesh) -> TensorLayout:
        """Dimensions in blocks over the sub-axes that are named, as "x" or "x y"; "" leaves one whole."""
        named = [[(name, mesh[name].extent) for name in text.split()] for text in axes]
        dims = [
            Dimension.split(size, along) if along else Dimension.whole(size)
            for size, along in zip(shape, named, strict=True)
        ]
        return TensorLayout(mesh, tuple(dims))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(dim.size for dim in self.dims)

    @cached_property
    def copied(self) -> tuple[str, ...]:
        """The sub-axes along which every PE holds the same."""
        named = {name for dim in self.dims for name in dim.axes}
        named |= {name for partial in self.partial for name in partial.axes}
        return tuple(name for name in self.mesh.names if name not in named)

    @property
    def owners(self) -> StridedRect:
        """PEs, relative to the mesh, that hold all of the tensor between them: each part once if that can be."""
        base, extents, steps = [], [], []
        for factors in (self.mesh.x, self.mesh.y):
            wide = [f for f in factors if f.extent > 1]
            kept = [f.name not in self.copied for f in wide]
            inner = (
                len(wide) - kept[::-1].index(True) if any(kept) else 0
            )  # first of the copied ones at the end
            outer = kept.index(True) if any(kept) else 0
            extents.append(math.prod(f.extent for f in wide[outer:inner]))
            steps.append(math.prod(f.extent for f in wide[inner:]) if any(kept) else 1)
            base.append(0)
        return StridedRect((base[0], base[1]), (extents[0], extents[1]), (steps[0], steps[1]))

    def dim_of(self, name: str) -> int | None:
        """The dimension that a sub-axis splits, None when it does none."""
        return next((k for k, dim in enumerate(self.dims) if name in dim.axes), None)

    @cached_property
    def tile_shape(self) -> tuple[int, ...]:
        """Of the buffer that has room for any PE's part: for each dimension its pieces, if there are several, and
        the indices of the longest."""
        return tuple(n for dim in self.dims for n in (*dim.pieces, dim.room))

    @cached_property
    def elements(self) -> int:
        """Of that buffer."""
        return math.prod(self.tile_shape)

    def problem(self) -> str:
        """Why this is no layout, in words; "" if it is."""
        for number, dim in enumerate(self.dims):
            if problem := dim.problem():
                return f"dimension {number}: {problem}"
            for digit in dim.digits:
                if problem := self._digit_problem(digit):
                    return f"dimension {number}: {problem}"
        summed = [name for partial in self.partial for name in partial.axes]
        unknown = next((name for name in summed if name not in self.mesh), None)
        if unknown is not None:
            return f"the mesh has no sub-axis '{unknown}', only {', '.join(self.mesh.names)}"
        digits = [digit for dim in self.dims for digit in dim.digits if digit.axes]
        twice = next((n for n in summed if summed.count(n) > 1 or any(n in d.axes for d in digits)), None)
        if twice is not None:
            return f"partial values along sub-axis '{twice}', which is bound"
        left = _dependent(digits)
        return (
            f"digits along {' and '.join('+'.join(d.axes) for d in left)} depend on each other"
            if left
            else ""
        )

    def _digit_problem(self, digit: Digit) -> str:
        for name in digit.axes:
            if name not in self.mesh:
                return f"the mesh has no sub-axis '{name}', only {', '.join(self.mesh.names)}"
            if self.mesh[name].extent != digit.extent:
                return f"{digit.extent} pieces along sub-axis {self.mesh[name]}"
        return ""

    def value_of(self, digit: Digit, time: Expr) -> Expr:
        """Which piece of a bound digit a PE holds at a time."""
        terms = [self.mesh.coordinate(name) for name in digit.axes]
        total = sum(terms, start=const(0) if not digit.rotates else time)
        return total % digit.extent if len(terms) + digit.rotates > 1 or digit.rotates else total

    def span(self, dim: int, *, time: Expr = NOW, local: Sequence[Expr | int] = ()) -> tuple[Expr, Expr]:
        """First index and number of indices of a piece of a dimension, of a PE's column "x" and row "y".

        Args:
            local: which piece, for each local digit; the first one by default.
        """
        given = iter([*local, *[0] * len(self.dims[dim].pieces)])

        def value(digit: Digit) -> Expr:
            if not digit.is_local:
                return self.value_of(digit, time)
            piece = next(given)
            return piece if isinstance(piece, Expr) else const(piece)

        return self.dims[dim].span(value)

    def tile_ranges(self, dim: int, x: int, y: int, time: int = 0) -> list[tuple[int, int]]:
        """(start, stop) of every piece of a dimension that the PE at column x and row y holds, in memory's order."""
        found = []
        values: dict[str, Any] = {"x": x, "y": y, TIME: time}
        for local in self.dims[dim].local_positions():
            start, count = (int(e.evaluate(values)) for e in self.span(dim, local=local))
            found.append((start, start + max(0, count)))
        return found

    def tile_range(self, x: int, y: int, time: int = 0) -> tuple[tuple[int, int], ...]:
        """(start, stop) for each dimension of what the PE at column x and row y holds.

        Raises:
            ValueError: a dimension has several pieces; `tile_ranges` tells them.
        """
        ranges = [self.tile_ranges(dim, x, y, time) for dim in range(len(self.dims))]
        several = next((number for number, found in enumerate(ranges) if len(found) > 1), None)
        if several is not None:
            raise ValueError(f"dimension {several} is held in {len(ranges[several])} pieces")
        return tuple(found[0] for found in ranges)

    def indices(self, x: int, y: int, time: int = 0) -> tuple[np.ndarray, ...]:
        """For each dimension the indices that the PE at column x and row y holds, in memory's order."""
        return tuple(
            np.concatenate([np.arange(*r) for r in self.tile_ranges(dim, x, y, time)]).astype(np.int64)
            for dim in range(len(self.dims))
        )

    def with_partial(self, *partial: Partial) -> TensorLayout:
        """The same with other partial values."""
        return replace(self, partial=partial)

    def simplified(self) -> TensorLayout:
        """The same with as few digits as possible."""
        return replace(self, dims=tuple(dim.simplified() for dim in self.dims))


def _dependent(digits: list[Digit]) -> list[Digit]:
    """Digits of which not all combinations are held by some PE.

    A digit with a sub-axis that no other one has takes any value whatever the others have, so it may be left out.
    """
    left = list(range(len(digits)))
    while left:
        taken = {k: {n for o in left if o != k for n in digits[o].axes} for k in left}
        free = next((k for k in left if set(digits[k].axes) - taken[k]), None)
        if free is None:
            break
        left.remove(free)
    return [digits[k] for k in left]
