"""Tensors that are put together of others: slices, insertions and concatenations, of parts at constant offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ....dialects.host import ir
from ....dialects.wse import read
from ....wse_target.layout.accesses import Term, accessed
from ....wse_target.layout.algebra import sliced
from ....wse_target.layout.dimension import Dimension
from ....wse_target.layout.tensor_layout import TensorLayout
from ..scalars.refusals import NoLowering


@dataclass(frozen=True)
class Piece:
    """A tensor in another one: along each dimension its index i is there at `offset + stride * i`.

    Attributes:
        operand: its position among the operation's.
    """

    operand: int
    value: ir.Value
    offsets: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(ir.RankedTensorType(self.value.type).shape)

    def layout(self, whole: TensorLayout) -> TensorLayout | None:
        """What a PE has to hold of the part to fill its tile of the tensor it is in; None where no layout says that."""
        found: TensorLayout | None = whole
        for dim, (size, offset, stride) in enumerate(
            zip(self.shape, self.offsets, self.strides, strict=True)
        ):
            found = sliced(found, dim, offset, size, stride) if found is not None else None
        return found


@dataclass(frozen=True)
class ExtractedSlice:
    """`tensor.extract_slice`: index i of the result is `offset + stride * i` of the source."""

    source: ir.Value
    offsets: tuple[int, ...]
    strides: tuple[int, ...]

    def layout(self, result: TensorLayout) -> TensorLayout | None:
        """What a PE has to hold of the source for its tile of the result; None where no layout says that."""
        shape = ir.RankedTensorType(self.source.type).shape
        dims: list[Dimension] = []
        for dim, size, offset, stride in zip(result.dims, shape, self.offsets, self.strides, strict=True):
            found = Dimension.whole(size) if dim.is_whole else accessed([Term(stride, dim)], offset, size)
            if found is None:
                return None
            dims.append(found)
        return replace(result, dims=tuple(dims))


def cut_of(op: Any) -> ExtractedSlice:
    """What a `tensor.extract_slice` takes."""
    offsets, strides = _places(op)
    return ExtractedSlice(op.operands[0], offsets, strides)


def parts_of(op: Any) -> list[Piece]:
    """What a `tensor.insert_slice` or `tensor.concat` is made of; later parts lie over earlier ones."""
    rank = ir.RankedTensorType(op.results[0].type).rank
    if op.operation.name == "tensor.insert_slice":
        whole = Piece(1, op.operands[1], (0,) * rank, (1,) * rank)
        return [whole, Piece(0, op.operands[0], *_places(op))]
    dim, at, found = read.integer(op.attributes["dim"]), 0, []
    for number, value in enumerate(op.operands):
        part = Piece(number, value, tuple(at if d == dim else 0 for d in range(rank)), (1,) * rank)
        found.append(part)
        at += part.shape[dim]
    return found


def _places(op: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Offsets and strides of a slice.

    Raises:
        PassFailure: they are known only at run time, or the slice leaves dimensions out.
    """
    name = op.operation.name
    part = op.results[0] if name == "tensor.extract_slice" else op.operands[0]
    static: list[Sequence[int]] = [
        list(ir.DenseI64ArrayAttr(op.attributes[f"static_{what}"]))
        for what in ("offsets", "sizes", "strides")
    ]
    if len(op.operands) > (1 if name == "tensor.extract_slice" else 2):
        raise NoLowering(op, f"'{name}' at an offset known only at run time")
    if tuple(static[1]) != tuple(ir.RankedTensorType(part.type).shape):
        raise NoLowering(op, f"'{name}' that changes rank")
    return tuple(static[0]), tuple(static[2])
