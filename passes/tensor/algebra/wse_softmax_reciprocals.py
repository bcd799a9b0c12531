"""`wse-softmax-reciprocals`: softmax divides once a row, not once an element."""

from __future__ import annotations

from typing import Any

from ....dialects.affine.expressions import dim_position
from ....dialects.host import arith, ir, linalg, tensor
from ....dialects.structured import (
    PARALLEL,
    Structured,
    build_generic,
    clone_into,
    rebuild_generic,
    replace_op,
    structured,
)
from ...infra.pass_base import Pass, PassRun
from ..traversal import collect
from .softmax_sums import is_softmax_sum


class SoftmaxReciprocals(Pass, name="wse-softmax-reciprocals", anchor="func.func"):
    """Replaces f32 quotients by the sum of a softmax with products by its reciprocal, which is computed once a row.

    A division of vectors takes as long as half of an exponential. The result has an error of 1.5 units in the last
    place instead of 0.5, far below that of the sum itself. The sum of exponentials of what is less than the row's
    maximum is at least one: its reciprocal neither overflows nor loses digits. Other quotients stay divisions, for no
    such thing is known of them, and so do those that have no more elements than there are sums.

        %t = linalg.generic {sum of each row} ins(%e) ...
        %y = linalg.generic ins(%e, %t : tensor<8x64xf32>, tensor<8xf32>) { arith.divf %in, %total }
    becomes
        %t = linalg.generic {sum of each row} ins(%e) ...
        %r = linalg.generic ins(%t : tensor<8xf32>) { arith.divf 1.0, %total }
        %y = linalg.generic ins(%e, %r : tensor<8x64xf32>, tensor<8xf32>) { arith.mulf %in, %reciprocal }
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        made: dict[ir.Value, ir.Value] = {}
        for generic in collect(op, lambda o: isinstance(o.opview, linalg.GenericOp)):
            view = structured(generic)
            divisors = _divisors(view) if view is not None else []
            if view is not None and divisors:
                _multiply(view, divisors, made)
                run.count("quotients that became products", len(divisors))


def _divisors(view: Structured) -> list[int]:
    """Inputs that are sums of a softmax and do nothing but divide, each of them several elements."""
    if not view.is_parallel() or any(isinstance(v.type, ir.MemRefType) for v in view.operands):
        return []
    found = []
    for k, (value, access) in enumerate(zip(view.inputs, view.input_maps, strict=True)):
        argument = view.body.arguments[k]
        uses = list(argument.uses)
        divides = [u.owner.operation.name == "arith.divf" and u.operand_number == 1 for u in uses]
        if not uses or not all(divides) or not isinstance(argument.type, ir.F32Type):
            continue
        if len({dim_position(e) for e in access.results} - {None}) == len(view.iterators):
            continue
        if is_softmax_sum(value):
            found.append(k)
    return found


def _multiply(view: Structured, divisors: list[int], made: dict[ir.Value, ir.Value]) -> None:
    """Replaces an operation by one whose divisors come inverted."""
    for value in (view.inputs[k] for k in divisors):
        if value not in made:
            made[value] = _reciprocals(value)
    inputs = [made[v] if k in divisors else v for k, v in enumerate(view.inputs)]
    inverted = [view.body.arguments[k] for k in divisors]

    def body(*arguments: ir.Value) -> list[ir.Value]:
        mapping: dict[ir.Value, Any] = dict(zip(view.body.arguments, arguments, strict=True))
        for op in view.body_operations():
            clone_into([op], mapping)
            if op.operation.name == "arith.divf" and op.rhs in inverted:
                quotient = mapping[op.result]
                mapping[op.result] = arith.mulf(*quotient.owner.operands)
                quotient.owner.operation.erase()
        return [mapping.get(v, v) for v in view.yielded]

    with view.op.location, ir.InsertionPoint(view.op):
        new = rebuild_generic(view, inputs, body=body)
    replace_op(view.op, new.results)


def _reciprocals(value: ir.Value) -> ir.Value:
    """1 / x of all elements, computed behind the operation that makes the tensor."""
    kind = ir.RankedTensorType(value.type)
    identity = ir.AffineMap.get_identity(kind.rank)

    def body(total: ir.Value, _: ir.Value) -> list[ir.Value]:
        return [arith.divf(arith.constant(kind.element_type, 1.0), total)]

    maker: Any = value.owner
    with maker.location, ir.InsertionPoint.after(maker):
        sizes: list[int | ir.Value] = [
            tensor.dim(value, arith.constant(ir.IndexType.get(), d)) if kind.is_dynamic_dim(d) else size
            for d, size in enumerate(kind.shape)
        ]
        init = tensor.empty(sizes, kind.element_type)
        return build_generic([value], [init], [identity, identity], [PARALLEL] * kind.rank, body).results[0]
