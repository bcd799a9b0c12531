"""Elementwise operators of PyTorch, and numbers at the edges of every type."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.nn import functional

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
INTEGERS = (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)
DTYPES = (*FLOATS, *INTEGERS, torch.bool)


def extremes(dtype: torch.dtype) -> torch.Tensor:
    """Numbers at the edges of a type, and some between."""
    if dtype == torch.bool:
        return torch.tensor([False, True])
    if dtype.is_floating_point:
        info = torch.finfo(dtype)
        small = [info.tiny, info.smallest_normal / 4, -info.tiny / 8]
        large = [float("nan"), float("inf"), -float("inf"), info.max, info.min, 0.0, -0.0]
        plain = [
            1.0,
            -1.0,
            0.5,
            -0.5,
            0.1,
            0.3,
            -0.3,
            2.5,
            -2.5,
            3.7,
            -3.7,
            3.0,
            -3.0,
            7.0,
            20.5,
            -90.0,
            100.0,
        ]
        return torch.tensor(large + small + plain, dtype=torch.float64).to(dtype)
    info = torch.iinfo(dtype)
    numbers = [0, 1, 2, 3, 5, 7, 8, 31, 63, 100, 127, info.max, info.max - 1, info.min, info.min + 1]
    numbers += [-1, -2, -3, -7, -100] if dtype.is_signed else [128, 200, 254]
    numbers += [2**24 + 1, -(2**24) - 1, 2**31 - 1] if info.max > 2**30 else []
    numbers += [2**53 + 1, -(2**53) - 1, 2**62 + 1] if info.max > 2**60 else []
    return torch.tensor(numbers, dtype=dtype)


def _named(place: Any, names: str) -> dict[str, Callable[..., Any]]:
    return {name: getattr(place, name) for name in names.split()}


def _given(function: Callable[..., Any], name: str, *numbers: Any) -> dict[str, Callable[..., Any]]:
    """A function of a tensor and each of the numbers."""
    return {f"{name} {number}": partial(_called, function, number) for number in numbers}


def _called(function: Callable[..., Any], number: Any, x: torch.Tensor) -> Any:
    return function(x, number)


UNARY: dict[str, Callable[[torch.Tensor], Any]] = {
    **_named(torch, "abs acos acosh asin asinh atan atanh bitwise_not ceil celu clone cos cosh deg2rad erf erfc exp"),
    **_named(torch, "exp2 expm1 floor frac isfinite isinf isnan isneginf isposinf log log10 log1p log2 logical_not"),
    **_named(torch, "logit nan_to_num neg rad2deg reciprocal relu round rsqrt selu sgn sigmoid sign signbit sin sinc"),
    **_named(torch, "sinh sqrt square tan tanh trunc"),
    **_named(functional, "elu gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu logsigmoid mish relu6 silu"),
    **_named(functional, "softplus softshrink softsign tanhshrink"),
    **_named(torch.special, "entr ndtr"),
    **_given(operator.add, "+", 2), **_given(operator.mul, "*", 2.5), **_given(operator.truediv, "/", 3),
    **_given(operator.floordiv, "//", 3, -7), **_given(operator.mod, "%", 3, -7),
    **_given(partial(torch.div, rounding_mode="floor"), "downwards by", 0.3),
    **_given(partial(torch.div, rounding_mode="trunc"), "truncated by", 0.3, 7),
    **_given(torch.remainder, "remainder by", -0.3), **_given(torch.fmod, "fmod by", 3, 0.1),
    **_given(torch.pow, "power", 0, 1, 2, 3, 5, 8, 11, 0.5, -0.5, -1.0, -2.0, 1.7),
    **_given(operator.lshift, "<<", 1), **_given(operator.rshift, ">>", 2),
    **_given(operator.and_, "&", 5), **_given(operator.or_, "|", 4), **_given(operator.xor, "^", 3),
    **_given(torch.eq, "==", 1, 0.1), **_given(torch.ne, "!=", 1, 0.1), **_given(torch.lt, "<", 1, 0.1),
    **_given(torch.le, "<=", 1, 0.1), **_given(torch.gt, ">", 1, 0.1), **_given(torch.ge, ">=", 1, 0.1),
    **_given(torch.Tensor.to, "to", *DTYPES), **_given(torch.xlogy, "x log", 3),
    **_given(torch.copysign, "sign of", -1.0),
    "subtract from number": lambda x: 3 - x,
    "number to the power": lambda x: torch.pow(2, x),
    "fraction to the power": lambda x: torch.pow(0.5, x),
    "clamp": lambda x: torch.clamp(x, 0, 1),
    "clamp below": lambda x: torch.clamp(x, min=1),
    "clamp above": lambda x: torch.clamp_max(x, 2),
    "clamp, crossed": lambda x: torch.clamp(x, 3, 1),
    "clip by fractions": lambda x: torch.clip(x, 0.1, 0.7),
    "threshold": lambda x: functional.threshold(x, 0.1, 0.3),
    "threshold, whole": lambda x: functional.threshold(x, 1, 2),
    "celu, alpha": lambda x: functional.celu(x, 0.5),
    "elu, alpha": lambda x: functional.elu(x, 0.5),
    "gelu by tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "softplus, beta": lambda x: functional.softplus(x, 2, 10),
    "logit, eps": lambda x: torch.logit(x, 0.1),
    "round to decimals": lambda x: torch.round(x, decimals=1),
    "nan to numbers": lambda x: torch.nan_to_num(x, 1.0, 2.0, -2.0),
    "where, number": lambda x: torch.where(x > 0, x, 0),
    "masked fill": lambda x: x.masked_fill(x != x, 1),
    "float power": lambda x: torch.float_power(x, 2),
}  # fmt: skip
BINARY: dict[str, Callable[[torch.Tensor, torch.Tensor], Any]] = {
    **_named(
        torch,
        "add sub mul true_divide floor_divide remainder fmod pow maximum minimum fmax fmin atan2 copysign",
    ),
    **_named(
        torch, "eq ne lt le gt ge bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift"
    ),
    **_named(
        torch, "heaviside hypot isclose ldexp logaddexp logaddexp2 logical_and logical_or logical_xor xlogy"
    ),
    **_named(torch, "float_power rsub"),
    **_named(torch.special, "xlog1py"),
    "add, alpha": lambda x, y: torch.add(x, y, alpha=3),
    "subtract, alpha": lambda x, y: torch.sub(x, y, alpha=2),
    "truncated": lambda x, y: torch.div(x, y, rounding_mode="trunc"),
    "floored": lambda x, y: torch.div(x, y, rounding_mode="floor"),
    "clamp by tensors": lambda x, y: torch.clamp(x, y, y + y),
    "clamp below by tensor": lambda x, y: torch.clamp(x, min=y),
    "where": lambda x, y: torch.where(x > y, x, y),
    "is close, NaN": lambda x, y: torch.isclose(x, y, equal_nan=True),
    "lerp": lambda x, y: torch.lerp(x, y, 0.3),
    "lerp by tensor": lambda x, y: torch.lerp(x, y, y),
    "addcmul": lambda x, y: torch.addcmul(x, x, y, value=2),
    "addcdiv": lambda x, y: torch.addcdiv(x, x, y, value=2),
    "prelu": lambda x, y: functional.prelu(x, y.reshape(-1)[1]),
    "times int64": lambda x, y: x * y.to(torch.int64),
    "less than int8": lambda x, y: x < y.to(torch.int8),
    "masked": lambda x, y: x.masked_fill(y > 0, 3),
}
DIVISIONS = {name: BINARY[name] for name in ("floor_divide", "remainder", "fmod", "truncated", "floored")}
# PyTorch's own f32 has few right digits here where a value is small, or NaN where vectors of it meet large numbers
INEXACT = (
    "gelu",
    "gelu by tanh",
    "ndtr",
    "tanhshrink",
    "fmod",
    "fmod by 0.1",
    "remainder",
    "remainder by -0.3",
)
# Narrow floats are not rounded between operations of a chain
EXCESS = ("add, alpha", "subtract, alpha", "times int64")
