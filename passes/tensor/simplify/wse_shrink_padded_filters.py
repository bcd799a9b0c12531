"""`wse-shrink-padded-filters`: a convolution's kernel loses what only ever sees padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....dialects.affine.expressions import dim_position, used_dims
from ....dialects.affine.linear import linear
from ....dialects.host import arith, ir, tensor
from ....dialects.structured import (
    PARALLEL,
    Structured,
    clone_into,
    rebuild_generic,
    replace_op,
    structured,
)
from ...infra.pass_base import Pass, PassRun
from ..contraction.factors import product_factors
from ..padding import is_zero_pad
from ..traversal import collect


class ShrinkPaddedFilters(Pass, name="wse-shrink-padded-filters", anchor="func.func"):
    """Slices the kernels of padded convolutions to the taps that see the image from at least one place.

    Before, on an image of one pixel:

        %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {zero} : tensor<1x8x1x1xf32> to tensor<1x8x3x3xf32>
        %y = linalg.generic {maps = [(n, f, h, w, c, kh, kw) -> (n, c, h + kh, w + kw), -> (f, c, kh, kw), ...]}
               ins(%p, %k : tensor<1x8x3x3xf32>, tensor<16x8x3x3xf32>) ...

    After:

        %s = tensor.extract_slice %k[0, 0, 1, 1] [16, 8, 1, 1] [1, 1, 1, 1]
        %y = linalg.generic {...} ins(%x, %s : tensor<1x8x1x1xf32>, tensor<16x8x1x1xf32>) ...

    The last layers of a network on small images have such kernels, which are its largest: eight of nine weights would
    be read to be multiplied by zero. A weight that is infinite or no number no longer makes the result one where it
    met padding only.
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for generic in collect(op, lambda o: o.name == "linalg.generic"):
            view = structured(generic)
            padded = _padded_operand(view) if view is not None else None
            if view is None or padded is None:
                continue
            trims = _trims(view, padded)
            if trims:
                _trim(view, padded, trims)
                run.count("filters shrunk")
        for pad in collect(op, lambda o: o.name == "tensor.pad"):
            if not list(pad.results[0].uses):
                pad.erase()


@dataclass(frozen=True)
class _Trim:
    """What is left of one dimension of a window.

    Attributes:
        dim: of the padded image; kernel_dim: of the kernel.
        first / count: of the taps that stay; low / high: padding that they still need.
    """

    dim: int
    kernel_dim: int
    first: int
    count: int
    low: int
    high: int


def _padded_operand(view: Structured) -> int | None:
    """The operand of a sum of products that is an image with zeros around it."""
    if product_factors(view) is None or not all(isinstance(v.type, ir.RankedTensorType) for v in view.inputs):
        return None
    return next((k for k, v in enumerate(view.inputs) if is_zero_pad(v)), None)


def _maker(value: Any) -> Any:
    return value.owner.opview


def _trims(view: Structured, padded: int) -> list[_Trim]:
    pad = _maker(view.inputs[padded])
    found = []
    for dim in range(len(view.maps[padded].results)):
        trim = _trim_of(view, padded, dim, pad)
        if trim is not None:
            found.append(trim)
    return found


def _trim_of(view: Structured, padded: int, dim: int, pad: Any) -> _Trim | None:
    """The taps along one dimension, `place * stride + tap * dilation`, that matter; None when all do."""
    low, high = pad.static_low[dim], pad.static_high[dim]
    source = ir.RankedTensorType(pad.source.type)
    form = linear(view.maps[padded].results[dim])
    if form is None or form.constant or source.is_dynamic_dim(dim) or not low + high:
        return None
    sizes = view.loop_sizes()
    taps = [i for i in form.dims if view.iterators[i] != PARALLEL]
    places = [i for i in form.dims if view.iterators[i] == PARALLEL]
    if len(taps) != 1 or len(places) > 1 or any(sizes[i] is None for i in form.dims):
        return None
    (tap,) = taps
    kernel_dims = [d for d, e in enumerate(view.maps[1 - padded].results) if tap in used_dims(e)]
    elsewhere = [e for k, e in enumerate(view.maps[padded].results) if k != dim and tap in used_dims(e)]
    if len(kernel_dims) != 1 or elsewhere:
        return None
    if dim_position(view.maps[1 - padded].results[kernel_dims[0]]) != tap:
        return None
    size, dilation = source.get_dim_size(dim), form.factor(tap)
    stride, count = (form.factor(places[0]), sizes[places[0]] or 0) if places else (1, 1)
    alive = [
        k
        for k in range(sizes[tap] or 0)
        if any(low <= place * stride + k * dilation < low + size for place in range(count))
    ]
    if not alive or dilation <= 0 or stride <= 0:
        return None
    first = min(alive[0], low // dilation)  # no tap begins inside of the image
    kept = alive[-1] + 1 - first
    if kept == sizes[tap]:
        return None
    low -= first * dilation
    extent = (count - 1) * stride + (kept - 1) * dilation + 1
    return _Trim(dim, kernel_dims[0], first, kept, low, max(0, extent - low - size))


def _trim(view: Structured, padded: int, trims: list[_Trim]) -> None:
    op = view.op
    with op.location, ir.InsertionPoint(op):
        inputs = list(view.inputs)
        inputs[padded] = _padded_less(_maker(view.inputs[padded]), trims)
        inputs[1 - padded] = _taps(view.inputs[1 - padded], trims)
        old = list(view.body.arguments)

        def body(*arguments: ir.Value) -> list[ir.Value]:
            mapping: dict[ir.Value, ir.Value] = dict(zip(old, arguments, strict=True))
            clone_into(view.body_operations(), mapping)
            return [mapping.get(v, v) for v in view.yielded]

        made = rebuild_generic(view, inputs, body=body)
    replace_op(op, made.results)


def _padded_less(pad: Any, trims: list[_Trim]) -> ir.Value:
    """The source with the padding that is still needed."""
    low, high = list(pad.static_low), list(pad.static_high)
    for trim in trims:
        low[trim.dim], high[trim.dim] = trim.low, trim.high
    if not any((*low, *high)):
        return pad.source
    source = ir.RankedTensorType(pad.source.type)
    dynamic = ir.ShapedType.get_dynamic_size()
    shape = [
        dynamic if source.is_dynamic_dim(d) else source.get_dim_size(d) + low[d] + high[d]
        for d in range(source.rank)
    ]
    made = tensor.PadOp(ir.RankedTensorType.get(shape, source.element_type), pad.source, [], [], low, high)
    block = made.regions[0].blocks.append(
        *[ir.IndexType.get()] * source.rank, arg_locs=[made.location] * source.rank
    )
    with ir.InsertionPoint(block):
        zero = 0.0 if isinstance(source.element_type, ir.FloatType) else 0
        tensor.YieldOp(arith.constant(source.element_type, zero))
    return made.results[0]


def _taps(kernel: ir.Value, trims: list[_Trim]) -> ir.Value:
    """The part of a kernel that stays."""
    kind = ir.RankedTensorType(kernel.type)
    offsets, sizes = [0] * kind.rank, list(kind.shape)
    for trim in trims:
        offsets[trim.kernel_dim], sizes[trim.kernel_dim] = trim.first, trim.count
    open_sizes = [
        tensor.dim(kernel, arith.constant(ir.IndexType.get(), d))
        for d in range(kind.rank)
        if sizes[d] == ir.ShapedType.get_dynamic_size()
    ]
    result = ir.RankedTensorType.get(sizes, kind.element_type)
    return tensor.ExtractSliceOp(result, kernel, [], open_sizes, [], offsets, sizes, [1] * kind.rank).result
