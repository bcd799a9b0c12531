"""Steps of everything but computing: collectives, slices, concatenation, and what comes from or goes to the host."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ...dialects.host import ir
from ...dialects.wse import read
from ..infra.diagnostics import PassFailure
from .emit_steps import (
    Access,
    AllGatherStep,
    BroadcastStep,
    ReduceStep,
    Step,
    Tile,
    VectorStep,
    coordinate,
    loop_indices,
)
from .emit_tiles import Tiles
from .layout_rules import Axes
from .nodes import shape_of
from .splat import is_undefined, splat_of


@dataclass
class HostTransfers:
    """Which tile each argument comes into and each result leaves from: (position, tile, location)."""

    scatters: list[tuple[int, Tile, ir.Location]] = field(default_factory=list)
    gathers: list[tuple[int, Tile, ir.Location]] = field(default_factory=list)


def copy(target: Tile, source: Tile, tiles: Tiles) -> VectorStep:
    """Copies a tile to another of the same layout."""
    indices = loop_indices(len(target.shape))
    return VectorStep("copy", target.bounds(tiles.grid), target.at(indices), (source.at(indices),))


def fill(target: Tile, number: float | int, tiles: Tiles) -> VectorStep:
    """Writes one number to all of a tile."""
    indices = loop_indices(len(target.shape))
    return VectorStep("fill", target.bounds(tiles.grid), target.at(indices), (number,))


def in_place(op: Any, tiles: Tiles, hint: str) -> tuple[Tile, list[Step]]:
    """The tile that a collective works on: its operand's, or a copy when something else reads that too."""
    axes = read.layout(op.layout).axes
    source = tiles.by_value[op.input]
    if len(list(op.input.uses)) == 1:
        tiles.by_value[op.result] = source
        return source, []
    target = tiles.new(op.result, axes, hint)
    return target, [copy(target, source, tiles)]


def emit_reduce(op: Any, tiles: Tiles, hint: str) -> list[Step]:
    """`wse.reduce` to the first PE of each line."""
    _check_root(op)
    if op.algorithm.value not in ("", "chain"):
        raise PassFailure(op, f"no reduction is called '{op.algorithm.value}'", hint="algorithms: chain")
    tile, steps = in_place(op, tiles, hint)
    return [*steps, ReduceStep(tile, op.axis.value, op.kind.value)]


def emit_broadcast(op: Any, tiles: Tiles, hint: str) -> list[Step]:
    """`wse.broadcast` from the first PE of each line."""
    _check_root(op)
    tile, steps = in_place(op, tiles, hint)
    return [*steps, BroadcastStep(tile, op.axis.value)]


def _check_root(op: Any) -> None:
    if read.integer(op.root) != 0:
        raise PassFailure(op, "only the first PE of a line can be the root", hint="use root = 0")


def emit_all_gather(op: Any, tiles: Tiles, hint: str) -> list[Step]:
    """`wse.all_gather`: the PE's own block is put in place, then the others' arrive."""
    source, axis, dim = tiles.by_value[op.input], op.axis.value, read.integer(op.dim)
    target = tiles.new(op.result, read.layout(op.layout).axes, hint)
    indices = loop_indices(len(target.shape))
    bounds, from_ = source.bounds(tiles.grid), source.at(indices)
    indices[dim] = indices[dim] + coordinate(axis) * source.shape[dim]
    own = VectorStep("copy", bounds, target.at(indices), (from_,))
    return [own, AllGatherStep(source, target, axis, dim)]


def emit_slice_redistribution(op: Any, tiles: Tiles, hint: str) -> list[Step]:
    """`wse.redistribute` that only slices: each PE keeps its block of what it holds."""
    before, after = read.layout(op.source_layout).axes, read.layout(op.layout).axes
    source = tiles.by_value[op.input]
    if any(b and b != a for b, a in zip(before, after, strict=True)):
        raise PassFailure(
            op, "this redistribution needs communication", hint="run wse-expand-collectives first"
        )
    target = tiles.new(op.result, after, hint)
    indices = loop_indices(len(target.shape))
    taken = [
        index + coordinate(a) * target.shape[d] if a and not b else index
        for d, (index, b, a) in enumerate(zip(indices, before, after, strict=True))
    ]
    return [VectorStep("copy", target.bounds(tiles.grid), target.at(indices), (source.at(taken),))]


def emit_shape_operation(op: Any, axes: Axes, tiles: Tiles, hint: str) -> list[Step]:
    """`tensor.extract_slice`, `insert_slice` and `concat`: copies between whole dimensions."""
    target = tiles.new(op.results[0], axes, hint)
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
        return [VectorStep(kind, target.bounds(tiles.grid), target.at(indices), (source,))]
    part_step = _insert(op.operands[0], target, offsets, strides, tiles)
    if is_undefined(op.operands[1]):
        return [part_step]
    return [_insert(op.operands[1], target, [0] * rank, [1] * rank, tiles), part_step]


def _strided(
    indices: Sequence[ir.AffineExpr], offsets: Sequence[int], strides: Sequence[int]
) -> list[ir.AffineExpr]:
    return [i * s + o for i, o, s in zip(indices, offsets, strides, strict=True)]


def _insert(
    value: ir.Value, target: Tile, offsets: Sequence[int], strides: Sequence[int], tiles: Tiles
) -> VectorStep:
    """Copies `value` to `offsets` in `target`; dimensions that are split have offset 0."""
    part = Tile("", tiles.grid.tile(shape_of(value), target.axes), False, shape_of(value), target.axes)
    indices = loop_indices(len(target.shape))
    source = _source(value, indices, tiles)
    kind = "copy" if isinstance(source, Access) else "fill"
    return VectorStep(
        kind, part.bounds(tiles.grid), target.at(_strided(indices, offsets, strides)), (source,)
    )


def _source(value: ir.Value, indices: Sequence[ir.AffineExpr], tiles: Tiles) -> Access | float | int:
    number = splat_of(value)
    return number if number is not None else tiles.by_value[value].at(indices)


def _static(op: Any, name: str) -> list[int]:
    return list(ir.DenseI64ArrayAttr(op.attributes[name]))


def emit_scatter(op: Any, tiles: Tiles, host: HostTransfers, hint: str) -> list[Step]:
    """`wse.scatter`: an argument is brought in by the host, a tensor of one number is written by the PE itself."""
    axes = read.layout(op.layout).axes
    tile = tiles.new(op.result, axes, hint)
    if isinstance(op.input.owner, ir.Block):
        host.scatters.append((ir.BlockArgument(op.input).arg_number, tile, op.location))
        return []
    number = splat_of(op.input)
    if number is None:
        raise PassFailure(op, "only arguments come from the host", hint="this is a defect of wse-partition")
    return [fill(tile, number, tiles)]
