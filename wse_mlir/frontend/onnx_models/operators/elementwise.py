"""Operators that compute every element by itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch.nn import functional as F

from ...narrow_floats import widened
from ..registry import operator
from ..types import SAME_BITS, carried, element_type, torch_type
from ..values import Unsupported, full_like_constant, number, refuse_unless, truth

_PLAIN: dict[str, Callable[..., Any]] = {
    "Abs": torch.abs,
    "Acos": torch.acos,
    "Acosh": torch.acosh,
    "And": torch.logical_and,
    "Asin": torch.asin,
    "Asinh": torch.asinh,
    "Atan": torch.atan,
    "Atanh": torch.atanh,
    "BitwiseAnd": torch.bitwise_and,
    "BitwiseNot": torch.bitwise_not,
    "BitwiseOr": torch.bitwise_or,
    "BitwiseXor": torch.bitwise_xor,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Cosh": torch.cosh,
    "Equal": torch.eq,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "IsNaN": torch.isnan,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Log": torch.log,
    "Neg": torch.neg,
    "Not": torch.logical_not,
    "Or": torch.logical_or,
    "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Round": torch.round,
    "Sigmoid": torch.sigmoid,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Sinh": torch.sinh,
    "Softsign": F.softsign,
    "Sqrt": torch.sqrt,
    "Tan": torch.tan,
    "Tanh": torch.tanh,
    "Where": torch.where,
    "Xor": torch.logical_xor,
}

# Operators whose second operand was aligned by attributes and not by NumPy's rule before version 7.
_ALIGNED = frozenset({"Add", "Sub", "Mul", "Div", "And", "Or", "Xor", "Equal", "Greater", "Less"})


def _register_plain() -> None:
    for name, function in _PLAIN.items():
        if name in _ALIGNED:
            operator(name)(_aligned(function))
        else:
            operator(name)(_plain(function))


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    def compute(*inputs: Any, consumed_inputs: Any = None) -> Any:
        return function(*inputs)

    return compute


def _aligned(function: Callable[..., Any]) -> Callable[..., Any]:
    def compute(
        x: torch.Tensor,
        y: torch.Tensor,
        *,
        broadcast: int = 0,
        axis: int | None = None,
        consumed_inputs: Any = None,
    ) -> Any:
        if broadcast and axis is not None:
            y = y.reshape(list(y.shape) + [1] * (x.dim() - axis % max(x.dim(), 1) - y.dim()))
        return function(x, y)

    return compute


def divide(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Integers are divided towards zero."""
    if x.is_floating_point():
        return torch.div(x, y)
    return torch.div(x, y, rounding_mode="trunc")


for _name, _function in (("Add", torch.add), ("Sub", torch.sub), ("Mul", torch.mul), ("Div", divide)):
    operator(_name)(_aligned(_function))
_register_plain()


@operator("Mod")
def modulo(x: torch.Tensor, y: torch.Tensor, *, fmod: int = 0) -> torch.Tensor:
    """The sign of the divisor, as in Python, or with `fmod` that of the dividend, as in C."""
    return torch.fmod(x, y) if fmod else torch.remainder(x, y)


@operator("Pow")
def power(x: torch.Tensor, y: torch.Tensor, *, broadcast: int = 0, axis: int | None = None) -> torch.Tensor:
    """Has the type of the base; an integer base with a float exponent is computed in f64."""
    if broadcast and axis is not None:
        y = y.reshape(list(y.shape) + [1] * (x.dim() - axis - y.dim()))
    if x.dtype == y.dtype:
        return torch.pow(x, y)
    if x.is_floating_point():
        return torch.pow(widened(x), y.to(widened(x).dtype)).to(x.dtype)
    if y.is_floating_point():
        return torch.pow(x.to(torch.float64), y.to(torch.float64)).to(x.dtype)
    wide = torch.promote_types(x.dtype, y.dtype)
    return torch.pow(x.to(wide), y.to(wide)).to(x.dtype)


