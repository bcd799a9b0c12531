"""What happens to an element between memory and the product that it is a factor of.

It is widened, and before that a signed byte may have become an unsigned one, 128 larger, by a flip of its first bit.
"""

from __future__ import annotations

from dataclasses import dataclass

from ....dialects.host import arith, ir
from ....dialects.structured import Structured

WIDENINGS = ("arith.extf", "arith.extsi", "arith.extui")
_MULTIPLY_ADDS = (("arith.mulf", "arith.addf"), ("arith.muli", "arith.addi"))
_FLIP = -128


@dataclass(frozen=True)
class Factor:
    """One side of a product.

    Attributes:
        argument: of the body.
        is_flipped: whether the first bit of a byte is inverted.
        casts: names and result types of the casts to wider elements that follow.
    """

    argument: ir.Value
    is_flipped: bool
    casts: tuple[tuple[str, ir.Type], ...]

    def emit(self, value: ir.Value) -> ir.Value:
        """What is multiplied, for an element or a vector of them."""
        if self.is_flipped:
            value = arith.xori(value, flip_of(value.type))
        for name, element in self.casts:
            kind = value.type
            result = ir.VectorType.get(kind.shape, element) if isinstance(kind, ir.VectorType) else element
            value = ir.Operation.create(name, results=[result], operands=[value]).results[0]
        return value


def flip_of(kind: ir.Type) -> ir.Value:
    """The number that inverts the first bit of a byte, or of each byte of a vector."""
    if not isinstance(kind, ir.VectorType):
        return arith.constant(kind, _FLIP)
    element = ir.IntegerAttr.get(kind.element_type, _FLIP)
    return arith.constant(kind, ir.DenseElementsAttr.get_splat(kind, element))


def product_factors(view: Structured) -> tuple[Factor, Factor] | None:
    """Both inputs of `init + widen(a) * widen(b)`, each term in either place; None when the body is something else."""
    if len(view.inputs) != 2 or len(view.inits) != 1:
        return None
    first, second, init = view.body.arguments
    total = _producer(view.yielded[0])
    for multiply, add in _MULTIPLY_ADDS:
        if total is None or total.name != add or init not in tuple(total.operands):
            continue
        product = _producer(total.operands[1 if total.operands[0] == init else 0])
        if product is None or product.name != multiply or not _used_once(init):
            return None
        one, other = (_factor(v) for v in product.operands)
        if (one.argument, other.argument) == (first, second):
            return one, other
        return (other, one) if (other.argument, one.argument) == (first, second) else None
    return None


def _factor(value: ir.Value) -> Factor:
    """What a value is made of, from its last operation back to the first."""
    casts: list[tuple[str, ir.Type]] = []
    producer = _producer(value)
    while producer is not None and producer.name in WIDENINGS:
        casts.insert(0, (producer.name, value.type))
        value = producer.operands[0]
        producer = _producer(value)
    if producer is not None and is_flip(producer):
        return Factor(producer.operands[0], True, tuple(casts))
    return Factor(value, False, tuple(casts))


def is_flip(op: ir.OpView | ir.Operation) -> bool:
    """Whether an operation inverts the first bit of a byte; adding 128 does the same."""
    if op.name not in ("arith.xori", "arith.addi") or op.results[0].type != ir.IntegerType.get_signless(8):
        return False
    constant = _producer(op.operands[1])
    return (
        constant is not None
        and constant.name == "arith.constant"
        and ir.IntegerAttr(constant.attributes["value"]).value == _FLIP
    )


def _producer(value: ir.Value) -> ir.OpView | None:
    return None if isinstance(value.owner, ir.Block) else value.owner


def _used_once(value: ir.Value) -> bool:
    return sum(1 for _ in value.uses) == 1
