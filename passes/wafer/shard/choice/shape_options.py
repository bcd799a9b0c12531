"""Options of what only moves elements: reshapes, slices, insertions and concatenations.

PEs copy what they hold, and nothing is sent: the layout of the result says which part of each operand that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .....wse_target.layout.dimension import Dimension
from .....wse_target.layout.mesh import Mesh
from .....wse_target.layout.tensor_layout import TensorLayout
from ...scalars.splat import is_undefined, splat_of
from ..assemblies import cut_of, parts_of
from ..cost import CostModel
from ..in_place import may_change
from ..layout_rules import reshape_layout
from ..merged_loops import MergedLoops, tile_steps
from ..nodes import Option, dtype_of, shape_of
from ..operand_layouts import is_worth_splitting, wide_axes


def all_layouts(shape: tuple[int, ...], mesh: Mesh) -> list[TensorLayout]:
    """Every layout of a tensor in blocks over a mesh's axes."""
    splits = [("",) * len(shape)]
    for axis in wide_axes(mesh):
        for named in list(splits):
            for dim, size in enumerate(shape):
                along = [*named[dim].split(), axis]
                if size > 1 and is_worth_splitting(size, along, mesh):
                    splits.append((*named[:dim], " ".join(along), *named[dim + 1 :]))
    return [TensorLayout.blocks(shape, named, mesh) for named in splits]


def reshape_options(op: Any, mesh: Mesh, wanted: Sequence[TensorLayout]) -> list[Option]:
    """Layouts of a reshape under which every PE's tile is the same memory before and after.

    Args:
        wanted: layouts of the result that readers ask for, beside blocks.
    """
    source, target = shape_of(op.operands[0]), shape_of(op.results[0])
    backwards = [reshape_layout(layout, source) for layout in wanted]
    candidates = [*all_layouts(source, mesh), *(layout for layout in backwards if layout is not None)]
    found = []
    for layout in dict.fromkeys(candidates):
        result = reshape_layout(layout, target)
        if result is not None:
            found.append(Option(None, (layout,), (result,)))
    return found


def assembly_options(op: Any, mesh: Mesh, cost: CostModel, wanted: Sequence[TensorLayout]) -> list[Option]:
    """Layouts of slicing, inserting and concatenating, with what every PE copies into its tile of the result.

    Args:
        wanted: layouts of the result that readers ask for, beside blocks.
    """
    found = []
    for layout in dict.fromkeys([*all_layouts(shape_of(op.results[0]), mesh), *wanted]):
        option = _assembly_option(op, layout, cost)
        if option is not None:
            found.append(option)
    return found


def _assembly_option(op: Any, layout: TensorLayout, cost: CostModel) -> Option | None:
    """None where what a PE has to hold is no part of an operand that a layout tells."""
    if any(dim.pieces for dim in layout.dims):
        return None
    if op.operation.name == "tensor.extract_slice":
        cut = cut_of(op)
        held = cut.layout(layout)
        if held is None:
            return None
        cycles = _copying(op, layout, held, cut.strides, cost)
        return Option(None, (_read(op.operands[0], held),), (layout,), cycles)
    needs: list[TensorLayout | None] = [None] * len(op.operands)
    inserts = op.operation.name == "tensor.insert_slice"
    in_place = 1 if inserts and may_change(op.operands[1]) else None
    cycles = 0.0
    for part in parts_of(op):
        held = part.layout(layout)
        if held is None:
            return None
        needs[part.operand] = _read(part.value, held)
        if not is_undefined(part.value) and part.operand != in_place:
            kind = "copy" if splat_of(part.value) is None else "fill"
            cycles += _copying(op, held, layout, part.strides, cost, kind)
    return Option(None, tuple(needs), (layout,), cycles)


def _copying(
    op: Any,
    part: TensorLayout,
    whole: TensorLayout,
    strides: Sequence[int],
    cost: CostModel,
    kind: str = "copy",
) -> float:
    """Cycles of copying a part of a tile out of it, or into it, or of filling that part."""
    own = dict(enumerate(tile_steps(part.tile_shape)))
    there = {d: step * strides[d] for d, step in enumerate(tile_steps(whole.tile_shape))}
    merged = MergedLoops.of(part.tile_shape, [there] if kind == "fill" else [own, there])
    return cost.vector(kind, dtype_of(op.results[0]), merged.among(range(len(strides))))


def _read(value: Any, layout: TensorLayout) -> TensorLayout | None:
    return None if splat_of(value) is not None or is_undefined(value) else layout


def is_blocks(layout: TensorLayout) -> bool:
    """Whether a layout is one of `all_layouts`."""
    return all(dim.is_whole or _is_block(dim) for dim in layout.dims)


def _is_block(dim: Dimension) -> bool:
    if not dim.is_plain or any(len(digit.axes) != 1 or digit.rotates for digit in dim.digits):
        return False
    return dim == Dimension.split(dim.size, [(digit.axes[0], digit.extent) for digit in dim.digits])