@operator("BitShift")
def bit_shift(x: torch.Tensor, y: torch.Tensor, *, direction: str, types: list[Any]) -> torch.Tensor:
    """Shifts unsigned integers; those of 16 and 32 bits are masked by the interpreter."""
    if x.dtype == torch.uint8:
        return bit_shift(x.to(torch.int32), y.to(torch.int32), direction=direction, types=[torch.int32]).to(
            torch.uint8
        )
    if direction == "LEFT":
        return torch.bitwise_left_shift(x, y)
    shifted = torch.bitwise_right_shift(x, y)
    if types[0] != torch.uint64:
        return shifted
    copies = torch.bitwise_left_shift(torch.full_like(y, -1), 64 - y)  # of the highest bit, which is no sign
    return torch.where(y > 0, shifted & ~copies, shifted)


@operator("Max")
def maximum(*inputs: torch.Tensor, consumed_inputs: Any = None) -> torch.Tensor:
    """NaN where any is NaN."""
    return reduce(torch.maximum, inputs)


@operator("Min")
def minimum(*inputs: torch.Tensor, consumed_inputs: Any = None) -> torch.Tensor:
    """NaN where any is NaN."""
    return reduce(torch.minimum, inputs)


@operator("Sum")
def sum_of(*inputs: torch.Tensor, consumed_inputs: Any = None) -> torch.Tensor:
    """The sum of tensors, element by element."""
    return reduce(torch.add, inputs)


@operator("Mean")
def mean_of(*inputs: torch.Tensor, consumed_inputs: Any = None) -> torch.Tensor:
    """The mean of tensors, element by element."""
    return reduce(torch.add, inputs) / len(inputs)


@operator("Clip")
def clip(x: torch.Tensor, min: Any = None, max: Any = None, *, consumed_inputs: Any = None) -> torch.Tensor:
    """`min(max(x, min), max)`: the upper bound wins."""
    low, high = (_bound(b, x.dtype) for b in (min, max))
    x = x if low is None else torch.maximum(x, low)
    return x if high is None else torch.minimum(x, high)


def _bound(value: Any, dtype: torch.dtype) -> torch.Tensor | None:
    return full_like_constant(value, dtype) if isinstance(value, (int, float)) else value


@operator("Cast")
def cast(
    x: torch.Tensor, *, to: int | str, saturate: int = 1, round_mode: str = "up", opset: int
) -> torch.Tensor:
    """To another element type; unsigned ones wider than 8 bits are masked by the interpreter."""
    return convert(x, torch_type(to))


