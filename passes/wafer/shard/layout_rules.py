"""Layouts of grids and of reshapes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ....dialects.wse import read
from ....wse_target.layout.algebra import reshaped
from ....wse_target.layout.mesh import Mesh
from ....wse_target.layout.rectangle import Rect
from ....wse_target.layout.tensor_layout import TensorLayout


def grid_mesh(width: int, height: int) -> Mesh:
    """A grid of PEs, its axes as they are."""
    return Mesh.of(Rect(0, 0, width, height))


def mesh_of(main: Any, rect: Rect) -> Mesh:
    """The one mesh that the layouts of a distributed `@main` are on; the rectangle's axes if there is no layout.

    What is emitted speaks of PEs by their columns and rows in the rectangle, wherever that is.
    """
    for op in main.body.blocks[0].operations:
        if "layout" in op.attributes and len(op.results) == 1:
            mesh = read.layout(op.attributes["layout"], op.result.type).mesh
            return replace(mesh, rect=Rect(0, 0, rect.w, rect.h))
    return grid_mesh(rect.w, rect.h)


def elements(shape: Sequence[int]) -> int:
    """Number of elements of a shape."""
    count = 1
    for size in shape:
        count *= size
    return count


def reshape_layout(layout: TensorLayout, shape: Sequence[int]) -> TensorLayout | None:
    """The layout of a reshape whose tiles are the same memory before and after; None when tiles do not line up."""
    found = reshaped(layout, shape)
    if found is None or found.mesh != layout.mesh:
        return None
    same_memory = found.elements == layout.elements and not any(dim.pieces for dim in found.dims)
    return found if same_memory else None
