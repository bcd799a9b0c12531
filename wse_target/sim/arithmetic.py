"""The meaning of the elementary operations, on arrays.

What operations compute, whoever provides the kernels:
  * Sources are converted to the destination's type, those of a comparison to the type of its first source in
    memory; then each elementary operation rounds to that type, to nearest even. f16 and bf16 are computed in f32
    and rounded after.
  * `fma` on f32 rounds once. On f16 and bf16 the product is exact, the sum is rounded to f32 and then to the type; on
    f64 product and sum round separately. Integers wrap around, i1 adds by `or` and multiplies by `and`.
  * Elements are accumulated in loop order.
  * `max` is its first source where that is larger or NaN, else the second one; `min` likewise.
  * Integers divide towards zero, and by 0 give 0; so do remainders, whose sign is the dividend's. Integer powers with a
    negative exponent are truncated.
  * Conversions from floats to integers truncate and saturate, NaN gives 0; to i1 everything but 0 is true.
    Integers, and f64, become f16 and bf16 by way of f32.
  * Functions (`exp` and so on) need a float type, and are as good as the provider's library: within a few units in the
    last place. All other results agree bit for bit between providers, but for the bits of a NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from ..elementary import Array
from ..errors import TargetError
from ..kinds import COMPARISONS, KINDS

NUMPY_DTYPE: dict[str, np.dtype[Any]] = {
    "f64": np.dtype(np.float64), "f32": np.dtype(np.float32), "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16), "i1": np.dtype(np.bool_), "i8": np.dtype(np.int8),
    "i16": np.dtype(np.int16), "i32": np.dtype(np.int32), "i64": np.dtype(np.int64),
}  # fmt: skip
DTYPE_NAME = {dtype: name for name, dtype in NUMPY_DTYPE.items()}
FLOATS = frozenset({"f64", "f32", "f16", "bf16"})

MOVES = frozenset({"fill", "copy", "convert"})
FUNCTIONS = frozenset(name for name, kind in KINDS.items() if kind.is_function)
_BITWISE = frozenset({"and", "or", "xor"})
_ON_I1 = MOVES | COMPARISONS | _BITWISE | {"add", "mul", "fma", "max", "min", "select"}


_F32, _F64 = NUMPY_DTYPE["f32"], NUMPY_DTYPE["f64"]


def operand_dtypes(kind: str, dst: str, srcs: Sequence[str]) -> tuple[str, ...]:
    """Type that each source is converted to; a source without a type, "", is a scalar.

    Raises:
        TargetError: the kind is not defined on the type.
    """
    if kind in COMPARISONS:
        common = next((s for s in srcs if s), "f64")
        return (common,) * len(srcs)
    refused = (
        (kind in FUNCTIONS and dst not in FLOATS)
        or (kind in _BITWISE and dst in FLOATS)
        or (dst == "i1" and kind not in _ON_I1)
    )
    if refused:
        raise TargetError(f"'{kind}' is not defined on {dst}", hint="convert the operands first")
    return ("i1", dst, dst) if kind == "select" else (dst,) * len(srcs)


def convert(values: Array, dtype: np.dtype[Any]) -> Array:
    """Elements in another type; see `kernels` for what becomes of those that do not fit."""
    source, target = DTYPE_NAME[values.dtype], DTYPE_NAME[dtype]
    if source == target:
        return values
    if target == "i1":
        return values != 0
    if source in FLOATS and target not in FLOATS:
        return _saturate(values, dtype)
    if target in ("f16", "bf16"):
        values = values.astype(_F32)
    return values.astype(dtype)


def _saturate(values: Array, dtype: np.dtype[Any]) -> Array:
    """Floats towards zero; those beyond an integer type's range become its ends, NaN becomes 0."""
    wide = values.astype(_F64)
    info = np.iinfo(dtype)
    above, below = wide >= -float(info.min), wide < float(info.min)
    inside = np.where(above | below | np.isnan(wide), 0.0, wide).astype(dtype)
    return np.where(above, dtype.type(info.max), np.where(below, dtype.type(info.min), inside))


def fma(total: Array, a: Array, b: Array) -> Array:
    """total + a * b; on f32 with one rounding.

    The product of two f32 is exact in f64. Their sum is rounded to odd there, by which the second rounding, to f32,
    gives what a single one would (S. Boldo and G. Melquiond, Emulation of a FMA and correctly rounded sums).
    """
    if total.dtype in (np.dtype(np.float16), NUMPY_DTYPE["bf16"]):
        return convert(total.astype(_F32) + a.astype(_F32) * b.astype(_F32), total.dtype)
    if total.dtype != _F32:
        return total + a * b
    product, addend = a.astype(_F64) * b.astype(_F64), total.astype(_F64)
    rounded = product + addend
    back = rounded - product
    error = (product - (rounded - back)) + (addend - back)
    bits = rounded.view(np.int64)
    inexact = (error != 0) & np.isfinite(rounded) & (bits & 1 == 0)
    away = (error > 0) == (rounded > 0)
    odd = np.where(inexact, np.where(away, bits + 1, bits - 1), bits)
    return odd.view(_F64).astype(_F32)


# Elementary operations on arrays of one type.
ELEMENTARY: dict[str, Callable[..., Any]] = {
    name: kind.evaluate for name, kind in KINDS.items() if kind.evaluate is not None
}
