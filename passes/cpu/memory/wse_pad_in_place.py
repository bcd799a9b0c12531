"""`wse-pad-in-place`: what is padded is computed inside the padded tensor."""

from __future__ import annotations

from typing import Any

from ....dialects.host import arith, ir, tensor
from ....dialects.structured import PARALLEL, build_generic, replace_op
from ...infra.pass_base import Pass, PassRun
from ...tensor.bufferization.op_model import is_linalg, writes_of
from ...tensor.sizes import Mixed, sizes_of
from ...tensor.traversal import collect

DYNAMIC = ir.ShapedType.get_dynamic_size()


class PadInPlace(Pass, name="wse-pad-in-place", anchor="func.func"):
    """Writes a pad as a border that is filled and a source that is inserted.

    Before:

        %r = tensor.pad %x low[1, 0] high[1, 0] { tensor.yield %zero } : tensor<8x4xf32> to tensor<10x4xf32>

    After:

        %e = tensor.empty() : tensor<10x4xf32>
        %b = tensor.empty() : tensor<2x4xf32>
        %f = linalg.generic ins(%zero) outs(%b) { yield }
        %g = tensor.insert_slice %f into %e[0, 0] [2, 4] [9, 1] : tensor<2x4xf32> into tensor<10x4xf32>
        %r = tensor.insert_slice %x into %g[1, 0] [8, 4] [1, 1] : tensor<8x4xf32> into tensor<10x4xf32>

    `wse-bufferize` then lets `%f` and whatever computes `%x` write their places in `%r`: only the border is filled, and
    no pass over the data is left. Other users of `%x` read it there. A border of one line on both sides is one strided
    slice. Pads that cut off, or whose padding depends on the position, stay.

    It has to run right before `wse-bufferize`: a later `cse` would make one tensor of equal borders, and each but
    the first would be copied.
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for pad in collect(op, lambda o: o.name == "tensor.pad"):
            scalar = _padding(pad)
            if scalar is None or not _grows(pad.opview):
                continue
            with ir.InsertionPoint(pad), pad.location:
                result = _insert(pad.opview, scalar)
            replace_op(pad, [result])
            run.count("pads in place")


def _padding(pad: ir.Operation) -> ir.Value | None:
    """The scalar that is the same at every position; a constant made in the body moves in front of the pad."""
    *body, end = pad.regions[0].blocks[0].operations
    scalar = end.operands[0]
    if not body:
        return None if isinstance(scalar.owner, ir.Block) and scalar.owner == end.operation.block else scalar
    owner: Any = scalar.owner
    if isinstance(owner, ir.Block) or not isinstance(owner, arith.ConstantOp):
        return None
    with ir.InsertionPoint(pad):
        return owner.operation.clone().results[0]


def _grows(pad: Any) -> bool:
    return all(n >= 0 for n in (*pad.static_low, *pad.static_high))


def _insert(pad: Any, scalar: ir.Value) -> ir.Value:
    low, high, inner = list(pad.static_low), list(pad.static_high), _sizes(pad.source)
    kind = ir.RankedTensorType(pad.result.type)
    outer = [
        _plus(size, low[d] + high[d]) if kind.is_dynamic_dim(d) else kind.get_dim_size(d)
        for d, size in enumerate(inner)
    ]
    target = tensor.empty(outer, kind.element_type)
    offsets: Mixed = [0] * kind.rank
    sizes: Mixed = list(outer)
    ones: Mixed = [1] * kind.rank
    for d in range(kind.rank):
        for first, count, step in _border(low[d], high[d], outer[d]):
            window = (_with(offsets, d, first), _with(sizes, d, count), _with(ones, d, step))
            target = _put(_filled(window[1], scalar), target, window)
        offsets[d], sizes[d] = low[d], inner[d]
    return _put(pad.source, target, (low, inner, ones))


def _border(low: int, high: int, size: int | ir.Value) -> list[tuple[int | ir.Value, int, int]]:
    """Offset, number and step of the lines before and behind the source along one dimension."""
    if low == high == 1 and isinstance(size, int):
        return [(0, 2, size - 1)]
    before: list[tuple[int | ir.Value, int, int]] = [(0, low, 1)] if low else []
    return before + ([(_plus(size, -high), high, 1)] if high else [])


def _with(numbers: Mixed, dim: int, number: int | ir.Value) -> Mixed:
    return [number if d == dim else n for d, n in enumerate(numbers)]


def _plus(number: int | ir.Value, more: int) -> int | ir.Value:
    if isinstance(number, int):
        return number + more
    return number if not more else arith.addi(number, arith.constant(ir.IndexType.get(), more))


def _sizes(value: ir.Value) -> Mixed:
    """Sizes of a tensor; dynamic ones as its maker's destination has them, which is known before it is made."""
    kind = ir.RankedTensorType(value.type)
    if kind.has_static_shape:
        return list(kind.shape)
    source = value
    while not isinstance(source.owner, ir.Block):
        op = source.owner.operation
        tied = [w for w in writes_of(op) if w.result == source] if is_linalg(op) else []
        if not tied:
            break
        source = op.operands[tied[0].index]
    owner: Any = source.owner
    if not isinstance(owner, ir.Block) and owner.operation.name == "tensor.empty":
        given = iter(owner.operation.operands)
        return [next(given) if kind.is_dynamic_dim(d) else size for d, size in enumerate(kind.shape)]
    return sizes_of(value)


PaddedWindow = tuple[Mixed, Mixed, Mixed]


def _numbers(window: PaddedWindow) -> tuple[Any, ...]:
    """A window's offsets, sizes and steps as slices take them: dynamic ones, then all with places for those."""
    dynamic = [[n for n in part if not isinstance(n, int)] for part in window]
    static = [[n if isinstance(n, int) else DYNAMIC for n in part] for part in window]
    return (*dynamic, *static)


def _filled(sizes: Mixed, scalar: ir.Value) -> ir.Value:
    rank = len(sizes)
    maps = [ir.AffineMap.get(rank, 0, []), ir.AffineMap.get_identity(rank)]
    place = tensor.empty(sizes, scalar.type)
    return build_generic([scalar], [place], maps, [PARALLEL] * rank, lambda new, _: [new]).results[0]


def _put(source: ir.Value, target: ir.Value, window: PaddedWindow) -> ir.Value:
    return tensor.InsertSliceOp(source, target, *_numbers(window)).result