def convert(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Elements of another type: truth is being other than zero, fractions are dropped."""
    if dtype == torch.bool:
        return x != 0
    if x.is_floating_point() and dtype == torch.uint8:
        return x.to(torch.int32).to(torch.uint8)
    return x.to(dtype)


@operator("CastLike")
def cast_like(
    x: torch.Tensor, like: torch.Tensor, *, saturate: int = 1, round_mode: str = "up"
) -> torch.Tensor:
    """To the element type of another tensor."""
    return convert(x, like.dtype)


@operator("IsInf")
def is_infinite(x: torch.Tensor, *, detect_negative: int = 1, detect_positive: int = 1) -> torch.Tensor:
    """Infinities of the signs asked for."""
    found = torch.zeros_like(x, dtype=torch.bool)
    if detect_positive:
        found = found | (x == math.inf)
    return found | (x == -math.inf) if detect_negative else found


@operator("BitCast")
def bit_cast(x: torch.Tensor, *, to: int, types: list[Any]) -> torch.Tensor:
    """The same bits as elements of another type of the same width."""
    if x.dtype == torch.bool:
        x = x.to(torch.uint8)
    wanted = element_type(to)
    refuse_unless(wanted != torch.bool, "bits as truth values")
    bits = x.to(SAME_BITS.get(types[0], x.dtype))
    seen = SAME_BITS.get(wanted, wanted)
    return carried(bits if bits.dtype == seen else bits.view(seen), wanted)


@operator("LeakyRelu")
def leaky_relu(x: torch.Tensor, *, alpha: float = 0.01, consumed_inputs: Any = None) -> torch.Tensor:
    """`alpha * x` below zero."""
    return F.leaky_relu(x, alpha)


@operator("PRelu")
def prelu(x: torch.Tensor, slope: torch.Tensor, *, consumed_inputs: Any = None, opset: int) -> torch.Tensor:
    """`slope * x` below zero; until version 7 the slope is per channel."""
    if opset < 7 and slope.numel() > 1:
        slope = slope.reshape([-1] + [1] * (x.dim() - 2))
    return torch.where(x < 0, slope * x, x)


@operator("Elu")
def elu(x: torch.Tensor, *, alpha: float = 1.0, consumed_inputs: Any = None) -> torch.Tensor:
    """`alpha * (exp(x) - 1)` below zero."""
    return F.elu(x, alpha)


@operator("Selu")
def selu(
    x: torch.Tensor,
    *,
    alpha: float = 1.67326319217681884765625,
    gamma: float = 1.05070102214813232421875,
    consumed_inputs: Any = None,
) -> torch.Tensor:
    """`gamma * elu(x)`."""
    return gamma * F.elu(x, alpha)


@operator("Celu")
def celu(x: torch.Tensor, *, alpha: float = 1.0) -> torch.Tensor:
    """`alpha * (exp(x / alpha) - 1)` below zero."""
    return F.celu(x, alpha)


@operator("HardSigmoid")
def hard_sigmoid(
    x: torch.Tensor, *, alpha: float = 0.2, beta: float = 0.5, consumed_inputs: Any = None
) -> torch.Tensor:
    """`alpha * x + beta` between 0 and 1."""
    return torch.clamp(alpha * x + beta, 0.0, 1.0)


@operator("HardSwish")
def hard_swish(x: torch.Tensor) -> torch.Tensor:
    """`x * hard_sigmoid(x)` with a slope of 1/6."""
    return F.hardswish(x)


@operator("Gelu")
def gelu(x: torch.Tensor, *, approximate: str = "none") -> torch.Tensor:
    """As PyTorch's."""
    return F.gelu(x, approximate=approximate)


@operator("Mish")
def mish(x: torch.Tensor) -> torch.Tensor:
    """As PyTorch's."""
    return F.mish(x)


@operator("Swish")
def swish(x: torch.Tensor, *, alpha: float = 1.0) -> torch.Tensor:
    """`x * sigmoid(alpha * x)`."""
    return x * torch.sigmoid(alpha * x)


@operator("Softplus")
def softplus(x: torch.Tensor) -> torch.Tensor:
    """As PyTorch's, whose threshold keeps exp from overflowing."""
    return F.softplus(x)


@operator("ThresholdedRelu")
def thresholded_relu(x: torch.Tensor, *, alpha: float = 1.0) -> torch.Tensor:
    """Zero up to alpha."""
    return torch.where(x > alpha, x, torch.zeros_like(x))


@operator("Shrink")
def shrink(x: torch.Tensor, *, bias: float = 0.0, lambd: float = 0.5) -> torch.Tensor:
    """Towards zero by the bias, zero between -lambd and lambd."""
    inner = torch.where(x > lambd, x - bias, torch.zeros_like(x))
    return torch.where(x < -lambd, x + bias, inner).to(x.dtype)


@operator("Dropout")
def dropout(
    x: torch.Tensor,
    ratio: Any = None,
    training_mode: Any = None,
    *,
    is_test: int = 1,
    seed: int = 0,
    consumed_inputs: Any = None,
    outputs: int,
) -> Any:
    """Outside of training, or of nothing, all elements; otherwise random, which is refused."""
    if training_mode is not None and truth(training_mode) and number(ratio, 0.5) != 0:
        raise Unsupported("training, which draws random numbers")
    refuse_unless(bool(is_test), "training, which draws random numbers")
    return (x, torch.ones_like(x, dtype=torch.bool)) if outputs > 1 else x


@operator(
    "RandomUniform", "RandomNormal", "RandomUniformLike", "RandomNormalLike", "Multinomial", "Bernoulli"
)
def random_numbers(*_: Any, **__: Any) -> torch.Tensor:
    """Refused: a compiled function gives the same results for the same inputs."""
    raise Unsupported("random numbers, which compiled functions do not draw")


@operator("Identity")
def identity(x: Any) -> Any:
    """The same value."""
    return x
