"""`wse-split-dims`: dimensions that reshapes split are split wherever they come from and go to."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from ....dialects.affine.expressions import dim_position, substitute
from ....dialects.host import ir, tensor
from ....dialects.structured import (
    Structured,
    element_type,
    names_loops,
    rebuild_generic,
    replace_op,
    structured,
)
from ...infra.pass_base import Pass, PassRun
from ..traversal import tensor_blocks
from .reshapes.dim_classes import DimClasses
from .reshapes.free_shapes import in_shape
from .reshapes.read_chain import shape_of
from .reshapes.reshaping import reshaped
from .reshapes.slices_of_one_rank import keep_rank

Parts = tuple[int, ...]  # sizes, outermost first


class SplitDims(Pass, name="wse-split-dims", anchor="func.func"):
    """Writes operations in the dimensions that their neighbours' reshapes split theirs into.

    A product whose columns are heads times places in a head gets a loop for each, and its weights three dimensions:
    what is split over PEs by heads, and what by places, is then its own choice, and no reshape stands between it and
    what reads it by heads. Reshapes are left at arguments and results of the function, and where dimensions do not line
    up. Operations that ask for positions along a dimension, or read it by more than an iterator, keep it whole.

        %q = linalg.generic {maps = [(n, k) -> (k), (n, k) -> (n, k), (n, k) -> (n)]} ins(%x, %w : .., tensor<32x8xf32>)
        %h = tensor.expand_shape %q [[0, 1]] output_shape [4, 8] : tensor<32xf32> into tensor<4x8xf32>
    becomes
        %v = tensor.expand_shape %w [[0, 1], [2]] output_shape [4, 8, 8] : tensor<32x8xf32> into tensor<4x8x8xf32>
        %h = linalg.generic {maps = [(h, d, k) -> (k), (h, d, k) -> (h, d, k), (h, d, k) -> (h, d)]} ins(%x, %v)
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for block in tensor_blocks(op):
            for inner in list(block.operations):
                keep_rank(inner)
            classes = DimClasses.of(block)
            wanted = [(inner, _wanted(inner, classes)) for inner in block.operations]
            for inner, parts in wanted:
                if any(len(p) > 1 for p in parts):
                    with ir.InsertionPoint(inner), inner.location:
                        _split(inner, parts)
                    run.count("operations with dimensions split")


def _wanted(op: Any, classes: DimClasses) -> list[Parts]:
    """The parts of an operation's loops, or of the dimensions of the tensor that it takes a slice of."""
    view = structured(op)
    if view is not None and not names_loops(op):
        return [classes.parts((view.op, loop)) for loop in range(len(view.iterators))]
    if isinstance(op, tensor.ExtractSliceOp | tensor.InsertSliceOp):
        return [classes.parts((_sliced(op), d)) for d in range(len(shape_of(_sliced(op))))]
    return []


def _split(op: Any, parts: Sequence[Parts]) -> None:
    view = structured(op)
    made = _split_generic(view, parts) if view is not None else _split_slice(op, parts)
    seen = [
        reshaped(now, ir.RankedTensorType(before.type).shape)
        for before, now in zip(op.results, made.results, strict=True)
    ]
    replace_op(op, seen)


def _split_generic(view: Structured, parts: Sequence[Parts]) -> Any:
    dims = [
        [
            (size,) if (loop := dim_position(e)) is None else parts[loop]
            for size, e in zip(_shape(v), m.results, strict=False)
        ]
        for v, m in zip(view.operands, view.maps, strict=True)
    ]
    operands = [in_parts(v, p) for v, p in zip(view.operands, dims, strict=True)]
    starts = [sum(map(len, parts[:loop])) for loop in range(len(parts))]
    made = rebuild_generic(
        view,
        inputs=operands[: len(view.inputs)],
        inits=operands[len(view.inputs) :],
        maps=[
            ir.AffineMap.get(sum(map(len, parts)), 0, list(_split_access(m, starts, parts)))
            for m in view.maps
        ],
        iterators=[kind for kind, p in zip(view.iterators, parts, strict=True) for _ in p],
    )
    _renumber(made.regions[0].blocks[0], starts)
    return made


