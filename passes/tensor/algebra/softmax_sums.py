"""Divisors that are known to be at least one: the sums that a softmax divides by."""

from __future__ import annotations

from typing import Any

from ....dialects.host import ir
from ....dialects.structured import Structured, structured
from ..reductions import reduction_kinds


def is_softmax_sum(value: ir.Value) -> bool:
    """Whether a tensor has the sums of exp(x - m) along some dimensions, m the greatest of x along them."""
    view = _maker(value)
    if view is None or view.is_parallel() or _combining(view) != ["arith.addf"]:
        return False
    total: Any = view.yielded[0].owner
    terms = [v for v in total.operands if v != view.body.arguments[-1]]
    if len(terms) != 1:
        return False
    power, view = terms[0], _maker_of(view, terms[0]) or view
    power = view.yielded[0] if isinstance(power.owner, ir.Block) else power
    shrunk = _operand(power, "arith.mulf", 0)  # by a power of two, see reshapes/bounded.py
    difference = _operand(power if shrunk is None else shrunk, "math.exp", 0)
    peak = None if difference is None else _operand(difference, "arith.subf", 1)
    maxima = None if peak is None else _maker_of(view, peak)
    if maxima is None or maxima.is_parallel() or _combining(maxima) != ["arith.maximumf"]:
        return False
    return all(v in view.inputs for v in maxima.inputs)


def _combining(view: Structured) -> list[str]:
    return [combiner.operation for combiner in reduction_kinds(view) or []]


def _operand(value: ir.Value, name: str, number: int) -> ir.Value | None:
    """An operand of the operation of that name which makes a scalar."""
    owner: Any = value.owner
    if isinstance(owner, ir.Block) or owner.name != name:
        return None
    return owner.operands[number]


def _maker_of(view: Structured, scalar: ir.Value) -> Structured | None:
    """The operation that makes the tensor an element of which an argument of the body is."""
    arguments: list[Any] = list(view.body.arguments)[: len(view.inputs)]
    return _maker(view.inputs[arguments.index(scalar)]) if scalar in arguments else None


def _maker(value: ir.Value) -> Structured | None:
    """The operation with one result that makes a tensor, if it is a structured one."""
    view = None if isinstance(value.owner, ir.Block) else structured(value.owner)
    return view if view is not None and len(view.inits) == 1 else None
