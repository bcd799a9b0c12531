"""The elementary operations that a PE's vector instruction can perform: all that is known of each, in one table.

What they compute in detail, on which types, is in `sim/arithmetic.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .elementary import dense, divide, erf, maximum, minimum, power, remainder, rsqrt, same, sigmoid

_INFINITY = float("inf")


@dataclass(frozen=True)
class Kind:
    """An elementary operation.

    Attributes:
        sources: how many it has.
        evaluate: on arrays of one type; None for those that depend on the destination or on the position.
        operations: of `arith` and `math` that mean it, that on floats first; none for what is put together here alone.
        rate: the entry of a machine file's `[rates]` that gives the cost of an element.
        accumulates: whether the destination may have stride 0 in a loop; all but `fma` then name it as first source.
        neutral: the float that changes nothing, of those that are combined in any order.
        compares: whether the result is an i1, of sources of any type.
        is_function: whether it needs floats, and is as good as the library that computes it.
    """

    sources: int
    evaluate: Callable[..., Any] | None
    operations: tuple[str, ...] = ()
    rate: str = "add"
    accumulates: bool = False
    neutral: float | None = None
    compares: bool = False
    is_function: bool = False


def _function(evaluate: Callable[..., Any], *operations: str, rate: str = "transcendental") -> Kind:
    return Kind(1, evaluate, operations, rate, is_function=True)


def _comparison(evaluate: Callable[..., Any]) -> Kind:
    return Kind(2, evaluate, compares=True)


_CONVERSIONS = (
    "arith.extf", "arith.truncf", "arith.sitofp", "arith.fptosi", "arith.extsi", "arith.trunci", "arith.index_cast",
)  # fmt: skip

KINDS: dict[str, Kind] = {
    "fill": Kind(1, same, rate="fill"),
    "copy": Kind(1, same, rate="copy"),
    "convert": Kind(1, same, _CONVERSIONS, "convert"),
    "add": Kind(2, np.add, ("arith.addf", "arith.addi"), accumulates=True, neutral=0.0),
    "sub": Kind(2, np.subtract, ("arith.subf", "arith.subi")),
    "mul": Kind(2, np.multiply, ("arith.mulf", "arith.muli"), "mul", accumulates=True, neutral=1.0),
    "div": Kind(2, divide, ("arith.divf", "arith.divsi"), "divide"),
    "max": Kind(2, maximum, ("arith.maximumf", "arith.maxsi"), accumulates=True, neutral=-_INFINITY),
    "min": Kind(2, minimum, ("arith.minimumf", "arith.minsi"), accumulates=True, neutral=_INFINITY),
    "rem": Kind(2, remainder, ("arith.remf", "arith.remsi"), "divide"),
    "pow": Kind(2, power, ("math.powf",), "transcendental"),
    "fma": Kind(2, None, (), "fma", accumulates=True),  # dst = dst + src0 * src1
    "neg": Kind(1, np.negative, ("arith.negf",)),
    "abs": Kind(1, np.abs, ("math.absf", "math.absi")),
    "floor": Kind(1, np.floor, ("math.floor",)),
    "ceil": Kind(1, np.ceil, ("math.ceil",)),
    "round": Kind(1, np.rint, ("math.roundeven",)),
    "exp": _function(dense(np.exp), "math.exp"),
    "exp2": _function(dense(np.exp2), "math.exp2"),
    "expm1": _function(dense(np.expm1), "math.expm1"),
    "log": _function(dense(np.log), "math.log"),
    "log1p": _function(dense(np.log1p), "math.log1p"),
    "log2": _function(dense(np.log2), "math.log2"),
    "sqrt": _function(np.sqrt, "math.sqrt", rate="square_root"),
    "rsqrt": _function(rsqrt, "math.rsqrt", rate="square_root"),
    "tanh": _function(dense(np.tanh), "math.tanh"),
    "erf": _function(erf, "math.erf"),
    "sin": _function(dense(np.sin), "math.sin"),
    "cos": _function(dense(np.cos), "math.cos"),
    "sigmoid": _function(sigmoid),
    "and": Kind(2, np.bitwise_and, ("arith.andi",), accumulates=True),
    "or": Kind(2, np.bitwise_or, ("arith.ori",), accumulates=True),
    "xor": Kind(2, np.bitwise_xor, ("arith.xori",)),
    "eq": _comparison(np.equal),
    "ne": _comparison(np.not_equal),
    "lt": _comparison(np.less),
    "le": _comparison(np.less_equal),
    "gt": _comparison(np.greater),
    "ge": _comparison(np.greater_equal),
    "select": Kind(3, np.where, ("arith.select",)),  # src0 ? src1 : src2
    "iota": Kind(1, None),  # src0 + index of the last loop
}

ARITY: dict[str, int] = {name: kind.sources for name, kind in KINDS.items()}
ACCUMULATES = frozenset(name for name, kind in KINDS.items() if kind.accumulates)
RATE_CLASS: dict[str, str] = {name: kind.rate for name, kind in KINDS.items()}
# That an operation of `arith` or `math` means.
KIND_OF: dict[str, str] = {operation: name for name, kind in KINDS.items() for operation in kind.operations}
COMPARISONS = frozenset(name for name, kind in KINDS.items() if kind.compares)


def neutral_number(kind: str, bits: int = 0) -> float | int | None:
    """The number that changes nothing where `kind` combines it with another one; None where there is none.

    Args:
        kind: one of `KINDS`.
        bits: width of an integer type, whose least or greatest number stands for an infinity; 0 for floats. The one
            bit of i1 is 0 or 1.
    """
    neutral = KINDS[kind].neutral
    if neutral is None or not bits:
        return neutral
    greatest = 1 if bits == 1 else 2 ** (bits - 1) - 1
    return int(min(max(neutral, greatest + 1 - 2**bits), greatest))
