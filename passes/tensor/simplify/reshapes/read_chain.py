"""Follows a value up through reshapes, slices and copies to what it was made of, and how it is read there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from .....dialects.affine.linear import linear
from .....dialects.host import ir, tensor
from .....dialects.reshapes import reassociation
from .....dialects.structured import Structured, structured
from .digits import DigitSum, add, flattened, unflattened

_WIDENING = "arith.extf"


@dataclass(frozen=True)
class Read:
    """How an operation reads a value.

    Attributes:
        value: the tensor that is read.
        index: the index into each of its dimensions, in digits of the reader's iterators.
        copies: copying operations that the chain has passed so far.
        widened: the type that elements were widened to on the way, if they were.
    """

    value: ir.Value
    index: tuple[DigitSum, ...]
    copies: int = 0
    widened: ir.Type | None = None


def read_chain(start: Read, *, widening: bool) -> list[Read]:
    """The read and its equivalents further up, nearest first.

    Args:
        widening: pass operations that widen too; the reader takes over what they do.
    """
    chain = [start]
    while True:
        above = _step(chain[-1], widening)
        if above is None:
            return chain
        chain.append(above)


def _step(read: Read, widening: bool) -> Read | None:
    owner: Any = read.value.owner
    if isinstance(owner, ir.Block):
        return None
    if isinstance(owner, tensor.ExpandShapeOp):
        return _through_expand(read, owner)
    if isinstance(owner, tensor.CollapseShapeOp):
        return _through_collapse(read, owner)
    if isinstance(owner, tensor.ExtractSliceOp):
        return _through_slice(read, owner)
    view = structured(owner)
    return None if view is None else _through_copy(read, view, widening)


def inner_sizes(shape: Sequence[int | None], group: Sequence[int]) -> list[int] | None:
    """Sizes of all dimensions of a group but the first; None when one is open."""
    sizes = [shape[d] for d in group[1:]]
    return [s for s in sizes if s is not None] if None not in sizes else None


def shape_of(value: ir.Value) -> list[int | None]:
    """Sizes of a tensor, None where they are open."""
    kind = ir.ShapedType(value.type)
    return [None if kind.is_dynamic_dim(d) else kind.get_dim_size(d) for d in range(kind.rank)]


def _through_expand(read: Read, op: Any) -> Read | None:
    shape = shape_of(op.result)
    index: list[DigitSum] = []
    for group in reassociation(op):
        sizes = inner_sizes(shape, group)
        if sizes is None:
            return None
        index.append(flattened([read.index[d] for d in group], sizes))
    return replace(read, value=op.src, index=tuple(index))


def _through_collapse(read: Read, op: Any) -> Read | None:
    shape = shape_of(op.src)
    if not read.index:  # to a scalar: there are no groups, and every dimension has one place
        return replace(read, value=op.src, index=tuple(DigitSum() for _ in shape))
    index: list[DigitSum] = []
    for form, group in zip(read.index, reassociation(op), strict=True):
        sizes = inner_sizes(shape, group)
        parts = None if sizes is None else unflattened(form, sizes)
        if parts is None:
            return None
        index += parts
    return replace(read, value=op.src, index=tuple(index))


def _through_slice(read: Read, op: Any) -> Read | None:
    offsets, sizes, strides = (
        [int(x) for x in getattr(op, f"static_{n}")] for n in ("offsets", "sizes", "strides")
    )
    open_size = ir.ShapedType.get_dynamic_size()
    if any(x == open_size for x in (*offsets, *strides)):
        return None
    kept = kept_dims([None if s == open_size else s for s in sizes], shape_of(op.result))
    if kept is None:
        return None
    index: list[DigitSum] = []
    forms = iter(read.index)
    for d, (offset, stride) in enumerate(zip(offsets, strides, strict=True)):
        form = next(forms).scaled(stride) if d in kept else DigitSum()
        index.append(DigitSum(form.digits, form.constant + offset))
    return replace(read, value=op.source, index=tuple(index))


def kept_dims(sizes: list[int | None], result: list[int | None]) -> set[int] | None:
    """Dimensions of a slice that its result has, when it drops some of size one."""
    kept: set[int] = set()
    wanted = list(result)
    for d, size in enumerate(sizes):
        if wanted and wanted[0] == size:
            kept.add(d)
            wanted.pop(0)
        elif size != 1:
            return None
    return None if wanted else kept


def _through_copy(read: Read, view: Structured, widening: bool) -> Read | None:
    """Through an operation that writes each element of one input, perhaps widened, to one place."""
    if len(view.inits) != 1 or len(view.op.results) != 1 or not view.init_maps[0].is_permutation:
        return None
    moved = _moved(view, widening)
    if moved is None:
        return None
    operand, widened = moved
    loops: list[DigitSum] = [DigitSum()] * len(view.iterators)
    for form, expr in zip(read.index, view.init_maps[0].results, strict=True):
        loops[ir.AffineDimExpr(expr).position] = form
    index = index_forms(view.maps[operand], loops)
    if index is None or not isinstance(view.inputs[operand].type, ir.RankedTensorType):
        return None
    if widened is not None and read.widened is not None:
        return None
    return Read(
        view.inputs[operand],
        tuple(index),
        read.copies + 1,
        widened or read.widened,
    )


def index_forms(access: ir.AffineMap, loops: Sequence[DigitSum]) -> list[DigitSum] | None:
    """The results of a map whose dimensions are given; None when one is not linear."""
    forms: list[DigitSum] = []
    for expr in access.results:
        parts = linear(expr)
        if parts is None or parts.constant < 0 or any(factor < 0 for factor, _ in parts.terms):
            return None
        terms = [loops[d].scaled(parts.factor(d)) for d in parts.dims]
        forms.append(add([*terms, DigitSum((), parts.constant)]))
    return forms


def _moved(view: Structured, widening: bool) -> tuple[int, ir.Type | None] | None:
    """(the input that is copied, the type it is widened to), or None."""
    arguments: list[Any] = list(view.body.arguments)[: len(view.inputs)]
    body = view.body_operations()
    (result,) = view.yielded
    if not body:
        return (arguments.index(result), None) if result in arguments else None
    if not widening or len(body) != 1 or result != body[0].operation.results[0]:
        return None
    op = body[0].operation
    if op.name == _WIDENING and op.operands[0] in arguments:
        return arguments.index(op.operands[0]), op.results[0].type
    return None
