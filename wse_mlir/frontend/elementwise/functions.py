"""Bodies of arithmetic, of elementary functions and of questions about numbers, by PyTorch's definitions."""

from __future__ import annotations

import math as exact
from collections.abc import Callable
from typing import Any

import torch

from ...dialects.host import arith, math
from ..narrow_floats import HALVES
from .number import Number, Plain, bits_of, constant

_ROOT_OF_HALF = exact.sqrt(0.5)


def function_of(name: str) -> Callable[[Number], Number]:
    """A function of the math dialect."""
    return lambda x: x.apply(getattr(math, name))


def rounding(name: str) -> Callable[[Number], Number]:
    """A function of the math dialect that leaves integers alone."""
    return lambda x: x.apply(getattr(math, name)) if x.is_float else x


def added(a: Number, b: Number | Plain, factor: Number | Plain = 1) -> Number:
    """a + factor b."""
    return a + _scaled(a.like(b), factor)


def subtracted(a: Number, b: Number | Plain, factor: Number | Plain = 1) -> Number:
    """a - factor b; the product of floats is not rounded where a processor adds it in one instruction."""
    if a.is_float and not (isinstance(factor, int) and factor == 1):
        return a + a.like(b) * -factor
    return a - _scaled(a.like(b), factor)


def subtracted_from(a: Number, b: Number | Plain, factor: Number | Plain = 1) -> Number:
    """b - factor a."""
    return a.like(b) - _scaled(a, factor)


def product_added(a: Number, b: Number, c: Number, factor: Number | Plain = 1) -> Number:
    """a + factor b c."""
    return a + _scaled(b, factor) * c


def quotient_added(a: Number, b: Number, c: Number, factor: Number | Plain = 1) -> Number:
    """a + factor b / c."""
    return a + _scaled(b, factor) / c


def _scaled(x: Number, factor: Number | Plain) -> Number:
    return x if not isinstance(factor, Number) and factor == 1 else x * factor


def between(a: Number, b: Number, weight: Number | Plain) -> Number:
    """a where the weight is 0, b where it is 1; from the nearer of both."""
    weight, apart = a.like(weight), b - a
    return (abs(weight) < 0.5).choose(a + weight * apart, b - apart * (1 - weight))


def greater_number(a: Number, b: Number | Plain) -> Number:
    """The greater of two; of a NaN and a number the number."""
    b = a.like(b)
    return (b.is_nan() | (a > b)).choose(a, b) if a.is_float else a.greater(b)


def lesser_number(a: Number, b: Number | Plain) -> Number:
    """The lesser of two; of a NaN and a number the number."""
    b = a.like(b)
    return (b.is_nan() | (a < b)).choose(a, b) if a.is_float else a.lesser(b)


def sign(x: Number) -> Number:
    """-1, 0 or 1; 0 for NaN."""
    if x.is_bool:
        return x
    above = (x > 0).to(x.dtype)
    return above - (x < 0).to(x.dtype) if x.is_signed else above


def copy_sign(x: Number, of: Number | Plain) -> Number:
    return x.apply(math.copysign, of)


def step(x: Number, at_zero: Number) -> Number:
    """0 below 0, 1 above."""
    return x.equals(0).choose(at_zero, (x > 0).to(x.dtype))


def fraction(x: Number) -> Number:
    return x - x.apply(math.trunc)


def round_to(x: Number, decimals: int = 0) -> Number:
    """To so many decimals, half to even."""
    if not x.is_float or decimals == 0:
        return x.apply(math.roundeven) if x.is_float else x
    scale = 10.0 ** abs(decimals)
    if decimals > 0:
        return (x * scale).apply(math.roundeven) / scale
    return (x / scale).apply(math.roundeven) * scale


def without_infinities(
    x: Number, nan: float | None = None, above: float | None = None, below: float | None = None
) -> Number:
    """Numbers in place of NaN and infinities: 0 and the ends of the type where none are given."""
    if not x.is_float:
        return x
    most = torch.finfo(x.dtype).max
    result = x.is_nan().choose(0.0 if nan is None else nan, x)
    result = x.equals(exact.inf).choose(most if above is None else above, result)
    return x.equals(-exact.inf).choose(-most if below is None else below, result)


