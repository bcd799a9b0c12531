"""Loops split once more: for values of which PEs along an axis have the same, and that take long to work out."""

from __future__ import annotations

from dataclasses import replace

from ....wse_target.layout.dimension import Digit, Dimension
from ....wse_target.layout.mesh import Mesh
from ....wse_target.layout.tensor_layout import TensorLayout
from .cost import CostModel

# Times that a word could cross the grid while PEs compute: sharing what they do ends with a gathering.
_WORTH = 2


def finer_loops(loops: TensorLayout, cycles: float, mesh: Mesh, cost: CostModel) -> list[TensorLayout]:
    """Splits in which PEs along an axis share what each of them would do by itself.

    The block of 27 elements that a PE of row y has, and all others of its row, becomes 27 blocks of one: unlike blocks
    over both axes these lie within the blocks that the operands have.

    Args:
        cycles: of the operation with its loops laid out like `loops`.
    """
    hop, found = cost.machine.fabric.hop_latency, list[TensorLayout]()
    for axis in (a for a in mesh.names if loops.dim_of(a) is None and mesh[a].extent > 1):
        if cycles < _WORTH * mesh[axis].extent * hop:
            continue
        for k, dim in enumerate(loops.dims):
            if dim.digits and dim.is_plain and dim.room > 1:
                dims = (*loops.dims[:k], _finer(dim, axis, mesh[axis].extent), *loops.dims[k + 1 :])
                found.append(replace(loops, dims=dims))
    return found


def _finer(dim: Dimension, axis: str, extent: int) -> Dimension:
    return replace(dim, digits=(*dim.digits, Digit(extent, -(-dim.room // extent), (axis,))))
