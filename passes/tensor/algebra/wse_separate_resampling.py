"""`wse-separate-resampling`: interpolation by computed indices becomes sums over neighbours, a dimension each."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from math import prod
from typing import Any

import numpy as np

from ....dialects.host import arith, ir, tensor
from ....dialects.structured import PARALLEL, Structured, build_generic, clone_into, replace_op, structured
from ...infra.pass_base import Pass, PassRun
from ..scalar_eval import NotEvaluable
from ..traversal import collect
from .resampling.axes import ResampledAxis, Resampling, find_resampling

_SCATTERED = 3  # what reading elements that do not lie side by side costs more


class SeparateResampling(Pass, name="wse-separate-resampling", anchor="func.func"):
    """Makes resampling (nearest, bilinear, bicubic, with any rule for corners) plain loops over affine accesses.

    Importers leave bodies behind that compute indices and weights for each element. Where sizes are known, both are
    computed here: the weights of an element are the product of its weights along each dimension, and along a dimension
    its neighbours begin at a straight line, rounded down. Each dimension is then interpolated by an operation of its
    own, in the order that needs the fewest scattered reads; copies are one operation.

        %y = linalg.generic outs(%e : tensor<64x56xf32>) {
          %i = linalg.index 1 ... arith.divf, math.floor, arith.fptosi ...
          yield tensor.extract %x[%n, %i']
        }
    becomes
        %y = linalg.generic {maps = [(n, i) -> (n, i floordiv 2), (n, i) -> (n, i)]} ins(%x) { yield }
    and a linear interpolation
        %y = linalg.generic {maps = [(n, i) -> (n, i * 26 floordiv 53), (n, i) -> (n, i * 26 floordiv 53 + 1),
                                     (n, i) -> (i), (n, i) -> (i), (n, i) -> (n, i)]}
               ins(%x, %x, %a, %b) { yield x0 * a + x1 * b }

    What follows the interpolation in the same body stays an operation that reads its result. Left alone: sizes known
    at run time only, weights that are no product or do not add up to one, more than eight neighbours, and
    interpolations of narrow floats.
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for generic in collect(op, lambda o: o.name == "linalg.generic" and len(o.results) == 1):
            view = structured(generic)
            if view is None or not _gathers(view):
                continue
            try:
                found = find_resampling(view)
            except NotEvaluable as reason:
                run.remark(generic, f"not separated: {reason} cannot be evaluated at compile time")
                continue
            if found is not None and _has_wide_elements(found):
                _rewrite(view, found)
                run.count("resamplings separated")


def _gathers(view: Structured) -> bool:
    if view.reads(len(view.inputs)) or not view.init_maps[0].is_permutation:
        return False
    return any(op.operation.name == "tensor.extract" for op in view.body_operations())


def _has_wide_elements(found: Resampling) -> bool:
    """Whether elements are copied, or computed in the type that they have."""
    if all(axis.is_copy for axis in found.axes):
        return True
    kind = ir.RankedTensorType(found.source.type).element_type
    return isinstance(kind, ir.F32Type | ir.F64Type) and found.root.type == kind


def _rewrite(view: Structured, found: Resampling) -> None:
    with ir.InsertionPoint(view.op), view.op.location:
        value = found.source
        copies = tuple(axis for axis in found.axes if axis.is_copy)
        others = tuple(axis for axis in found.axes if not axis.is_copy)
        steps = [*([copies] if copies else []), *((axis,) for axis in _cheapest(value, others))]
        for axes in steps:
            value = _interpolate(value, axes)
        result = _finish(view, found, value)
    replace_op(view.op, [result])


def _cheapest(value: ir.Value, axes: tuple[ResampledAxis, ...]) -> tuple[ResampledAxis, ...]:
    """The axes in the order that takes the least work: elements made, scattered reads counted several times."""
    shape = tuple(ir.ShapedType(value.type).shape)

    def work(order: tuple[ResampledAxis, ...]) -> int:
        sizes, total = list(shape), 0
        for axis in order:
            sizes[axis.dim] = axis.weights.shape[1]
            scattered = _SCATTERED if axis.dim == len(shape) - 1 else 1
            total += prod(sizes) * scattered
        return total

    return min(permutations(axes), key=work)


def _interpolate(value: ir.Value, axes: tuple[ResampledAxis, ...]) -> ir.Value:
    """The tensor resampled along some dimensions: copies along several, a weighted sum along one."""
    kind = ir.RankedTensorType(value.type)
    copies = all(axis.is_copy for axis in axes)
    shape = list(kind.shape)
    for axis in axes:
        shape[axis.dim] = axis.line.count
    rank, taps = len(shape), range(len(axes[0].weights))
    inputs, maps = [], []
    for tap in taps:
        source, access = _read(value, axes, tap)
        inputs.append(source)
        maps.append(ir.AffineMap.get(rank, 0, access))
    if copies and maps[0] == ir.AffineMap.get_identity(rank):
        return inputs[0]
    if not copies:
        inputs += [_constant(row, kind.element_type) for row in axes[0].weights]
        if axes[0].spoilt.any():
            inputs.append(_constant(np.where(axes[0].spoilt, 0.0, np.nan), kind.element_type))
        along = ir.AffineMap.get(rank, 0, [ir.AffineExpr.get_dim(axes[0].dim)])
        maps += [along] * (len(inputs) - len(taps))
    generic = build_generic(
        inputs,
        [tensor.empty(shape, kind.element_type)],
        [*maps, ir.AffineMap.get_identity(rank)],
        [PARALLEL] * rank,
        _first if copies else _weighted_sum([bool(np.isnan(row).any()) for row in axes[0].weights]),
        location=ir.Location.current,
    )
    return generic.results[0]


def _read(value: ir.Value, axes: tuple[ResampledAxis, ...], tap: int) -> tuple[ir.Value, list[ir.AffineExpr]]:
    """What a neighbour is read from, and where; a stretch of neighbours that lie side by side is a slice."""
    shape = list(ir.ShapedType(value.type).shape)
    access: list[ir.AffineExpr] = [ir.AffineExpr.get_dim(d) for d in range(len(shape))]
    offsets, sizes = [0] * len(shape), list(shape)
    for axis in axes:
        if axis.line.is_stretch:
            offsets[axis.dim], sizes[axis.dim] = axis.line.offset + tap, axis.line.count
        else:
            access[axis.dim] = axis.line.expression(access[axis.dim], tap)
    if sizes == shape:
        return value, access
    kind = ir.RankedTensorType.get(sizes, ir.RankedTensorType(value.type).element_type)
    window = tensor.ExtractSliceOp(kind, value, [], [], [], offsets, sizes, [1] * len(shape))
    return window.result, access


def _first(*scalars: ir.Value) -> list[ir.Value]:
    return [scalars[0]]


def _weighted_sum(partly_read: list[bool]) -> Callable[..., list[ir.Value]]:
    """The sum of elements times weights; of neighbours that not every point reads, those that have a weight."""

    def body(*scalars: ir.Value) -> list[ir.Value]:
        taps = len(partly_read)
        total: ir.Value | None = None
        for element, weight, partly in zip(
            scalars[:taps], scalars[taps : 2 * taps], partly_read, strict=True
        ):
            term = arith.mulf(element, weight)
            if partly:  # zero times a NaN that the point does not read would be NaN
                is_read = arith.cmpf(arith.CmpFPredicate.ORD, weight, weight)
                term = arith.select(is_read, term, _zero(term.type))
            total = term if total is None else arith.addf(term, total)
        assert total is not None
        if len(scalars) <= 2 * taps + 1:
            return [total]
        # plus zero times it, at the points where it is zero times an element that is read
        zero = scalars[2 * taps]
        spoilt = arith.addf(total, arith.mulf(total, zero))
        return [arith.select(arith.cmpf(arith.CmpFPredicate.ORD, zero, zero), spoilt, total)]

    return body


def _zero(kind: ir.Type) -> ir.Value:
    return arith.constant(kind, ir.FloatAttr.get(kind, 0.0))


def _constant(row: np.ndarray, element: ir.Type) -> ir.Value:
    array: Any = np.ascontiguousarray(row, np.float64 if isinstance(element, ir.F64Type) else np.float32)
    kind = ir.RankedTensorType.get([len(row)], element)
    return arith.constant(kind, ir.DenseElementsAttr.get(array, type=kind))


def _finish(view: Structured, found: Resampling, value: ir.Value) -> ir.Value:
    """What the body does with the resampled element."""
    rank = len(view.iterators)
    access = ir.AffineMap.get(rank, 0, [ir.AffineExpr.get_dim(loop) for loop in found.loops])
    if view.yielded[0] == found.root and access == view.init_maps[0]:
        return value
    needed = _needed(view, found.root)
    kept = [k for k, argument in enumerate(view.body.arguments) if argument in needed]

    def body(*scalars: ir.Value) -> list[ir.Value]:
        mapping: dict[ir.Value, ir.Value] = {found.root: scalars[-2]}
        for k, scalar in zip(kept, scalars, strict=False):
            mapping[view.body.arguments[k]] = scalar
        clone_into([o for o in view.body_operations() if o.operation.results[0] in needed], mapping)
        return [mapping.get(view.yielded[0], view.yielded[0])]

    generic = build_generic(
        [*(view.inputs[k] for k in kept), value],
        view.inits,
        [*(view.maps[k] for k in kept), access, *view.init_maps],
        view.iterators,
        body,
        location=view.op.location,
    )
    return generic.results[0]


def _needed(view: Structured, root: ir.Value) -> set[ir.Value]:
    """Values that the result is computed from when the root is known, without the root itself."""
    needed = {view.yielded[0]} - {root}
    for op in reversed(view.body_operations()):
        if op.operation.results[0] in needed:
            needed |= set(op.operation.operands) - {root}
    return needed
