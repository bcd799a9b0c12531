"""Meshes: a rectangle of PEs whose two axes are factored into sub-axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from ..quasi_affine import Expr, Var, const, maximum, minimum
from .rectangle import Rect

AxisOrder = Literal["line", "ring"]


def ring_label(position: Expr | int, extent: int) -> Expr:
    """Number on the interleaved ring of the PE at a position of a line.

    The ring goes out over the even positions and back over the odd ones, so that neighbours on it are never more than
    two hops apart.
    """
    at = position if isinstance(position, Expr) else const(position)
    odd, apart = at % 2, 2 * (extent + 1)
    outwards, back = at // 2, const(extent) - (at + 1) // 2
    return maximum(outwards - odd * apart, back - (const(1) - odd) * apart)


def ring_position(label: Expr | int, extent: int) -> Expr:
    """Position on the line of the PE with a number on the interleaved ring."""
    number = label if isinstance(label, Expr) else const(label)
    return minimum(number * 2, const(2 * extent - 1) - number * 2)


@dataclass(frozen=True)
class SubAxis:
    """A factor of a grid axis.

    Attributes:
        extent: number of coordinates along it.
        order: which positions the coordinates 0, 1, ... have: one after the other, or along an interleaved ring.
    """

    name: str
    extent: int
    order: AxisOrder = "line"

    def __str__(self) -> str:
        return f"{self.name}:{self.extent}" + (" ring" if self.order == "ring" else "")


@dataclass(frozen=True)
class Mesh:
    """Sub-axes of a rectangle: `x` and `y`, outermost first, whose extents multiply to its width and height.

    Raises:
        ValueError: they do not, or two have one name.
    """

    rect: Rect
    x: tuple[SubAxis, ...]
    y: tuple[SubAxis, ...]

    def __hash__(self) -> int:
        """Kept: layouts are looked up by it all the time."""
        found = self.__dict__.get("_hash")
        if found is None:
            found = hash((self.rect, self.x, self.y))
            object.__setattr__(self, "_hash", found)
        return found

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        mine = (self.rect, self.x, self.y)
        return isinstance(other, Mesh) and mine == (other.rect, other.x, other.y)

    def __post_init__(self) -> None:
        for axis, factors, size in (("x", self.x, self.rect.w), ("y", self.y, self.rect.h)):
            product = math.prod(f.extent for f in factors)
            if product != size:
                listed = " * ".join(str(f.extent) for f in factors) or "1"
                raise ValueError(
                    f"sub-axes of {axis} have {listed} = {product} PEs, the rectangle has {size}"
                )
        empty = next((f for f in (*self.x, *self.y) if f.extent < 1), None)
        if empty is not None:
            raise ValueError(f"sub-axis {empty} has no PE")
        names = [f.name for f in (*self.x, *self.y)]
        if len(set(names)) != len(names):
            raise ValueError(f"two sub-axes have one name: {', '.join(names)}")

    @staticmethod
    def of(rect: Rect) -> Mesh:
        """The rectangle's axes as they are, named "x" and "y"."""
        return Mesh(rect, (SubAxis("x", rect.w),), (SubAxis("y", rect.h),))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All sub-axes, those of x first."""
        return tuple(f.name for f in (*self.x, *self.y))

    @cached_property
    def _by_name(self) -> dict[str, tuple[SubAxis, Literal["x", "y"], int]]:
        """By name a sub-axis, the grid axis that it is a factor of, and PEs from one position to the next."""
        axes: tuple[tuple[Literal["x", "y"], tuple[SubAxis, ...]], ...] = (("x", self.x), ("y", self.y))
        found: dict[str, tuple[SubAxis, Literal["x", "y"], int]] = {}
        for axis, factors in axes:
            for first, end in itertools.combinations(range(len(factors) + 1), 2):
                together = _together(factors[first:end])
                if together is not None:
                    found[together.name] = (together, axis, math.prod(f.extent for f in factors[end:]))
        return found

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """What PEs may talk along: sub-axes, and several that follow each other on one grid axis, as "xo xi"."""
        return (*self.names, *(name for name in self._by_name if name not in self.names))

    def __getitem__(self, name: str) -> SubAxis:
        """A sub-axis, or several of `lines` as one."""
        return self._by_name[name][0]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def joined(self, names: Sequence[str]) -> list[str]:
        """Sub-axes as few `lines`: those that follow each other on one grid axis as one, which words take less long."""
        found: list[str] = []
        for name in sorted(names, key=self.names.index):
            longer = f"{found[-1]} {name}" if found else ""
            found[-1:] = [longer] if longer in self else [*found[-1:], name]
        return found

    def axis_of(self, name: str) -> Literal["x", "y"]:
        """The grid axis that a sub-axis is a factor of."""
        return self._by_name[name][1]

    def stride(self, name: str) -> int:
        """PEs from one position of a sub-axis to the next."""
        return self._by_name[name][2]

    def coordinate(self, name: str) -> Expr:
        """A PE's coordinate along a sub-axis, of its column "x" and row "y" in the rectangle."""
        factor, axis = self[name], self.axis_of(name)
        position: Expr = Var(axis) // self.stride(name)
        outermost = (self.x if axis == "x" else self.y)[0].name == name.split()[0]
        if not outermost:
            position = position % factor.extent
        return ring_label(position, factor.extent) if factor.order == "ring" else position

    def line(self, name: str, x: int, y: int) -> list[tuple[int, int]]:
        """Columns and rows of the PEs that differ from (x, y) only along a sub-axis, in its order."""
        extent, stride = self[name].extent, self.stride(name)
        is_x = self.axis_of(name) == "x"
        at = x if is_x else y
        first = at - at // stride % extent * stride
        found = [(first + k * stride, y) if is_x else (x, first + k * stride) for k in range(extent)]
        label = self.coordinate(name)
        return sorted(found, key=lambda pe: int(label.evaluate({"x": pe[0], "y": pe[1]})))

    def factored(self, inner: Mapping[str, int]) -> Mesh:
        """With some sub-axes cut in two, `name` into `nameo` and `namei`, of which the inner one has that extent.

        Raises:
            ValueError: an extent does not divide the sub-axis's, or that is no line.
        """
        return replace(self, x=_factored(self.x, inner), y=_factored(self.y, inner))

    def __str__(self) -> str:
        factors = "; ".join(" ".join(map(str, axis)) for axis in (self.x, self.y))
        return f"{factors} at ({self.rect.x0}, {self.rect.y0})"


def _together(factors: Sequence[SubAxis]) -> SubAxis | None:
    """Sub-axes that follow each other as one; None where one of several is no line."""
    if len(factors) == 1:
        return factors[0]
    if any(f.order != "line" for f in factors):
        return None
    return SubAxis(" ".join(f.name for f in factors), math.prod(f.extent for f in factors))


def outer_name(name: str) -> str:
    """What the outer factor of a sub-axis is called."""
    return f"{name}o"


def inner_name(name: str) -> str:
    """What the inner factor of a sub-axis is called."""
    return f"{name}i"


def _factored(factors: tuple[SubAxis, ...], inner: Mapping[str, int]) -> tuple[SubAxis, ...]:
    found: list[SubAxis] = []
    for factor in factors:
        extent = inner.get(factor.name)
        if extent is None:
            found.append(factor)
            continue
        if factor.order != "line" or factor.extent % extent:
            raise ValueError(f"sub-axis {factor} has no factor of {extent}")
        found.append(SubAxis(outer_name(factor.name), factor.extent // extent))
        found.append(SubAxis(inner_name(factor.name), extent))
    return tuple(found)