def _split_access(
    access: ir.AffineMap, starts: Sequence[int], parts: Sequence[Sequence[int]]
) -> Iterator[ir.AffineExpr]:
    """What an access reads by where loops are in parts; a loop that is used in a sum is whole."""
    moved = [ir.AffineExpr.get_dim(start) for start in starts]
    renaming = ir.AffineMap.get(sum(map(len, parts)), 0, moved)
    for expr in access.results:
        position = dim_position(expr)
        if position is None:
            yield substitute(expr, renaming)
        else:
            yield from (ir.AffineExpr.get_dim(starts[position] + k) for k in range(len(parts[position])))


def _renumber(body: ir.Block, starts: Sequence[int]) -> None:
    """Positions that a body asks for are those of loops that are whole, behind the parts of others."""
    for op in body.operations:
        if op.operation.name == "linalg.index":
            old = ir.IntegerAttr(op.attributes["dim"])
            op.attributes["dim"] = ir.IntegerAttr.get(old.type, starts[old.value])


def _split_slice(op: Any, parts: Sequence[Parts]) -> Any:
    """A slice takes parts of a dimension whole, or one place of them: it is a block of its own size or a place."""
    given = {
        name: list(ir.DenseI64ArrayAttr(op.attributes[f"static_{name}"])) for name in ("offsets", "sizes")
    }
    taken = [
        _in_parts_of_slice(offset, size, p) for offset, size, p in zip(*given.values(), parts, strict=True)
    ]
    offsets, sizes = ([n for pair in taken for n in pair[k]] for k in (0, 1))
    attributes: dict[str, ir.Attribute] = {
        "operandSegmentSizes": op.attributes["operandSegmentSizes"],
        "static_offsets": ir.DenseI64ArrayAttr.get(offsets),
        "static_sizes": ir.DenseI64ArrayAttr.get(sizes),
        "static_strides": ir.DenseI64ArrayAttr.get(
            [n for n, p in zip(ir.DenseI64ArrayAttr(op.attributes["static_strides"]), parts, strict=True)
             for n in ([n] if len(p) == 1 else [1] * len(p))]
        ),
    }  # fmt: skip
    small, large = [size for _, size in taken], list(parts)
    if isinstance(op, tensor.InsertSliceOp):
        operands = [in_parts(op.operands[0], small), in_parts(op.operands[1], large), *list(op.operands)[2:]]
        shape = list(itertools.chain(*large))
    else:
        operands = [in_parts(op.operands[0], large), *list(op.operands)[1:]]
        shape = list(itertools.chain(*small))
    kind = ir.RankedTensorType.get(shape, element_type(op.result.type))
    return ir.Operation.create(op.operation.name, [kind], operands, attributes)


def _sliced(op: Any) -> ir.Value:
    return op.result if isinstance(op, tensor.InsertSliceOp) else op.operands[0]


def _in_parts_of_slice(offset: int, size: int, parts: Parts) -> tuple[Parts, Parts]:
    """Offsets and sizes along the parts of a dimension of a slice that begins at a multiple of its size."""
    if len(parts) == 1:
        return (offset,), (size,)
    strides = [math.prod(parts[k + 1 :]) for k in range(len(parts))]
    return (
        tuple(
            offset // stride % part if size <= stride else 0
            for part, stride in zip(parts, strides, strict=True)
        ),
        tuple(min(part, max(1, size // stride)) for part, stride in zip(parts, strides, strict=True)),
    )


def in_parts(value: ir.Value, parts: Sequence[Parts]) -> ir.Value:
    """A tensor with its dimensions in parts; a scalar as it is."""
    if all(len(p) == 1 for p in parts):
        return value
    shape = list(itertools.chain(*parts))
    found = in_shape(value, shape)
    return reshaped(value, shape) if found is None else found


def _shape(value: ir.Value) -> list[int]:
    return list(ir.RankedTensorType(value.type).shape) if isinstance(value.type, ir.RankedTensorType) else []
