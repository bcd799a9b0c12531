"""Movement inside of PEs: copies, slices, concatenation."""

from collections.abc import Sequence
from typing import Any

from ...dialects.host import ir
from ...dialects.wse import read
from ...wse_target.image import Access, Instruction, Vector
from ...wse_target.layout.tensor_layout import TensorLayout
from ...wse_target.quasi_affine import Expr
from ..infra.diagnostics import PassFailure
from .emit_tiles import Tile, Tiles, loop_indices
from .nodes import resized, shape_of
from .splat import is_undefined, splat_of


def copy(target: Tile, source: Tile) -> Vector:
    """Copies a tile to another of the same layout."""
    return Vector("copy", target.bounds(), target.whole(), (source.whole(),))


def fill(target: Tile, number: float | int) -> Vector:
    """Writes one number to all of a tile."""
    return Vector("fill", target.bounds(), target.whole(), (number,))


def in_place(op: Any, tiles: Tiles, hint: str) -> tuple[Tile, list[Instruction]]:
    """The tile that a collective works on: its operand's, or a copy when something else reads that too."""
    source = tiles.by_value[op.input]
    if len(list(op.input.uses)) == 1:
        tiles.by_value[op.result] = source
        return source, []
    target = tiles.new(op.result, source.layout, hint)
    return target, [copy(target, source)]


def emit_shape_operation(op: Any, layout: TensorLayout, tiles: Tiles, hint: str) -> list[Instruction]:
    """`tensor.extract_slice`, `insert_slice` and `concat`: copies between whole dimensions."""
    target = tiles.new(op.results[0], layout, hint)
    name = op.operation.name
    rank = len(target.shape)
    if name == "tensor.concat":
        dim, offset, steps = read.integer(op.attributes["dim"]), 0, []
        for value in op.operands:
            offsets = [offset if d == dim else 0 for d in range(rank)]
            if not is_undefined(value):
                steps.append(_insert(value, target, offsets, [1] * rank, tiles))
            offset += shape_of(value)[dim]
        return steps
    offsets, sizes, strides = (_static(op, f"static_{n}") for n in ("offsets", "sizes", "strides"))
    part = op.results[0] if name == "tensor.extract_slice" else op.operands[0]
    if tuple(sizes) != shape_of(part) or len(op.operands) > (1 if name == "tensor.extract_slice" else 2):
        raise PassFailure(op, f"'{name}' that changes rank or has dynamic offsets", hint="use target='cpu'")
    if name == "tensor.extract_slice":
        indices = loop_indices(rank)
        source = _source(op.operands[0], _strided(indices, offsets, strides), tiles)
        kind = "copy" if isinstance(source, Access) else "fill"
        return [Vector(kind, target.bounds(), target.whole(), (source,))]
    part_step = _insert(op.operands[0], target, offsets, strides, tiles)
    if is_undefined(op.operands[1]):
        return [part_step]
    return [_insert(op.operands[1], target, [0] * rank, [1] * rank, tiles), part_step]


def _strided(indices: Sequence[Expr], offsets: Sequence[int], strides: Sequence[int]) -> list[Expr]:
    return [i * s + o for i, o, s in zip(indices, offsets, strides, strict=True)]


def _insert(
    value: ir.Value, target: Tile, offsets: Sequence[int], strides: Sequence[int], tiles: Tiles
) -> Vector:
    """Copies `value` to `offsets` in `target`; dimensions that are split have offset 0."""
    part = Tile("", resized(target.layout, shape_of(value)))
    indices = loop_indices(len(target.shape))
    source = _source(value, indices, tiles)
    kind = "copy" if isinstance(source, Access) else "fill"
    placed = target.at(_strided(indices, offsets, strides), len(indices))
    return Vector(kind, part.bounds(), placed, (source,))


def _source(value: ir.Value, indices: Sequence[Expr], tiles: Tiles) -> Access | float | int:
    number = splat_of(value)
    return number if number is not None else tiles.by_value[value].at(indices, len(indices))


def _static(op: Any, name: str) -> list[int]:
    return list(ir.DenseI64ArrayAttr(op.attributes[name]))
