"""Whether PEs have what they want, told from dimensions alone, over the coordinates that these depend on."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from ....wse_target.layout.dimension import Dimension
from ....wse_target.layout.mesh import Mesh
from ....wse_target.layout.tensor_layout import TIME, TensorLayout
from ....wse_target.quasi_affine import const
from ..library.lines import Line

Ranges = list[tuple[np.ndarray, np.ndarray]]  # first index and one past the last, of every piece


def line_of(mesh: Mesh, name: str) -> Line:
    """The lines of PEs along a sub-axis."""
    return Line(mesh.axis_of(name), (mesh.rect.w, mesh.rect.h), mesh[name].extent, mesh.stride(name))


@lru_cache(maxsize=4096)
def covers(mesh: Mesh, have: Dimension, want: Dimension) -> bool:
    """Whether every PE has all indices that it wants of a dimension."""
    if have.is_whole:
        return True
    if _most(have) < _least(want):
        return False
    coordinates, indices = _coordinates(mesh, have, want), _indices(mesh, have, want)
    held, wanted = (_held(mesh, dim, coordinates, indices) for dim in (have, want))
    return not (wanted & ~held).any()


@lru_cache(maxsize=4096)
def reach_of(mesh: Mesh, name: str, have: Dimension, want: Dimension, most: int) -> int | None:
    """How many PEs away on its line what a PE wants is had at the most; None if that is more than `most`."""
    line = line_of(mesh, name)
    most = min(most, line.extent - 1)
    if (2 * most + 1) * _most(have) < _least(want):
        return None
    coordinates, indices = _coordinates(mesh, have, want, name), _indices(mesh, have, want)
    position = line.position.evaluate(coordinates)
    missing = _held(mesh, want, coordinates, indices)
    for reach in range(most + 1):
        for apart in {-reach, reach}:
            shifted = {**coordinates, line.axis: coordinates[line.axis] + apart * line.stride}
            there = (position + apart >= 0) & (position + apart < line.extent)
            missing = missing & ~(_held(mesh, have, shifted, indices) & there[..., None])
        if not missing.any():
            return reach
    return None


def _most(dim: Dimension) -> int:
    """Indices that a PE has at the most."""
    return min(dim.size, math.prod(dim.pieces) * dim.room)


def _least(dim: Dimension) -> int:
    """Indices that some PE has at least."""
    return dim.room if not dim.simplified().pieces else 0


def _coordinates(mesh: Mesh, *parts: Dimension | str) -> dict[str, Any]:
    """Columns and rows of PEs, those only that dimensions (and a sub-axis) depend on."""
    names = {n for part in parts for n in ((part,) if isinstance(part, str) else part.axes)}
    along = {mesh.axis_of(name) for name in names}
    columns = np.arange(mesh.rect.w if "x" in along else 1)
    rows = np.arange(mesh.rect.h if "y" in along else 1)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    return {"x": x, "y": y, TIME: 0}


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
    shape = (*coordinates["x"].shape, len(indices))
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


def _ranges(mesh: Mesh, dim: Dimension, coordinates: dict[str, Any]) -> Ranges:
    layout, found = TensorLayout(mesh, (dim,)), []
    shape = coordinates["x"].shape
    for local in dim.local_positions():
        first, count = (
            np.broadcast_to(e.evaluate(coordinates), shape)
            for e in layout.span(0, time=const(0), local=local)
        )
        found.append((first, first + np.maximum(count, 0)))
    return found
