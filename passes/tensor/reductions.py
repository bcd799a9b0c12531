"""Reductions that may be carried out in any order: each init combined with a value by one operation."""

from __future__ import annotations

from dataclasses import dataclass

from ...dialects.host import ir
from ...dialects.structured import Structured

# combining operation of a reduction -> (kind of vector.reduction, neutral element)
_COMBINERS: dict[str, tuple[str, float | str]] = {
    "arith.addf": ("add", 0.0),
    "arith.mulf": ("mul", 1.0),
    "arith.maximumf": ("maximumf", "-inf"),
    "arith.minimumf": ("minimumf", "+inf"),
    "arith.addi": ("add", 0),
    "arith.muli": ("mul", 1),
    "arith.maxsi": ("maxsi", "min"),
    "arith.minsi": ("minsi", "max"),
    "arith.maxui": ("maxui", 0),
    "arith.minui": ("minui", -1),
    "arith.ori": ("or", 0),
    "arith.andi": ("and", -1),
}


@dataclass(frozen=True)
class Combiner:
    """How one result of a reduction combines: operation name, `vector.reduction` kind, neutral element."""

    operation: str
    kind: str
    neutral: float | str

    def neutral_attribute(self, element: ir.Type) -> ir.Attribute:
        if isinstance(element, ir.FloatType):
            return ir.FloatAttr.get(element, float(self.neutral))
        bits = ir.IntegerType(element).width
        if self.neutral == "min":
            return ir.IntegerAttr.get(element, -(1 << (bits - 1)))
        if self.neutral == "max":
            return ir.IntegerAttr.get(element, (1 << (bits - 1)) - 1)
        return ir.IntegerAttr.get(element, int(self.neutral))


def reduction_kinds(view: Structured) -> list[Combiner] | None:
    """The combiner of every result, or None when some result is not a plain reduction of its init.

    Plain means `yield combine(init, x)` where `x` does not read any init: then lanes may be reduced
    separately and combined at the end.
    """
    inits = list(view.body.arguments)[len(view.inputs) :]
    found = []
    for init, result in zip(inits, view.yielded, strict=True):
        producer = result.owner
        if isinstance(producer, ir.Block) or producer.name not in _COMBINERS:
            return None
        if sum(1 for _ in init.uses) != 1 or init not in list(producer.operands):
            return None
        if isinstance(result.type, (ir.IndexType, ir.F16Type, ir.BF16Type)):
            return None  # narrow floats are widened operation by operation, and lanes have none
        if sum(1 for _ in result.uses) != 1:
            return None
        kind, neutral = _COMBINERS[producer.name]
        found.append(Combiner(producer.name, kind, neutral))
    return found


def plain_reduction(view: Structured) -> Combiner | None:
    """The combiner of an operation that does nothing but combine the elements of one input; None for others."""
    kinds = reduction_kinds(view) if len(view.inits) == 1 else None
    if kinds is None or len(view.body_operations()) != 1:
        return None
    read = [argument for k, argument in enumerate(view.body.arguments) if view.reads(k)]
    operands = list(view.body_operations()[0].operands)
    return kinds[0] if len(read) == 2 and all(argument in operands for argument in read) else None
