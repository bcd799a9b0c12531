"""Which layouts an operation's loops can have, which its operands then need, and how one layout becomes another."""

import itertools
import math
from collections.abc import Sequence

from ...dialects.host import ir
from ...dialects.structured import Structured, dim_position
from ...wse_target.layout.algebra import reshaped
from ...wse_target.layout.dimension import Dimension
from ...wse_target.layout.mesh import Mesh
from ...wse_target.layout.rectangle import Rect
from ...wse_target.layout.tensor_layout import TensorLayout


def grid_mesh(width: int, height: int) -> Mesh:
    """A grid of PEs, its axes as they are."""
    return Mesh.of(Rect(0, 0, width, height))


def elements(shape: Sequence[int]) -> int:
    """Number of elements of a shape."""
    count = 1
    for size in shape:
        count *= size
    return count


def operand_layout(amap: ir.AffineMap, loops: TensorLayout, shape: Sequence[int]) -> TensorLayout:
    """The layout an operand needs when an operation's loops are laid out as `loops`."""
    positions = [dim_position(e) for e in amap.results]
    dims = [
        Dimension.whole(size) if p is None else loops.dims[p]
        for p, size in zip(positions, shape, strict=True)
    ]
    return TensorLayout(loops.mesh, tuple(dims))


def is_local_map(amap: ir.AffineMap) -> bool:
    """Whether each operand dimension is an iterator of its own or a constant: the map of an op without windows."""
    seen: set[int] = set()
    for expr in amap.results:
        position = dim_position(expr)
        if position is None and not isinstance(expr, ir.AffineConstantExpr):
            return False
        if position is not None:
            if position in seen:
                return False
            seen.add(position)
    return True


def wide_axes(mesh: Mesh) -> list[str]:
    """The sub-axes of more than one PE."""
    return [name for name in mesh.names if mesh[name].extent > 1]


def loop_layouts(view: Structured, splittable: Sequence[bool], mesh: Mesh) -> list[TensorLayout]:
    """Every way to split the loops of `view` over the mesh's axes; a loop over several where that makes blocks smaller.

    Args:
        splittable: per iterator, whether it may be split (some reductions may not).
    """
    sizes = view.fixed_sizes()
    candidates = [i for i, ok in enumerate(splittable) if ok and sizes[i] > 1]
    axes = wide_axes(mesh)
    result: list[TensorLayout] = []
    for choice in itertools.product([None, *candidates], repeat=len(axes)):
        named: list[list[str]] = [[] for _ in sizes]
        for axis, iterator in zip(axes, choice, strict=True):
            if iterator is not None:
                named[iterator].append(axis)
        if all(is_worth_splitting(size, along, mesh) for size, along in zip(sizes, named, strict=True)):
            result.append(TensorLayout.blocks(sizes, [" ".join(along) for along in named], mesh))
    return result


def is_worth_splitting(size: int, along: Sequence[str], mesh: Mesh) -> bool:
    """Whether each of several sub-axes makes the blocks of a dimension smaller."""
    if len(along) < 2:
        return True
    extents = [mesh[name].extent for name in along]
    block = -(-size // math.prod(extents))
    return all(block < -(-size * extent // math.prod(extents)) for extent in extents)


def reshape_layout(layout: TensorLayout, shape: Sequence[int]) -> TensorLayout | None:
    """The layout of a reshape whose tiles are the same memory before and after; None when tiles do not line up."""
    found = reshaped(layout, shape)
    if found is None or found.mesh != layout.mesh:
        return None
    plain = all(dim.is_plain and not dim.pieces for dim in found.dims)
    return found if plain else None
