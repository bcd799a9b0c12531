"""Recognises reductions that can be carried out in any order: each init combined with a value by one operation."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ....wse_target.kinds import KINDS, neutral_number
from .values import Operand, ScalarBody, ScalarValue, Temp

# Sums over all places of a table, of which one counts (see `shard/owned.py`).
OWNED = {f"owned {kind}": kind for kind in ("add", "or")}
_OF_BITS = {"and": "min", "or": "max"}  # what they are of i1
_ANY_ORDER = {name for name in KINDS if neutral_number(name) is not None} | set(_OF_BITS)


@dataclass(frozen=True)
class Accumulation:
    """`init = kind(init, value)`, done by operation `at`; of a product's sum, `factors` are the product's.

    Attributes:
        product: position of the multiplication that feeds only this sum, None when there is none.
    """

    kind: str
    at: int
    value: ScalarValue
    product: int | None = None
    factors: tuple[ScalarValue, ScalarValue] | None = None


def uses(body: ScalarBody) -> Counter[ScalarValue]:
    """How often each value is used, by operations and by the yield."""
    counts: Counter[ScalarValue] = Counter(body.yielded)
    for op in body.ops:
        counts.update(op.operands)
    return counts


def accumulations(body: ScalarBody, inputs: int) -> list[Accumulation | None]:
    """Per init, how it is accumulated; None where the body is not of that form.

    Args:
        inputs: number of the generic's inputs; init r is `Operand(inputs + r)`.
    """
    counts = uses(body)
    return [_accumulation(body, inputs + r, y, counts) for r, y in enumerate(body.yielded)]


def _accumulation(
    body: ScalarBody, position: int, yielded: ScalarValue, counts: Counter[ScalarValue]
) -> Accumulation | None:
    init = Operand(position)
    if not isinstance(yielded, Temp) or counts[yielded] != 1 or counts[init] != 1:
        return None
    op = body.ops[yielded.index]
    if op.kind in OWNED:
        return Accumulation(OWNED[op.kind], yielded.index, yielded)
    if op.kind not in _ANY_ORDER:
        return None
    if init not in op.operands:
        return None
    value = op.operands[1] if op.operands[0] == init else op.operands[0]
    if op.kind == "add" and isinstance(value, Temp) and counts[value] == 1:
        product = body.ops[value.index]
        if product.kind == "mul" and product.dtype == op.dtype:
            factors = (product.operands[0], product.operands[1])
            return Accumulation("add", yielded.index, value, value.index, factors)
    return Accumulation(op.kind, yielded.index, value)


def is_neutral(kind: str, number: float | int, dtype: str) -> bool:
    """Whether combining with `number` by `kind` changes nothing in `dtype`."""
    bits = int(dtype[1:]) if dtype.startswith("i") else 0
    if kind in _OF_BITS and bits != 1:
        return False
    return number == neutral_number(combine_kind(kind), bits)


def combine_kind(kind: str) -> Any:
    """The combination of a collective that does what operation `kind` does (i1 and / or are min / max)."""
    return _OF_BITS.get(kind, kind)
