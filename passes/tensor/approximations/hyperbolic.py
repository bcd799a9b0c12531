"""Hyperbolic functions and their inverses."""

from __future__ import annotations

from collections.abc import Sequence

from ....dialects.host import math
from .exponential import LN2, split
from .lanes import Mask, Real
from .logarithm import log1p

# tanh(x) = x p(z) / q(z), z = x^2, on |x| <= 9.1, beyond which it rounds to 1: weighted least squares, weights raised
# where the error was large. All coefficients are positive: nothing cancels.
_TANH = (
    (1.3176706514307184e-8, 2.048063518089201e-5, 3.4877799800818628e-3, 0.13374450149091607, 0.9999999773804251),
    (7.703721928027307e-7, 3.272867472246323e-4, 2.5847273680121765e-2, 0.46707764004874003, 1.0),
)  # fmt: skip
# From where on sqrt(x^2 + 1) is x; its square is far from infinity
_LARGE = {False: 2.0**30, True: 2.0**60}


def tanh(x: Real) -> Real:
    """A quotient of polynomials in f32; t / (t + 2) with t = exp(2 |x|) - 1 in f64."""
    if not x.double:
        return odd_quotient(x, 9.1, *_TANH)
    t = split(abs(x).at_most(20.0) * 2.0).expm1()
    return (t / (t + 2.0)).with_sign_of(x)


def sinh(x: Real) -> Real:
    """h + h / (2 h + 1) with h = (exp(|x|) - 1) / 2, which is finite as long as sinh is."""
    h = _half_expm1(abs(x))
    ratio = h.at_most(2.0**100) / (h * 2.0 + 1.0)
    return (h + ratio).with_sign_of(x)


def cosh(x: Real) -> Real:
    """h + 1 / (4 h) with h = exp(|x|) / 2."""
    h = _half_exp(abs(x))
    return h + 0.25 / h


def asinh(x: Real) -> Real:
    """log(1 + (a + a^2 / (1 + sqrt(1 + a^2)))), a = |x|; log(2 a) where a is large."""
    a = abs(x)
    large = a > _LARGE[x.double]
    square = a * a
    inner = a + square / ((square + 1.0).square_root() + 1.0)
    return _log1p_or_double(large, a, inner).with_sign_of(x)


def acosh(x: Real) -> Real:
    """log(1 + (t + sqrt(t^2 + 2 t))), t = x - 1; NaN below 1."""
    t = x - 1.0
    inner = t + t.times_plus(t, t * 2.0).square_root()
    value = _log1p_or_double(x > _LARGE[x.double], x, inner)
    return (x < 1.0).choose(float("nan"), value)


def atanh(x: Real) -> Real:
    """log(1 + 2 a / (1 - a)) / 2, a = |x|: infinite at 1, NaN beyond."""
    a = abs(x)
    return (log1p(a * 2.0 / (1.0 - a)) * 0.5).with_sign_of(x)


def odd_quotient(x: Real, limit: float, above: Sequence[float], below: Sequence[float]) -> Real:
    """x p(x^2) / q(x^2) within 1, which it exceeds where x does its limit: the square stays there."""
    z = (x * x).at_most(limit * limit)
    value = x * z.polynomial(above) / z.polynomial(below)
    return value.at_most(1.0).at_least(-1.0)


def _half_expm1(a: Real) -> Real:
    """(e^a - 1) / 2, which is finite where e^a may be infinite: with b = e^(a / 2) - 1, b (b / 2 + 1)."""
    if not a.machine.functions:
        return split(a).expm1(0.5)
    b = a.of(math.expm1((a * 0.5).value))
    return b * (b * 0.5 + 1.0)


def _half_exp(a: Real) -> Real:
    """e^a / 2, which is finite where e^a may be infinite."""
    if not a.machine.functions:
        return split(a).exp(0.5)
    root = a.of(math.exp((a * 0.5).value))
    return root * (root * 0.5)


def _log1p_or_double(large: Mask, x: Real, inner: Real) -> Real:
    """log(2 x) where x is large, else log(1 + inner)."""
    value = log1p(large.choose(x, inner))
    return value + large.choose(LN2, x.number(0.0))
