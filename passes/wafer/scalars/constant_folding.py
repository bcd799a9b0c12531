"""Evaluates elementary operations on immediates at compile time, in the operation's own element type."""

import math
from collections.abc import Sequence

import ml_dtypes
import numpy as np

from ....wse_target.instructions import Access
from ....wse_target.kinds import COMPARISONS, KINDS

_DTYPES: dict[str, type] = {
    "f64": np.float64, "f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16,
    "i64": np.int64, "i32": np.int32, "i16": np.int16, "i8": np.int8, "i1": np.bool_,
}  # fmt: skip


def fold(kind: str, values: list[float | int], dtype: str) -> float | int | None:
    """The result of `kind` on immediates, rounded to `dtype`; None when it is left to the PE."""
    scalar = _DTYPES.get(dtype)
    if scalar is None:
        return None
    if kind == "convert":
        return _converted(values[0], scalar)
    floating = dtype in ("f64", "f32", "f16", "bf16")
    found = KINDS.get(kind)
    if found is None or found.evaluate is None or kind in ("fill", "copy"):
        return None
    if (kind == "div" and not floating) or (kind == "pow" and not floating and values[1] < 0):
        return None
    with np.errstate(all="ignore"):
        if found.compares:
            operands = [np.asarray(value) for value in values]
        elif kind == "select":
            operands = [np.asarray(bool(values[0])), *(np.asarray(scalar(v)) for v in values[1:])]
        else:
            operands = [np.asarray(scalar(value)) for value in values]
        rounded = np.asarray(found.evaluate(*operands)).astype(scalar)[()]
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


def known_comparison(kind: str, sources: Sequence[Access | float | int]) -> float | int | None:
    """What a comparison of two numbers comes to: PEs compare with memory."""
    numbers = [source for source in sources if not isinstance(source, Access)]
    if kind in COMPARISONS and len(numbers) == len(sources):
        return fold(kind, numbers, "i1")
    return None
