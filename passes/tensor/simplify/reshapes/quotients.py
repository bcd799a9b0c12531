"""Rows that are divided before a product are divided after it: softmax's quotient is taken of fewer elements."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from .....dialects.affine.expressions import dim_position
from .....dialects.affine.maps import compose_map, loops_inferable, map_dims
from .....dialects.host import arith, ir, tensor
from .....dialects.structured import (
    PARALLEL,
    REDUCTION,
    Structured,
    build_generic,
    clone_into,
    element_type,
    inline_body,
    replace_op,
    structured,
)
from ....infra.pass_base import PassRun
from ...contraction.form import contraction_form
from ...fuse.cluster import producer_loops
from .bounded import Softmax, find_softmax, shrink
from .read_chain import shape_of
from .reads import starts_from_zero
from .views import open_part


def defer_quotient(view: Structured, run: PassRun) -> bool:
    """Rewrites sum(x / y * z) to sum(x * z) / y where x / y is a softmax along the sum.

    The numerators are at most one; they are made so much smaller that sum(x * z) is finite wherever sum(x / y * z) is.
    Nothing of the kind is known of other quotients. Nobody else may read any part of the softmax.
    """
    form = contraction_form(view)
    if form is None or not starts_from_zero(view):
        return False
    for operand in (form.lhs, form.rhs):
        quotient = _quotient(view, operand, form.reduction)
        softmax = None if quotient is None else find_softmax(*quotient[:2])
        if quotient is not None and softmax is not None and _rebuild(view, operand, *quotient, softmax):
            run.count("quotients deferred")
            return True
    return False


def _quotient(
    view: Structured, operand: int, reduction: Sequence[int]
) -> tuple[Structured, int, ir.AffineMap] | None:
    """(the operation that divides, its input that is the numerator, its iterators in terms of the product's)."""
    value = view.inputs[operand]
    producer = None if isinstance(value.owner, ir.Block) else structured(value.owner)
    if producer is None or sum(1 for _ in value.uses) != 1 or len(producer.inits) != 1:
        return None
    last: Any = producer.yielded[0].owner
    arguments: list[Any] = list(producer.body.arguments)
    if isinstance(last, ir.Block) or last.operation.name != "arith.divf" or last.lhs not in arguments:
        return None
    numerator = arguments.index(last.lhs)
    loops = producer_loops(producer, 0, view.maps[operand])
    if loops is None or not producer.is_parallel() or numerator >= len(producer.inputs):
        return None
    if sum(1 for _ in arguments[numerator].uses) != 1 or producer.reads(len(producer.inputs)):
        return None
    if any(op.operation.name == "linalg.index" for op in producer.body_operations()):
        return None
    for k, access in enumerate(producer.input_maps):
        along = map_dims(compose_map(access, loops))
        if k != numerator and along & set(reduction):
            return None
    return producer, numerator, loops


def _rebuild(
    view: Structured,
    operand: int,
    quotient: Structured,
    numerator: int,
    loops: ir.AffineMap,
    softmax: Softmax,
) -> bool:
    maps = list(view.maps)
    maps[operand] = compose_map(quotient.maps[numerator], loops)
    if not loops_inferable(maps, len(view.iterators)):
        return False
    summed = [n for n, kind in zip(view.loop_sizes(), view.iterators, strict=True) if kind == REDUCTION]
    sizes = [n for n in summed if n is not None]
    scale = shrink(softmax, prod(sizes) if len(sizes) == len(summed) else None)
    quotient = structured(quotient.op) or quotient
    inputs = list(view.inputs)
    inputs[operand] = quotient.inputs[numerator]
    rest = [k for k in range(len(quotient.inputs)) if k != numerator]
    with ir.InsertionPoint(view.op), view.op.location:
        product = build_generic(
            inputs,
            view.inits,
            maps,
            view.iterators,
            lambda *scalars: inline_body(view.body, scalars),
            location=view.op.location,
        ).results[0]
        result = _divide(product, view, quotient, numerator, rest, loops, scale)
    replace_op(view.op, [result])
    return True


def _divide(
    product: ir.Value,
    view: Structured,
    quotient: Structured,
    numerator: int,
    rest: Sequence[int],
    loops: ir.AffineMap,
    scale: float,
) -> ir.Value:
    written = [dim_position(e) for e in view.init_maps[0].results]
    rank = len(written)
    to_result = [
        ir.AffineExpr.get_dim(written.index(i)) if i in written else ir.AffineExpr.get_constant(0)
        for i in range(len(view.iterators))
    ]
    inner = ir.AffineMap.get(rank, 0, to_result)
    reads = [compose_map(compose_map(quotient.maps[k], loops), inner) for k in rest]
    identity = ir.AffineMap.get_identity(rank)
    sizes = [open_part(product, d, 1) if s is None else s for d, s in enumerate(shape_of(product))]
    empty = tensor.empty(sizes, element_type(product.type))

    def body(total: ir.Value, *others: ir.Value) -> list[ir.Value]:
        arguments = list(quotient.body.arguments)
        mapping: dict[ir.Value, Any] = {arguments[numerator]: total}
        mapping |= {arguments[k]: v for k, v in zip(rest, others, strict=False)}
        operations = quotient.body_operations()
        last: Any = operations[-1]
        if len(operations) == 1:  # both are as much smaller
            return [arith.divf(total, mapping[last.rhs])]
        for argument in (arguments[k] for k in rest):
            mapping[argument] = arith.mulf(mapping[argument], arith.constant(total.type, 1 / scale))
        clone_into(operations[:-1], mapping)
        divisor = arith.mulf(mapping[last.rhs], arith.constant(total.type, scale))
        return [arith.divf(total, divisor)]

    op = build_generic(
        [product, *(quotient.inputs[k] for k in rest)],
        [empty],
        [identity, *reads, identity],
        [PARALLEL] * rank,
        body,
        location=quotient.op.location,
    )
    return op.results[0]
