"""What a scalar body costs to evaluate again, and what may be evaluated elsewhere at all."""

from __future__ import annotations

from typing import Any

from ....dialects.affine.maps import distinct_dims
from ....dialects.host import ir
from ....dialects.structured import Structured

# Bodies made of these may be evaluated in another loop nest; calls or stores may not.
_PURE_PREFIXES = (
    "arith.",
    "math.",
    "complex.",
    "affine.apply",
    "linalg.index",
    "tensor.extract",
    "cf.assert",
)
# They trap when the divisor is zero: never to be evaluated where the program does not
INTEGER_DIVISIONS = frozenset(
    f"arith.{name}" for name in ("divsi", "divui", "remsi", "remui", "floordivsi", "ceildivsi", "ceildivui")
)
_EXPENSIVE = INTEGER_DIVISIONS | {"arith.divf", "arith.remf", "tensor.extract", "cf.assert"}
_CHEAP_MATH = frozenset({"math.absf", "math.absi", "math.fma", "math.copysign"})
# They cost nothing: constants are hoisted, indices are loop counters.
_FREE = frozenset({"arith.constant", "linalg.index", "affine.apply"})


def is_movable(body: list[Any]) -> bool:
    """Whether a scalar body may be evaluated inside another operation."""
    return all(op.operation.name.startswith(_PURE_PREFIXES) and not len(op.regions) for op in body)


def arithmetic_ops(body: list[Any]) -> int | None:
    """Number of scalar operations that cost something, or None when one is expensive (division, exp, a gather)."""
    names = [op.operation.name for op in body]
    if any(n in _EXPENSIVE or (n.startswith("math.") and n not in _CHEAP_MATH) for n in names):
        return None
    return sum(n not in _FREE for n in names)


def is_cheap(body: list[Any], limit: int) -> bool:
    """Whether evaluating a body again is no worse than `limit` simple operations."""
    cost = arithmetic_ops(body)
    return cost is not None and cost <= limit


def visits_once(access: ir.AffineMap, sizes: tuple[int | None, ...]) -> bool:
    """Whether every element is read in one iteration only, so that computing it there repeats nothing.

    Args:
        access: the map of the read.
        sizes: trip counts of the loops; a loop of one iteration repeats nothing.
    """
    plain = distinct_dims(access.results)
    return plain is not None and all(d in plain for d, size in enumerate(sizes) if size != 1)


def tensor_inputs(view: Structured) -> int:
    """Number of inputs as large as the result: what evaluating the body again reads from memory."""
    return sum(m.n_dims > 0 and len(m.results) == m.n_dims for m in view.input_maps)
