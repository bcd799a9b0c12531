"""Where in its tile an operand is read: what its map says of indices of the tensor, less the tile's first index."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....dialects.affine.expressions import dim_position, evaluate_affine
from ....dialects.affine.linear import index_sum
from ....dialects.host import ir
from ....wse_target.layout.tensor_layout import TensorLayout
from ....wse_target.quasi_affine import Expr, const
from .write.expressions import row_major_pitches


def positions_in_tile(
    amap: ir.AffineMap, loops: TensorLayout, tile: TensorLayout, index: Callable[[int], Expr]
) -> list[Expr]:
    """The position in a tile along each dimension that an operation's map leads to.

    Args:
        loops: of the operation.
        tile: layout of the operand.
        index: of an iterator, how many iterations of its own a PE has done of it.
    """
    found: list[Expr] = []
    for dim, expr in enumerate(amap.results):
        position = dim_position(expr)
        if position is not None and tile.dims[dim] == loops.dims[position]:
            found.append(index(position))
            continue
        of_tensor = evaluate_affine(expr, lambda d: index(d.position) + loops.span(d.position)[0])
        of_tensor = of_tensor if isinstance(of_tensor, Expr) else const(of_tensor)
        found.append(of_tensor - tile.span(dim)[0])
    return found


def stride_of(amap: ir.AffineMap, iterator: int, tile: Sequence[int]) -> int:
    """Elements between two steps of an iterator in a tile of that shape; 0 when it does not move."""
    stride = 0
    for expr, pitch in zip(amap.results, row_major_pitches(tile), strict=True):
        stride += pitch * index_sum(expr).factor(iterator)
    return stride
