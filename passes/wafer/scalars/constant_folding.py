"""Evaluates elementary operations on immediates at compile time, in the operation's own element type."""

import math

import ml_dtypes
import numpy as np

_NUMPY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "max": np.maximum, "min": np.minimum,
    "neg": np.negative, "abs": np.abs, "floor": np.floor, "ceil": np.ceil, "round": np.round,
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "log2": np.log2,
    "sqrt": np.sqrt, "tanh": np.tanh, "sin": np.sin, "cos": np.cos, "pow": np.power,
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal,
}  # fmt: skip
_DTYPES: dict[str, type] = {
    "f64": np.float64, "f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16,
    "i64": np.int64, "i32": np.int32, "i16": np.int16, "i8": np.int8, "i1": np.bool_,
}  # fmt: skip


def fold(kind: str, values: list[float | int], dtype: str) -> float | int | None:
    """The result of `kind` on immediates, rounded to `dtype`; None when it is left to the PE."""
    scalar = _DTYPES.get(dtype)
    if scalar is None:
        return None
    floating = dtype in ("f64", "f32", "f16", "bf16")
    with np.errstate(all="ignore"):
        if kind == "convert":
            return _converted(values[0], scalar)
        elif kind == "div" and floating:
            result = np.divide(scalar(values[0]), scalar(values[1]))
        elif kind == "rsqrt":
            result = np.divide(1.0, np.sqrt(np.float64(values[0])))
        elif kind == "erf":
            result = math.erf(values[0])
        elif kind == "select":
            result = values[1] if values[0] else values[2]
        elif kind == "pow" and not floating and values[1] < 0:
            return None
        elif kind in _NUMPY:
            compare = kind in ("eq", "ne", "lt", "le", "gt", "ge")
            result = _NUMPY[kind](*(v if compare else scalar(v) for v in values))
        else:
            return None
        rounded = scalar(result)
    return float(rounded) if floating else int(rounded)


def _converted(value: float | int, scalar: type) -> float | int:
    """As `wse_target/sim/arithmetic.py` converts: floats saturate, integers keep their low bits."""
    if not np.issubdtype(scalar, np.integer):
        number = scalar(value)
        return int(number) if scalar is np.bool_ else float(number)
    if isinstance(value, int):
        return int(np.array(value).astype(scalar))
    limits = np.iinfo(scalar)
    return 0 if math.isnan(value) else int(min(max(value, limits.min), limits.max))