def is_close(
    a: Number, b: Number, relative: float = 1e-5, absolute: float = 1e-8, equal_nan: bool = False
) -> Number:
    """Whether |a - b| <= absolute + |relative b|; infinities are close to themselves."""
    close = a.equals(b)
    if a.is_float and equal_nan:
        close = close | (a.is_nan() & b.is_nan())
    if relative == 0 and absolute == 0:
        return close
    if not a.is_float:
        a, b = a.to(torch.float32), b.to(torch.float32)
    apart = abs(a - b)
    return close | (apart.is_finite() & (apart <= abs(b * relative) + absolute))


def hypotenuse(a: Number, b: Number) -> Number:
    """The root of the squares' sum, without the overflow of squares; infinite if either is."""
    a, b = abs(a), abs(b)
    larger, smaller = a.greater(b), a.lesser(b)
    ratio = smaller / larger.equals(0).choose(1, larger)
    infinite = a.equals(exact.inf) | b.equals(exact.inf)
    return infinite.choose(exact.inf, larger * (ratio * ratio + 1).apply(math.sqrt))


def log_of_sum(a: Number, b: Number) -> Number:
    """log(exp(a) + exp(b))."""
    return _of_sum(a, b, lambda apart: apart.apply(math.exp).apply(math.log1p))


def log_of_sum_in_bits(a: Number, b: Number) -> Number:
    """log2(2^a + 2^b)."""
    return _of_sum(a, b, lambda apart: apart.apply(math.exp2).apply(math.log1p) * (1 / exact.log(2)))


def _of_sum(a: Number, b: Number, less: Callable[[Number], Number]) -> Number:
    same = a.is_infinite() & a.equals(b)
    return same.choose(a, a.greater(b) + less(-abs(a - b)))


def x_log_y(x: Number, y: Number | Plain) -> Number:
    """x log(y); 0 for x = 0, NaN for y = NaN."""
    return _times_log(x, x.like(y), math.log)


def x_log1p_y(x: Number, y: Number | Plain) -> Number:
    """x log(1 + y); 0 for x = 0, NaN for y = NaN."""
    return _times_log(x, x.like(y), math.log1p)


def _times_log(x: Number, y: Number, logarithm: Callable[..., Any]) -> Number:
    product = x.equals(0).choose(0.0, x * y.apply(logarithm))
    return y.is_nan().choose(y, product)


def logit(x: Number, margin: float | None = None) -> Number:
    """log(x / (1 - x)), of numbers brought into [margin, 1 - margin] first."""
    if margin is not None and margin >= 0:
        x = x.within(margin, 1 - margin)
    return (x / (1 - x)).apply(math.log)


def normalised_sine(x: Number) -> Number:
    """sin(pi x) / (pi x); 1 at 0."""
    angle = x * exact.pi
    return x.equals(0).choose(1.0, angle.apply(math.sin) / angle)


def scaled_by_power(x: Number, exponent: Number) -> Number:
    """x 2^exponent, where 2^exponent may be infinite or 0 in the type of x."""
    return (
        x * exponent.to(torch.float32).apply(math.exp2)
        if x.dtype in HALVES
        else x * exponent.apply(math.exp2)
    )


def error_complement(x: Number) -> Number:
    return x.apply(math.erfc)


def normal_distribution(x: Number) -> Number:
    """The share of a normal distribution below x; zero far below, as for PyTorch, which adds one to an `erf`."""
    return ((x * _ROOT_OF_HALF).apply(math.erf) + 1) * 0.5


def entropy(x: Number) -> Number:
    """-x log(x); 0 at 0, -inf below."""
    value = x.equals(0).choose(0.0, -x * x.apply(math.log))
    return (x < 0).choose(-exact.inf, value)


def shifted_left(x: Number, count: Number | Plain) -> Number:
    """Zero where the count is negative or no less than the width."""
    count = x.like(count)
    out = _is_no_shift(x, count)
    return out.choose(0, x.of(arith.shli(x.value, out.choose(0, count).value)))


def shifted_right(x: Number, count: Number | Plain) -> Number:
    """The sign alone where the count is negative or no less than the width."""
    count = x.like(count)
    out = _is_no_shift(x, count)
    if not x.is_signed:
        return out.choose(0, x.of(arith.shrui(x.value, out.choose(0, count).value)))
    return x.of(arith.shrsi(x.value, out.choose(x.bits - 1, count).value))


def _is_no_shift(x: Number, count: Number) -> Number:
    unsigned = Number(
        count.value, {8: torch.uint8, 16: torch.uint16, 32: torch.uint32, 64: torch.uint64}[x.bits]
    )
    return unsigned >= bits_of(x.dtype)


def never(x: Number) -> Number:
    """False, and what `x` is made of is kept out of it."""
    return constant(False, torch.bool)
