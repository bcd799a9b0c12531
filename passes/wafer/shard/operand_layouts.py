"""Which layouts an operation's loops can have, and which of its operands PEs then need, by its indexing maps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

from ....dialects.affine.expressions import dim_position, division
from ....dialects.affine.linear import IndexSum, index_sum, linear
from ....dialects.host import ir
from ....dialects.structured import REDUCTION, Structured
from ....wse_target.layout.accesses import Term, accessed, quotient, together
from ....wse_target.layout.dimension import Digit, Dimension
from ....wse_target.layout.mesh import Mesh
from ....wse_target.layout.tensor_layout import TensorLayout


def operand_layout(amap: ir.AffineMap, loops: TensorLayout, shape: Sequence[int]) -> TensorLayout | None:
    """The layout an operand needs when an operation's loops are laid out as `loops`.

    None where what a PE needs is no range of each dimension, or PEs would have to hold it along one sub-axis twice.
    """
    dims: list[Dimension] = []
    for expr, size in zip(amap.results, shape, strict=True):
        position = dim_position(expr)
        dim = loops.dims[position] if position is not None else _needed(index_sum(expr), loops, size)
        if dim is None or dim.pieces:
            return None
        dims.append(dim)
    bound = [name for dim in dims for name in dim.axes]
    return TensorLayout(loops.mesh, tuple(dims)) if len(set(bound)) == len(bound) else None


def operand_layouts(view: Structured, loops: TensorLayout) -> list[TensorLayout | None]:
    """The layout that every operand needs; one for all inputs that are one value, if that can be."""
    found: list[TensorLayout | None] = []
    for value, amap in zip(view.operands, view.maps, strict=True):
        shape = ir.RankedTensorType(value.type).shape if isinstance(value.type, ir.RankedTensorType) else ()
        found.append(operand_layout(amap, loops, shape))
    for value in dict.fromkeys(view.inputs):
        alike = [k for k, other in enumerate(view.inputs) if other == value]
        both = _union([found[k] for k in alike]) if len(alike) > 1 else None
        for k in alike if both is not None else ():
            found[k] = both
    return found


def _union(layouts: Sequence[TensorLayout | None]) -> TensorLayout | None:
    first = layouts[0]
    for layout in layouts[1:]:
        if first is None or layout is None:
            return None
        dims = [together(a, b) for a, b in zip(first.dims, layout.dims, strict=True)]
        known = tuple(dim for dim in dims if dim is not None)
        first = replace(first, dims=known) if len(known) == len(dims) else None
    return first


def _needed(index: IndexSum, loops: TensorLayout, size: int) -> Dimension | None:
    """The least range of a dimension that every PE reads; all of it where no loop is split."""
    involved = {iterator for _, iterator in index.terms} | index.divided
    if all(loops.dims[iterator].is_whole for iterator in involved):
        return Dimension.whole(size)
    terms = [Term(factor, loops.dims[iterator]) for factor, iterator in index.terms]
    constant = index.constant
    for factor, expr in index.quotients:
        found = _quotient(expr, loops)
        if found is None:
            return None
        terms.append(Term(factor, found[0]))
        constant += factor * found[1]
    return accessed(terms, constant, size)


def _quotient(expr: ir.AffineExpr, loops: TensorLayout) -> tuple[Dimension, int] | None:
    """What a PE reads at a quotient, as an iterator of its own from a constant on; None for no quotient of a sum."""
    parts = _divided_sum(expr)
    if parts is None:
        return None
    index, divisor = parts
    terms = [Term(factor, loops.dims[iterator]) for factor, iterator in index.terms]
    return quotient(terms, index.constant, divisor)


def _divided_sum(expr: ir.AffineExpr) -> tuple[IndexSum, int] | None:
    divided = division(expr)
    if divided is None or not isinstance(expr, ir.AffineFloorDivExpr):
        return None
    index = linear(divided[0])
    return None if index is None else (index, divided[1])


def _alignments(view: Structured) -> list[int]:
    """For each iterator, the number of iterations of which blocks have to be multiples where it is divided."""
    found = [1] * len(view.iterators)
    for amap in view.maps:
        for expr in amap.results:
            if dim_position(expr) is not None:
                continue
            for _, quotient_of in index_sum(expr).quotients:
                parts = _divided_sum(quotient_of)
                for factor, iterator in parts[0].terms if parts else ():
                    step = parts[1] // math.gcd(parts[1], factor) if parts else 1
                    found[iterator] = math.lcm(found[iterator], step)
    return found


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
    axes, steps = wide_axes(mesh), _alignments(view)
    result: list[TensorLayout] = []
    for choice in itertools.product([None, *candidates], repeat=len(axes)):
        named: list[list[str]] = [[] for _ in sizes]
        for axis, iterator in zip(axes, choice, strict=True):
            if iterator is not None:
                named[iterator].append(axis)
        free = [axis for axis, iterator in zip(axes, choice, strict=True) if iterator is None]
        pairs = list(zip(sizes, named, strict=True))
        worth = all(is_worth_splitting(size, along, mesh) for size, along in pairs)
        if worth and not any(has_better_place(size, along, free, mesh) for size, along in pairs):
            blocks = TensorLayout.blocks(sizes, [" ".join(along) for along in named], mesh)
            result.append(_aligned(blocks, steps))
    return result


def is_worth_splitting(size: int, along: Sequence[str], mesh: Mesh) -> bool:
    """Whether each of several sub-axes makes the blocks of a dimension smaller."""
    if len(along) < 2:
        return True
    extents = [mesh[name].extent for name in along]
    block = -(-size // math.prod(extents))
    return all(block < -(-size * extent // math.prod(extents)) for extent in extents)


def has_better_place(size: int, along: Sequence[str], free: Sequence[str], mesh: Mesh) -> bool:
    """Whether blocks leave half of the PEs along their sub-axes idle, while a smaller free sub-axis has as many blocks.

    Only of meshes with factors: whole axes are what every loop can be split over.
    """
    if not along or len(mesh.names) == 2:
        return False
    extent = math.prod(mesh[name].extent for name in along)
    blocks = -(-size // -(-size // extent))
    return 2 * blocks <= extent and any(blocks <= mesh[name].extent < extent for name in free)


def _aligned(loops: TensorLayout, steps: Sequence[int]) -> TensorLayout:
    """The same in blocks that are multiples of `steps`."""
    if all(step == 1 for step in steps):
        return loops
    dims = [
        replace(dim, digits=_multiples(dim.digits, step)) for dim, step in zip(loops.dims, steps, strict=True)
    ]
    return replace(loops, dims=tuple(dims))


def _multiples(digits: Sequence[Digit], step: int) -> tuple[Digit, ...]:
    """The digits with the innermost pitch a multiple of `step`, each of the others as wide as what it counts."""
    found: list[Digit] = []
    for digit in reversed(digits):
        inner = found[0] if found else None
        pitch = inner.extent * inner.pitch if inner else -(-digit.pitch // step) * step
        found.insert(0, replace(digit, pitch=pitch))
    return tuple(found)


def halo_loops(view: Structured, wanted: Sequence[Sequence[TensorLayout]]) -> list[TensorLayout]:
    """Layouts of loops under which PEs compute their own copies of what several of them need of a result.

    Args:
        wanted: for each result, layouts that readers ask for.
    """
    sizes = view.fixed_sizes()
    found: dict[TensorLayout, None] = {}
    for amap, layouts in zip(view.init_maps, wanted, strict=False):
        positions = [dim_position(expr) for expr in amap.results]
        for layout in layouts:
            if all(dim.is_plain for dim in layout.dims) or any(dim.pieces for dim in layout.dims):
                continue
            dims = list(map(Dimension.whole, sizes))
            for position, dim in zip(positions, layout.dims, strict=True):
                if position is not None:
                    dims[position] = dim
            # A reduction along a dimension of its result leaves what has come so far: a step needs those before it.
            steps = [i for i, kind in enumerate(view.iterators) if kind == REDUCTION]
            if any(dims[i] != Dimension.whole(sizes[i]) for i in steps):
                continue
            found[TensorLayout(layout.mesh, tuple(dims))] = None
    return list(found)
