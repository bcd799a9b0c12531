"""Where a value may be that comes from the region before, or goes to the one behind: alike on all PEs of a row."""

from __future__ import annotations

from typing import Any

from .....dialects.wse import read
from .....wse_target.instructions import Dtype
from .....wse_target.layout.mesh import Mesh
from .....wse_target.layout.tensor_layout import TensorLayout
from .....wse_target.sim.cost import words
from ...algorithms.streams import send_cycles, take_cycles
from ..cost import CostModel
from ..nodes import Option, dtype_of, shape_of


def row_layout(shape: tuple[int, ...], rows: int, mesh: Mesh) -> TensorLayout:
    """Blocks of dimension `rows` over the rows of a mesh, or the whole everywhere (-1)."""
    down = " ".join(factor.name for factor in mesh.y)
    return TensorLayout.blocks(shape, [down if dim == rows else "" for dim in range(len(shape))], mesh)


def stream_options(op: Any, mesh: Mesh, cost: CostModel) -> list[Option]:
    """Options of `wse.stream_in`, which says what rows have, and of `wse.stream_out`, which is free to choose."""
    shape, dtype = shape_of(op.results[0]), dtype_of(op.results[0])
    if op.operation.name == "wse.stream_in":
        layout = row_layout(shape, read.integer(op.rows), mesh)
        cycles = take_cycles(_words(layout, dtype), dtype, cost.machine, mesh.rect.w)
        return [Option(None, (None,), (layout,), cycles)]
    layouts = dict.fromkeys(row_layout(shape, rows, mesh) for rows in range(-1, len(shape)))
    return [
        Option(None, (layout,), (layout,), send_cycles(_words(layout, dtype), dtype, cost.machine))
        for layout in layouts
    ]


def _words(layout: TensorLayout, dtype: Dtype) -> int:
    return int(words(layout.elements, dtype))
