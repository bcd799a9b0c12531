"""What happens to an element between memory and the product that it is a factor of.

It is widened; a zero point may be subtracted then, and a signed byte may first become an unsigned one, 128 larger, by
a flip of its first bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....dialects.constants import splat_number
from ....dialects.host import ir
from ....dialects.structured import Structured
from ..traversal import made_by

WIDENINGS = ("arith.extf", "arith.extsi", "arith.extui")
_SHIFTS = ("arith.addi", "arith.subi", "arith.xori")  # by a constant
_MULTIPLY_ADDS = (("arith.mulf", "arith.addf"), ("arith.muli", "arith.addi"))


@dataclass(frozen=True)
class FactorStep:
    """An operation on one element: a cast to a wider type, or one with an integer constant at its right."""

    name: str
    element: ir.Type
    constant: int | None = None

    def emit(self, value: ir.Value) -> ir.Value:
        """The operation on an element or a vector of them."""
        kind: ir.Type = self.element
        if isinstance(value.type, ir.VectorType):
            kind = ir.VectorType.get(value.type.shape, self.element)
        operands = [value]
        if self.constant is not None:
            operands.append(splat_number(kind, self.constant))
        return ir.Operation.create(self.name, results=[kind], operands=operands).results[0]


@dataclass(frozen=True)
class Factor:
    """One side of a product: an argument of the body, and what happens to it before it is multiplied."""

    argument: ir.Value
    steps: tuple[FactorStep, ...]

    def emit(self, value: ir.Value) -> ir.Value:
        """What is multiplied, for an element or a vector of them."""
        for step in self.steps:
            value = step.emit(value)
        return value


def product_factors(view: Structured) -> tuple[Factor, Factor] | None:
    """Both inputs of `init + factor(a) * factor(b)`, each term in either place; None when the body is another one."""
    if len(view.inputs) != 2 or len(view.inits) != 1:
        return None
    first, second, init = view.body.arguments
    total = made_by(view.yielded[0])
    for multiply, add in _MULTIPLY_ADDS:
        if total is None or total.name != add or init not in tuple(total.operands):
            continue
        product = made_by(total.operands[1 if total.operands[0] == init else 0])
        if product is None or product.name != multiply or not _used_once(init):
            return None
        one, other = (factor_of(v) for v in product.operands)
        if (one.argument, other.argument) == (first, second):
            return one, other
        return (other, one) if (other.argument, one.argument) == (first, second) else None
    return None


def factor_of(value: ir.Value) -> Factor:
    """The longest chain of steps that leads to a value."""
    steps: list[FactorStep] = []
    while (step := step_of(value)) is not None:
        steps.insert(0, step)
        owner: Any = value.owner
        value = owner.operands[0]
    return Factor(value, tuple(steps))


def step_of(value: ir.Value) -> FactorStep | None:
    """The step that a value is the result of."""
    producer = made_by(value)
    if producer is None:
        return None
    if producer.name in WIDENINGS:
        return FactorStep(producer.name, value.type)
    if producer.name not in _SHIFTS or not isinstance(value.type, ir.IntegerType):
        return None
    constant = made_by(producer.operands[1])
    if constant is None or constant.name != "arith.constant":
        return None
    return FactorStep(producer.name, value.type, ir.IntegerAttr(constant.attributes["value"]).value)


def _used_once(value: ir.Value) -> bool:
    return sum(1 for _ in value.uses) == 1
