"""Movement inside of PEs: copies, slices, concatenation."""

from typing import Any

from ....dialects.host import ir
from ....wse_target.instructions import Instruction, Vector
from ....wse_target.layout.tensor_layout import TensorLayout
from ....wse_target.quasi_affine import const
from ...infra.diagnostics import PassFailure
from ..communicate.tiles import short_outermost
from ..scalars.splat import is_undefined, splat_of
from ..shard.assemblies import Piece, cut_of, parts_of
from .tiles import LocalTile, TileBuffers, loop_indices


def copy(target: LocalTile, source: LocalTile) -> Vector:
    """Copies a tile to another of the same layout."""
    return short_outermost(Vector("copy", target.bounds(), target.whole(), (source.whole(),)), target.shape)


def fill(target: LocalTile, number: float | int) -> Vector:
    """Writes one number to all of a tile, on every PE to as much as the largest takes: that is one loop."""
    return Vector("fill", tuple(map(const, target.shape)), target.whole(), (number,))


def in_place(op: Any, tiles: TileBuffers, hint: str) -> tuple[LocalTile, list[Instruction]]:
    """The tile that a collective works on: its operand's, or a copy when something else reads that too."""
    source = tiles.by_value[op.input]
    if len(list(op.input.uses)) == 1:
        tiles.by_value[op.result] = source
        return source, []
    target = tiles.new(op.result, source.layout, hint)
    return target, [copy(target, source)]


def emit_shape_operation(
    op: Any, layout: TensorLayout, tiles: TileBuffers, hint: str, changed: ir.Value | None = None
) -> list[Instruction]:
    """`tensor.extract_slice`, `insert_slice` and `concat`: each PE copies what it holds into its tile of the result.

    Args:
        changed: an operand whose tile becomes the result's, if it lies as the result does.
    """
    held = None if changed is None else tiles.by_value.get(changed)
    if held is not None and held.layout == layout:
        tiles.by_value[op.results[0]] = held
        return [_insert(op, part, held, tiles) for part in parts_of(op) if part.value != changed]
    target = tiles.new(op.results[0], layout, hint)
    rank = len(target.shape)
    indices, origin = loop_indices(rank), target.origin()
    if op.operation.name == "tensor.extract_slice":
        cut = cut_of(op)
        number = splat_of(cut.source)
        if number is not None:
            return [fill(target, number)]
        source = tiles.by_value[cut.source]
        places = [
            (first + index) * stride + offset - held
            for first, index, stride, offset, held in zip(
                origin, indices, cut.strides, cut.offsets, source.origin(), strict=True
            )
        ]
        cutting = Vector("copy", target.bounds(), target.whole(), (source.at(places, rank),))
        return [short_outermost(cutting, target.shape)]
    return [_insert(op, part, target, tiles) for part in parts_of(op) if not is_undefined(part.value)]


def _insert(op: Any, part: Piece, target: LocalTile, tiles: TileBuffers) -> Vector:
    """Copies what a PE holds of a part, or the number that it is, to its place in the result's tile."""
    number = splat_of(part.value)
    held = part.layout(target.layout) if number is not None else tiles.by_value[part.value].layout
    if held is None:
        raise PassFailure(op, "no layout tells which part of an operand a PE has", hint="run wse-partition")
    source = LocalTile("" if number is not None else tiles.by_value[part.value].buffer, held)
    indices = loop_indices(len(target.shape))
    places = [
        (first + index) * stride + offset - start
        for first, index, stride, offset, start in zip(
            source.origin(), indices, part.strides, part.offsets, target.origin(), strict=True
        )
    ]
    what = number if number is not None else source.whole()
    kind = "copy" if number is None else "fill"
    inserting = Vector(kind, source.bounds(), target.at(places, len(indices)), (what,))
    return short_outermost(inserting, source.shape)
