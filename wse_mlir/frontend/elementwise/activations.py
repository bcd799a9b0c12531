"""Bodies of activations and of their gradients, by PyTorch's definitions: a NaN stays a NaN."""

from __future__ import annotations

import math as exact

from ...dialects.host import math
from .number import Number, Plain

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def sigmoid(x: Number) -> Number:
    return 1 / ((-x).apply(math.exp) + 1)


def silu(x: Number) -> Number:
    """x sigmoid(x)."""
    return x / ((-x).apply(math.exp) + 1)


def relu(x: Number) -> Number:
    return x.greater(0)


def relu6(x: Number) -> Number:
    return x.within(0, 6)


def hardtanh(x: Number, least: Plain = -1, most: Plain = 1) -> Number:
    return x.within(least, most)


def hardsigmoid(x: Number) -> Number:
    return (x + 3).within(0, 6) / 6


def hardswish(x: Number) -> Number:
    return x * (x + 3).within(0, 6) / 6


def threshold(x: Number, limit: Plain, value: Plain) -> Number:
    return (x <= limit).choose(value, x)


def leaky_relu(x: Number, slope: Plain = 0.01) -> Number:
    return (x > 0).choose(x, x * slope)


def elu(x: Number, alpha: Plain = 1, scale: Plain = 1, input_scale: Plain = 1) -> Number:
    below = (x * input_scale).apply(math.expm1) * (alpha * scale)
    return (x < 0).choose(below, x * scale)


def selu(x: Number) -> Number:
    return elu(x, _SELU_ALPHA, _SELU_SCALE)


def celu(x: Number, alpha: Plain = 1.0) -> Number:
    return elu(x, alpha, 1.0, 1.0 / alpha)


def softplus(x: Number, beta: Plain = 1, limit: Plain = 20) -> Number:
    scaled = x * beta
    return (scaled > limit).choose(x, scaled.apply(math.exp).apply(math.log1p) / beta)


def log_sigmoid(x: Number) -> Number:
    return x.lesser(0) - (-abs(x)).apply(math.exp).apply(math.log1p)


def mish(x: Number) -> Number:
    """x tanh(softplus(x))."""
    return x * x.apply(math.exp).apply(math.log1p).apply(math.tanh)


def softshrink(x: Number, lambd: Plain = 0.5) -> Number:
    return (x > lambd).choose(x - lambd, (x < -lambd).choose(x + lambd, x * 0))


def hardshrink(x: Number, lambd: Plain = 0.5) -> Number:
    return ((x >= -lambd) & (x <= lambd)).choose(0, x)


def gelu(x: Number, approximate: str = "none") -> Number:
    """x times the share of a normal distribution below x, or what tanh makes of it."""
    if approximate == "tanh":
        inner = (x + x * x * x * 0.044715) * exact.sqrt(2 / exact.pi)
        return x * 0.5 * (inner.apply(math.tanh) + 1)
    return x * 0.5 * ((x * exact.sqrt(0.5)).apply(math.erf) + 1)


def threshold_backward(gradient: Number, x: Number, limit: Plain) -> Number:
    return (x <= limit).choose(0, gradient)


def leaky_relu_backward(gradient: Number, x: Number, slope: Plain, of_result: bool = False) -> Number:
    return (x > 0).choose(gradient, gradient * slope)


def hardtanh_backward(gradient: Number, x: Number, least: Plain, most: Plain) -> Number:
    return ((x <= least) | (x >= most)).choose(0, gradient)


def sigmoid_backward(gradient: Number, result: Number) -> Number:
    return gradient * ((1 - result) * result)


def tanh_backward(gradient: Number, result: Number) -> Number:
    return gradient * (1 - result * result)
