"""Whether PEs have what they want, told from dimensions alone, over the coordinates that these depend on."""

from __future__ import annotations

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
    coordinates = _coordinates(mesh, have, want)
    return _enough(_ranges(mesh, have, coordinates), _ranges(mesh, want, coordinates))


@lru_cache(maxsize=4096)
def reach_of(mesh: Mesh, name: str, have: Dimension, want: Dimension, most: int) -> int | None:
    """How many PEs away on its line what a PE wants is had at the most; None if that is more than `most`.

    What is had must not overlap along the sub-axis.
    """
    line = line_of(mesh, name)
    coordinates = _coordinates(mesh, have, want, name)
    position = line.position.evaluate(coordinates)
    wanted = _ranges(mesh, want, coordinates)
    held: Ranges = []
    for reach in range(min(most, line.extent - 1) + 1):
        for apart in {-reach, reach}:
            shifted = {**coordinates, line.axis: coordinates[line.axis] + apart * line.stride}
            there = (position + apart >= 0) & (position + apart < line.extent)
            held += [(low, np.where(there, high, low)) for low, high in _ranges(mesh, have, shifted)]
        if _enough(held, wanted):
            return reach
    return None


def _coordinates(mesh: Mesh, *parts: Dimension | str) -> dict[str, Any]:
    """Columns and rows of PEs, those only that dimensions (and a sub-axis) depend on."""
    names = {n for part in parts for n in ((part,) if isinstance(part, str) else part.axes)}
    along = {mesh.axis_of(name) for name in names}
    columns = np.arange(mesh.rect.w if "x" in along else 1)
    rows = np.arange(mesh.rect.h if "y" in along else 1)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    return {"x": x, "y": y, TIME: 0}


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


def _enough(have: Ranges, want: Ranges) -> bool:
    """Whether what is had, in which no index comes twice, has all indices that are wanted."""
    for low, high in want:
        both = sum(np.maximum(np.minimum(high, end) - np.maximum(low, start), 0) for start, end in have)
        if (both < high - low).any():
            return False
    return True
