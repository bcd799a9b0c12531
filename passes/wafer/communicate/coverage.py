"""Whether PEs have what they want, told from dimensions alone, over the coordinates that these depend on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from ....wse_target.layout.dimension import Dimension
from ....wse_target.layout.mesh import Mesh
from ....wse_target.layout.tensor_layout import TIME, TensorLayout
from ....wse_target.quasi_affine import const
from ..algorithms.lines import Line

_FEW_PES = 1 << 10  # that are looked at for a bound
_MOST_LOOKED_AT = 1 << 22  # indices times PEs that are looked at in one go
MOST_REACH = 8  # hops that tiles are passed on between neighbours
PieceRanges = list[tuple[np.ndarray, np.ndarray]]  # first index and one past the last, of every piece
# What PEs want; and (that, which rows or columns others are in, where there are any) -> what those leave of it.
Left = tuple[np.ndarray, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]]


def line_of(mesh: Mesh, name: str) -> Line:
    """The lines of PEs along a sub-axis."""
    return Line(mesh.axis_of(name), (mesh.rect.w, mesh.rect.h), mesh[name].extent, mesh.stride(name))


@lru_cache(maxsize=1 << 16)
def covers(mesh: Mesh, have: Dimension, want: Dimension) -> bool:
    """Whether every PE has all indices that it wants of a dimension."""
    have, want = _as_stretches(have), _as_stretches(want)
    if have.is_whole:
        return True
    if _most(have) < _least(want):
        return False
    told = _covers_by_digits(mesh, have, want)
    if told is not None:
        return told
    if not have.pieces and not want.pieces:
        coordinates = _coordinates(mesh, have, want)
        ((low, high),), ((first, end),) = (_ranges(mesh, dim, coordinates) for dim in (have, want))
        return bool(((end <= first) | ((low <= first) & (end <= high))).all())
    coordinates, indices = _coordinates(mesh, have, want), _indices(mesh, have, want)
    for some in _in_strips(coordinates, "y", len(indices)):
        held, wanted = (_held(mesh, dim, some, indices) for dim in (have, want))
        if (wanted & ~held).any():
            return False
    return True


@lru_cache(maxsize=1 << 16)
def reach_of(mesh: Mesh, name: str, have: Dimension, want: Dimension, most: int) -> int | None:
    """How many PEs away on its line what a PE wants is had at the most; None if that is more than `most`."""
    have, want = _as_stretches(have), _as_stretches(want)
    line = line_of(mesh, name)
    most = min(most, line.extent - 1)
    if (2 * most + 1) * _most(have) < _least(want):
        return None
    if name not in have.axes:  # all on a line have the same
        return 0 if covers(mesh, have, want) else None
    coordinates = _coordinates(mesh, have, want, name)
    across = "y" if line.axis == "x" else "x"
    few = {**coordinates, across: coordinates[across].reshape(-1)[:: max(1, coordinates[across].size - 1)]}
    few[across] = few[across].reshape((-1, 1) if across == "y" else (1, -1))
    if few[across].size < coordinates[across].size and _reach(mesh, line, have, want, most, few) is None:
        return None  # most layouts are far apart, which the first and the last line know
    found = 0
    for some in _in_strips(coordinates, across, len(_indices(mesh, have, want))):
        reach = _reach(mesh, line, have, want, most, some)
        if reach is None:
            return None
        found = max(found, reach)
    return found


def _reach(
    mesh: Mesh, line: Line, have: Dimension, want: Dimension, most: int, coordinates: dict[str, Any]
) -> int | None:
    """`reach_of` for the PEs of some lines."""
    count = _ranges_left if not (have.pieces or want.pieces or have.before or have.after) else _indices_left
    along = 1 if line.axis == "x" else 0
    missing, left = count(mesh, have, want, coordinates, along)
    position = line.position.evaluate(coordinates)
    places = np.arange(line.along)
    for reach in range(most + 1):
        for apart in {-reach, reach}:
            others = np.clip(places + apart * line.stride, 0, line.along - 1)
            there = (position + apart >= 0) & (position + apart < line.extent)
            missing = left(missing, others, there)
        if not (missing > 0).any():
            return reach
    return None


def is_beyond(mesh: Mesh, name: str, have: Dimension, want: Dimension, most: int) -> bool | None:
    """Whether what a PE wants is surely farther away than `most`; None where `reach_of` tells with little to count."""
    along = {mesh.axis_of(axis) for axis in (name, *have.axes, *want.axes)}
    if mesh.rect.size <= _FEW_PES or len(along) == 1:
        return None
    return (2 * min(most, mesh[name].extent - 1) + 1) * _most(have) < _least(want)


def _indices_left(
    mesh: Mesh, have: Dimension, want: Dimension, coordinates: dict[str, Any], along: int
) -> Left:
    """The indices that each PE wants, and what is left of them after those that others have."""
    indices = _indices(mesh, have, want)
    held = _held(mesh, have, coordinates, indices)

    def left(missing: np.ndarray, others: np.ndarray, there: np.ndarray) -> np.ndarray:
        return missing & ~(held.take(others, along) & there[..., None])

    return _held(mesh, want, coordinates, indices), left


def _ranges_left(
    mesh: Mesh, have: Dimension, want: Dimension, coordinates: dict[str, Any], along: int
) -> Left:
    """How many indices each PE wants, where it has one piece that no other on its line has a part of, and wants one."""
    ((first, end),), ((low, high),) = (_ranges(mesh, dim, coordinates) for dim in (want, have))

    def left(missing: np.ndarray, others: np.ndarray, there: np.ndarray) -> np.ndarray:
        start, stop = low.take(others, along), high.take(others, along)
        both = np.maximum(np.minimum(stop, end) - np.maximum(start, first), 0)
        return missing - np.where(there, both, 0)

    return np.maximum(end - first, 0), left


def _covers_by_digits(mesh: Mesh, have: Dimension, want: Dimension) -> bool | None:
    """`covers` from the digits of indices, however many PEs there are; None where sums of coordinates or margins count.

    Who wants an index has the coordinates that it tells along some sub-axes, and any along others.
    """
    bound = [digit for dim in (have, want) for digit in dim.digits if not digit.is_local]
    if any(dim.before or dim.after for dim in (have, want)):
        return None
    if any(len(d.axes) > 1 or d.rotates for d in bound):
        return None
    first, end = max(0, want.low), min(want.high, want.size)
    indices = np.arange(first, end)
    if len(indices) and (first < have.low or have.high < end):
        return False
    told = _values(want, indices)
    for name, value in _values(have, indices).items():
        if mesh[name].extent > 1 and (name not in told or (told[name] != value).any()):
            return not len(indices)
    return True


def _values(dim: Dimension, indices: np.ndarray) -> dict[str, np.ndarray]:
    """By sub-axis the coordinate that PEs with an index have."""
    found: dict[str, np.ndarray] = {}
    rest = indices - dim.low
    for digit in dim.digits:
        if digit.axes:
            found[digit.axes[0]] = rest // digit.pitch
        rest = rest % digit.pitch
    return found


@lru_cache(maxsize=1 << 14)
def _as_stretches(dim: Dimension) -> Dimension:
    """A dimension of which every PE has the same indices, without innermost local digits whose pieces touch.

    Margins that move what is held, as those of slices do, are told by where it begins.
    """
    if dim.after and dim.before == -dim.after:
        dim = replace(dim, low=dim.low + dim.after, high=dim.high + dim.after, before=0, after=0)
    digits = list(dim.digits)
    while digits and digits[-1].is_local and dim.before + dim.after >= 0:
        digits.pop()
    return replace(dim, digits=tuple(digits))


def _in_strips(coordinates: dict[str, Any], across: str, indices: int) -> Iterator[dict[str, Any]]:
    """The coordinates, so many rows ("y") or columns ("x") at a time that all indices can be looked at on their PEs."""
    other = coordinates["x" if across == "y" else "y"].size
    lines = coordinates[across].reshape(-1)
    count = max(1, _MOST_LOOKED_AT // max(1, indices * other))
    for begin in range(0, len(lines), count):
        some = lines[begin : begin + count]
        yield {**coordinates, across: some.reshape((-1, 1) if across == "y" else (1, -1))}


def _shape_of(coordinates: dict[str, Any]) -> tuple[int, int]:
    return coordinates["y"].shape[0], coordinates["x"].shape[1]


def _most(dim: Dimension) -> int:
    """Indices that a PE has at the most."""
    return min(dim.size, math.prod(dim.pieces) * dim.room)


def _least(dim: Dimension) -> int:
    """Indices that some PE has at least."""
    return dim.room if not dim.simplified().pieces else 0


def _coordinates(mesh: Mesh, *parts: Dimension | str) -> dict[str, Any]:
    """Columns and rows of PEs, those only that dimensions (and a sub-axis) depend on, each along an axis of its own."""
    names = {n for part in parts for n in ((part,) if isinstance(part, str) else part.axes)}
    along = {mesh.axis_of(name) for name in names}
    columns = np.arange(mesh.rect.w if "x" in along else 1)
    rows = np.arange(mesh.rect.h if "y" in along else 1)
    return {"x": columns[None, :], "y": rows[:, None], TIME: 0}


def _indices(mesh: Mesh, *dims: Dimension) -> np.ndarray:
    """Indices of which one is held by a PE if those up to the next one are."""
    found: list[np.ndarray] = []
    for dim in dims:
        if _has_margins(dim):
            ends = (edge for piece in _ranges(mesh, dim, _coordinates(mesh, dim)) for edge in piece)
            found += [np.unique(edge) for edge in ends]
            continue
        starts, block = np.array([dim.low]), dim.high - dim.low
        for digit in dim.digits:
            within = np.arange(0, min(block, digit.extent * digit.pitch), digit.pitch)
            starts, block = (starts[:, None] + within).reshape(-1), min(block, digit.pitch)
        found += [starts, np.array([dim.high])]
    every = np.unique(np.concatenate(found))
    return every[(every >= 0) & (every < dims[0].size)]


def _held(mesh: Mesh, dim: Dimension, coordinates: dict[str, Any], indices: np.ndarray) -> np.ndarray:
    """Whether each PE has each index."""
    shape = (*_shape_of(coordinates), len(indices))
    if _has_margins(dim):
        pieces = _ranges(mesh, dim, coordinates)
        return np.logical_or.reduce(
            [(indices >= low[..., None]) & (indices < high[..., None]) for low, high in pieces]
        )
    held = np.broadcast_to((indices >= dim.low) & (indices < dim.high), shape)
    layout, rest = TensorLayout(mesh, (dim,)), indices - dim.low
    for digit in dim.digits:
        value, rest = rest // digit.pitch, rest % digit.pitch
        if not digit.is_local:
            at = np.broadcast_to(layout.value_of(digit, const(0)).evaluate(coordinates), shape[:-1])
            held = held & (value == at[..., None])
    return held


def _has_margins(dim: Dimension) -> bool:
    """Whether a PE's pieces overlap those of others, or go beyond the tensor."""
    return bool(dim.before or dim.after or dim.low < 0 or dim.high > dim.size)


def _ranges(mesh: Mesh, dim: Dimension, coordinates: dict[str, Any]) -> PieceRanges:
    layout, found = TensorLayout(mesh, (dim,)), []
    shape = _shape_of(coordinates)
    for local in dim.local_positions():
        first, count = (
            np.broadcast_to(e.evaluate(coordinates), shape)
            for e in layout.span(0, time=const(0), local=local)
        )
        found.append((first, first + np.maximum(count, 0)))
    return found
