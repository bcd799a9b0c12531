"""Softmax as its quotient shows it: numerators exp(x - max x), which are at most one, over their sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .....dialects.host import arith, ir
from .....dialects.structured import (
    Structured,
    inline_body,
    rebuild_generic,
    replace_op,
    structured,
)
from ...reductions import reduction_kinds

_UNKNOWN_SIZE_BITS = 24  # a sum of unknown length is taken to have at most 2^24 terms


@dataclass(frozen=True)
class Softmax:
    """What makes the operands of a softmax's quotient, which nothing else reads.

    Attributes:
        powers: the operation that makes the numerators.
        divisor: the argument of the quotient's body that is their sum.
    """

    powers: Structured
    divisor: ir.Value


def find_softmax(quotient: Structured, numerator: int) -> Softmax | None:
    """The softmax whose last step is an operation; None where the numerators may be greater than one.

    Args:
        quotient: an elementwise operation that divides.
        numerator: which input it divides.
    """
    value = quotient.inputs[numerator]
    powers = maker(value)
    others = [k for k in range(len(quotient.inputs)) if k != numerator]
    if powers is None or not _at_most_one(powers) or len(others) != 1:
        return None
    total = quotient.inputs[others[0]]
    sums = maker(total)
    if sums is None or sums.is_parallel() or list(sums.inputs) != [value]:
        return None
    if [kind.operation for kind in reduction_kinds(sums) or []] != ["arith.addf"]:
        return None
    term = sums.body.arguments[0]
    last: Any = sums.yielded[0].owner
    quotient_op: Any = quotient.yielded[0].owner
    if term not in list(last.operands) or _users(total) != 1 or _users(value) != 2:
        return None
    divisor = quotient.body.arguments[others[0]]
    return Softmax(powers, divisor) if _is_clamped(quotient_op.operands[1], divisor) else None


def shrink(softmax: Softmax, terms: int | None) -> float:
    """Makes the numerators so small that as many of them as there are terms add up to one at most.

    Returns:
        What they were multiplied with, a power of two: it changes no digit.
    """
    bits = _UNKNOWN_SIZE_BITS if terms is None else (max(terms, 1) - 1).bit_length()
    scale = 2.0**-bits
    powers = softmax.powers

    def body(*scalars: ir.Value) -> list[ir.Value]:
        (power,) = inline_body(powers.body, scalars)
        return [arith.mulf(power, arith.constant(power.type, scale))]

    with ir.InsertionPoint(powers.op), powers.op.location:
        op = rebuild_generic(powers, body=body)
    replace_op(powers.op, op.results)
    return scale


def maker(value: ir.Value) -> Structured | None:
    """The operation with one result that makes a tensor, if it is a structured one."""
    view = None if isinstance(value.owner, ir.Block) else structured(value.owner)
    return view if view is not None and len(view.inits) == 1 else None


def _at_most_one(view: Structured) -> bool:
    """Whether an operation yields exp(x - m), m at least the greatest of x along some dimensions."""
    power: Any = view.yielded[0].owner
    if not view.is_parallel() or isinstance(power, ir.Block) or power.name != "math.exp":
        return False
    difference: Any = power.operands[0].owner
    if isinstance(difference, ir.Block) or difference.name != "arith.subf":
        return False
    arguments: list[Any] = list(view.body.arguments)[: len(view.inputs)]
    for k, argument in enumerate(arguments):
        if _is_clamped(difference.operands[1], argument):
            maxima = maker(view.inputs[k])
            kinds = [] if maxima is None else [kind.operation for kind in reduction_kinds(maxima) or []]
            return kinds == ["arith.maximumf"] and all(v in view.inputs for v in maxima.inputs)  # type: ignore[union-attr]
    return False


def _is_clamped(value: ir.Value, base: ir.Value) -> bool:
    """Whether a scalar is another one, or the greater of it and a constant."""
    if value == base:
        return True
    op: Any = value.owner
    if isinstance(op, ir.Block):
        return False
    if op.name in ("arith.maximumf", "arith.maxnumf"):
        given = list(op.operands)
        return base in given and any(_is_constant(v) for v in given)
    if op.name != "arith.select":
        return False
    condition, below, above = op.operands
    compare: Any = condition.owner
    if isinstance(compare, ir.Block) or compare.name != "arith.cmpf" or above != base:
        return False
    predicate = arith.CmpFPredicate(ir.IntegerAttr(compare.attributes["predicate"]).value)
    is_less = predicate in (arith.CmpFPredicate.ULT, arith.CmpFPredicate.OLT)
    return is_less and list(compare.operands) == [base, below] and _is_constant(below)


def _is_constant(value: ir.Value) -> bool:
    return not isinstance(value.owner, ir.Block) and value.owner.name == "arith.constant"


def _users(value: ir.Value) -> int:
    return sum(1 for _ in value.uses)
