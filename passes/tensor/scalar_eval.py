"""Scalar operations of arith and math evaluated on NumPy arrays, rounded as the operation's type rounds.

Functions are those of `wse_target/kinds.py`. Arithmetic is MLIR's, which differs from that of PEs: what has no defined
result there stays in the program, integers of one bit are 0 and -1 where they have a sign, and of two zeros the
positive one is the greater.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from ...dialects.host import ir
from ...wse_target.elementary import Array
from ...wse_target.kinds import KINDS


class NotEvaluable(Exception):
    """An operation or a type that has no evaluation here; the message names it."""


_FLOATS: tuple[tuple[type, Any], ...] = (
    (ir.F32Type, np.float32),
    (ir.F64Type, np.float64),
    (ir.F16Type, np.float16),
    (ir.BF16Type, ml_dtypes.bfloat16),
)


def numpy_dtype(element: ir.Type) -> np.dtype[Any]:
    """The NumPy type of an MLIR scalar type; integers are signed, i1 is bool. Raises `NotEvaluable`."""
    for mlir_type, dtype in _FLOATS:
        if isinstance(element, mlir_type):
            return np.dtype(dtype)
    if isinstance(element, ir.IndexType):
        return np.dtype(np.int64)
    if isinstance(element, ir.IntegerType) and element.is_signless and element.width in (1, 8, 16, 32, 64):
        return np.dtype(np.bool_ if element.width == 1 else f"int{element.width}")
    raise NotEvaluable(f"the type {element}")


def attribute_value(attribute: ir.Attribute, element: ir.Type) -> Array:
    """A scalar attribute as a 0-d array of its type."""
    if isinstance(attribute, ir.FloatAttr | ir.IntegerAttr | ir.BoolAttr):
        return np.array(attribute.value).astype(numpy_dtype(element))
    raise NotEvaluable(f"the attribute {attribute}")


def _unsigned(x: Array) -> Array:
    return x if x.dtype == np.bool_ else x.view(f"uint{x.dtype.itemsize * 8}")


def _as_signed(function: Callable[..., Array]) -> Callable[..., Array]:
    """Evaluates on the unsigned reading of integers and gives the signed reading of the result back."""
    return lambda a, b: np.asarray(function(_unsigned(a), _unsigned(b))).astype(a.dtype)


def _modular(function: Callable[..., Array]) -> Callable[..., Array]:
    """Integer arithmetic modulo two to the width, also for i1."""

    def evaluate(a: Array, b: Array) -> Array:
        if a.dtype == np.bool_:
            return (function(a.astype(np.int8), b.astype(np.int8)) & 1).astype(np.bool_)
        return function(a, b)

    return evaluate


def _wide(function: Callable[..., Array]) -> Callable[..., Array]:
    """Transcendental functions: evaluated in f64 and rounded once to the operation's type."""
    return lambda *xs: np.asarray(function(*(x.astype(np.float64) for x in xs))).astype(xs[0].dtype)


def _round_away(x: Array) -> Array:
    return np.copysign(np.floor(np.abs(x) + np.asarray(0.5, x.dtype)), x).astype(x.dtype)


def _maximum(a: Array, b: Array) -> Array:
    """NaN if either is; +0 is larger than -0, which NumPy does not promise."""
    return np.where((a == 0) & (b == 0), a + b, np.maximum(a, b))


# Division by zero and overflowing division have no defined result: such operations stay in the program.
_BINARY: dict[str, Callable[..., Array]] = {
    "arith.addf": np.add,
    "arith.subf": np.subtract,
    "arith.mulf": np.multiply,
    "arith.divf": np.divide,
    "arith.maximumf": _maximum,
    "arith.minimumf": lambda a, b: -_maximum(-a, -b),
    "arith.maxnumf": np.fmax,
    "arith.minnumf": np.fmin,
    "arith.addi": _modular(np.add),
    "arith.subi": _modular(np.subtract),
    "arith.muli": _modular(np.multiply),
    "arith.andi": np.bitwise_and,
    "arith.ori": np.bitwise_or,
    "arith.xori": np.bitwise_xor,
    "arith.maxsi": np.maximum,
    "arith.minsi": np.minimum,
    "arith.maxui": _as_signed(np.maximum),
    "arith.minui": _as_signed(np.minimum),
    "math.powf": _wide(np.power),
    "math.atan2": _wide(np.arctan2),
    "math.copysign": np.copysign,
}
_UNARY: dict[str, Callable[..., Array]] = {
    "arith.negf": np.negative,
    "math.absf": np.abs,
    "math.absi": np.abs,
    "math.ceil": np.ceil,
    "math.floor": np.floor,
    "math.round": _wide(_round_away),
    "math.roundeven": _wide(np.rint),
    "math.trunc": np.trunc,
    "math.log10": _wide(np.log10),
    "math.tan": _wide(np.tan),
    **{
        name: _wide(kind.evaluate)
        for kind in KINDS.values()
        if kind.is_function and kind.evaluate is not None
        for name in kind.operations
    },
}
_CASTS = frozenset(
    {"arith.extf", "arith.truncf", "arith.sitofp", "arith.extsi", "arith.trunci", "arith.index_cast"}
)
_INTEGER_COMPARISONS = (
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
)  # fmt: skip
_ORDERED = (np.equal, np.greater, np.greater_equal, np.less, np.less_equal, np.not_equal)


