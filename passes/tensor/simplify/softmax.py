"""`linalg.softmax` as the four loop nests it stands for."""

from __future__ import annotations

from ....dialects.host import arith, ir, linalg, math, tensor
from ....dialects.structured import PARALLEL, REDUCTION, build_generic, replace_op
from ...infra.diagnostics import PassFailure


def decompose_softmax(op: ir.Operation) -> None:
    """Replaces a `linalg.softmax` on tensors by maximum, exponential of the difference, sum and quotient.

    Raises:
        PassFailure: the operation is on memrefs.
    """
    source, init = op.operands
    if not isinstance(source.type, ir.RankedTensorType):
        raise PassFailure(
            op, "linalg.softmax on memrefs cannot be generalised", hint="run before bufferization"
        )
    axis = ir.IntegerAttr(op.attributes["dimension"]).value
    rank, element = source.type.rank, source.type.element_type
    full = ir.AffineMap.get_identity(rank)
    kept = full.get_submap([d for d in range(rank) if d != axis])
    iterators = [REDUCTION if d == axis else PARALLEL for d in range(rank)]
    parallel = [PARALLEL] * rank
    with op.location, ir.InsertionPoint(op):
        lowest = arith.constant(element, ir.FloatAttr.get(element, float("-inf")))
        zero = arith.constant(element, ir.FloatAttr.get(element, 0.0))
        start = _reduced_empty(source, axis)
        peak_init = linalg.fill(lowest, outs=[start])
        sum_init = linalg.fill(zero, outs=[start])
        peak = build_generic(
            [source], [peak_init], [full, kept], iterators, lambda x, m: [arith.maximumf(x, m)]
        ).result
        powers = build_generic(
            [source, peak],
            [init],
            [full, kept, full],
            parallel,
            lambda x, m, _: [math.exp(arith.subf(x, m))],
        ).result
        total = build_generic(
            [powers], [sum_init], [full, kept], iterators, lambda x, s: [arith.addf(x, s)]
        ).result
        quotient = build_generic(
            [powers, total], [init], [full, kept, full], parallel, lambda x, s, _: [arith.divf(x, s)]
        )
    replace_op(op, [quotient.result])


def _reduced_empty(source: ir.Value, axis: int) -> ir.Value:
    """An empty tensor of the source's shape without dimension `axis`."""
    shaped = ir.ShapedType(source.type)
    sizes: list[int | ir.Value] = []
    for d in range(shaped.rank):
        if d == axis:
            continue
        if shaped.is_dynamic_dim(d):
            sizes.append(tensor.dim(source, arith.constant(ir.IndexType.get(), d)))
        else:
            sizes.append(shaped.get_dim_size(d))
    return tensor.empty(sizes, shaped.element_type)
