"""The elementary operations a PE's vector instruction can perform, shared by dialect and simulator.

`RATE_CLASS` says which entry of a machine file's `[rates]` gives the cost of one element.
"""

from __future__ import annotations

# kind -> number of sources
ARITY: dict[str, int] = {
    "fill": 1, "copy": 1, "convert": 1,
    "add": 2, "sub": 2, "mul": 2, "div": 2, "max": 2, "min": 2, "rem": 2, "pow": 2,
    "fma": 2,  # dst = dst + src0 * src1
    "neg": 1, "abs": 1, "floor": 1, "ceil": 1, "round": 1,
    "exp": 1, "exp2": 1, "expm1": 1, "log": 1, "log1p": 1, "log2": 1, "sqrt": 1, "rsqrt": 1,
    "tanh": 1, "erf": 1, "sin": 1, "cos": 1, "sigmoid": 1,
    "and": 2, "or": 2, "xor": 2,
    "eq": 2, "ne": 2, "lt": 2, "le": 2, "gt": 2, "ge": 2,
    "select": 3,  # src0 ? src1 : src2
    "iota": 1,  # src0 + index of the last loop
}  # fmt: skip

# Kinds whose destination may have stride 0 in a loop: all but fma then name the destination as first source.
ACCUMULATES = frozenset({"add", "mul", "max", "min", "fma", "and", "or"})

_SCALAR_MATH = (
    "exp", "exp2", "expm1", "log", "log1p", "log2", "tanh", "erf", "sin", "cos", "sigmoid", "pow",
)  # fmt: skip

RATE_CLASS: dict[str, str] = {
    **dict.fromkeys(ARITY, "add"),
    "fill": "fill", "copy": "copy", "convert": "convert", "mul": "mul", "fma": "fma",
    "div": "divide", "rem": "divide", "sqrt": "square_root", "rsqrt": "square_root",
    **dict.fromkeys(_SCALAR_MATH, "transcendental"),
}  # fmt: skip