def evaluate_scalar_op(op: ir.Operation, operands: list[Array]) -> Array:
    """The result of one scalar operation, for arrays of operands. Raises `NotEvaluable`."""
    name = op.name
    dtype = numpy_dtype(op.results[0].type)
    with np.errstate(all="ignore"):
        if name in _BINARY:
            result = _BINARY[name](*operands)
        elif name in _UNARY:
            result = _UNARY[name](operands[0])
        elif name in _CASTS:
            result = _cast(name, operands[0], dtype)
        elif name in ("arith.extui", "arith.uitofp"):
            result = _unsigned(operands[0]).astype(dtype)
        elif name == "arith.fptosi":
            result = _to_integer(operands[0], dtype)
        elif name == "arith.select":
            result = np.where(*operands)
        elif name == "arith.cmpi":
            result = _compare_integers(ir.IntegerAttr(op.attributes["predicate"]).value, *operands)
        elif name == "arith.cmpf":
            result = _compare_floats(ir.IntegerAttr(op.attributes["predicate"]).value, *operands)
        elif name == "math.fma":
            result = _fused_multiply_add(*operands)
        else:
            raise NotEvaluable(f"the operation {name}")
    return np.asarray(result).astype(dtype, copy=False)


def _cast(name: str, x: Array, dtype: np.dtype[Any]) -> Array:
    if x.dtype == np.bool_ and name in ("arith.extsi", "arith.sitofp", "arith.index_cast"):
        x = -x.astype(np.int8)  # the one bit is the sign
    if name == "arith.trunci" and dtype == np.bool_:
        x = x & 1
    return x.astype(dtype)


def _to_integer(x: Array, dtype: np.dtype[Any]) -> Array:
    """Rounds towards zero; numbers that do not fit have no defined result."""
    whole = np.trunc(x.astype(np.float64))
    most = 2.0 ** (8 * dtype.itemsize - 1)
    if dtype == np.bool_ or not np.all((whole >= -most) & (whole < most)):
        raise NotEvaluable("arith.fptosi of a number that does not fit")
    return whole.astype(dtype)


def _compare_integers(predicate: int, a: Array, b: Array) -> Array:
    if predicate >= 6:  # ult, ule, ugt, uge follow slt, sle, sgt, sge
        return _INTEGER_COMPARISONS[predicate - 4](_unsigned(a), _unsigned(b))
    if a.dtype == np.bool_ and predicate >= 2:
        a, b = -a.astype(np.int8), -b.astype(np.int8)
    return _INTEGER_COMPARISONS[predicate](a, b)


def _compare_floats(predicate: int, a: Array, b: Array) -> Array:
    """arith.cmpf: 0 false, 1..6 ordered, 7 ord, 8..13 unordered, 14 uno, 15 true."""
    unordered = np.isnan(a) | np.isnan(b)
    if predicate in (0, 15):
        return np.full(unordered.shape, predicate == 15)
    if predicate in (7, 14):
        return unordered if predicate == 14 else ~unordered
    if predicate <= 6:
        return _ORDERED[predicate - 1](a, b) & ~unordered
    return _ORDERED[predicate - 8](a, b) | unordered


def _fused_multiply_add(a: Array, b: Array, c: Array) -> Array:
    if a.dtype == np.float64:
        raise NotEvaluable("math.fma on f64")
    # The product of two f32 is exact in f64; the sum may round twice, hence only where it is exact too.
    wide = a.astype(np.float64) * b.astype(np.float64)
    total = wide + c.astype(np.float64)
    if np.any((total - wide != c) & np.isfinite(total)):
        raise NotEvaluable("math.fma whose exact sum does not fit")
    return total.astype(a.dtype)
