"""Sums read narrow floats as they are: additions and multiply-adds of a PE widen them on the way."""

from collections.abc import Sequence
from dataclasses import replace

from .reduction_form import Accumulation
from .values import ElementaryOp, Operand, ScalarBody, ScalarValue, Temp

_FLOAT_BITS = {"f16": 16, "bf16": 16, "f32": 32, "f64": 64}


def read_narrow(
    body: ScalarBody, operands: Sequence[str], accumulations: Sequence[Accumulation | None]
) -> ScalarBody:
    """The body whose additions, and products that are summed, read what was widened for them.

    Conversions stay where they are, even if nothing reads them any more.

    Args:
        operands: element types of the generic's operands.
    """
    products = {a.product for a in accumulations if a is not None}

    def narrow(value: ScalarValue, wide: str) -> ScalarValue:
        if not isinstance(value, Temp) or body.ops[value.index].kind != "convert":
            return value
        (source,) = body.ops[value.index].operands
        if isinstance(source, Operand):
            kind = operands[source.position]
        elif isinstance(source, Temp):
            kind = body.ops[source.index].dtype
        else:
            return value
        return source if _FLOAT_BITS.get(kind, 99) < _FLOAT_BITS.get(wide, 0) else value

    def read(index: int, op: ElementaryOp) -> ElementaryOp:
        if op.kind != "add" and index not in products:
            return op
        return replace(op, operands=tuple(narrow(o, op.dtype) for o in op.operands))

    return ScalarBody(tuple(read(i, op) for i, op in enumerate(body.ops)), body.yielded)
