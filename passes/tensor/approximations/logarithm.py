"""Logarithms."""

from __future__ import annotations

from ....dialects.host import math
from .exponential import LN2_PARTS
from .lanes import Real

# f32: log(1 + z) = z - z^2 / 2 + z^3 p(z) on sqrt(1/2) <= 1 + z < sqrt(2) (S. Moshier, Cephes, logf)
_SERIES = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
# f64: log(1 + z) = z - z^2 / 2 + s (z^2 / 2 + w p(w)), s = z / (2 + z), w = s^2 (the form is that of fdlibm's log);
# p(w) = (log((1 + s) / (1 - s)) / s - 2) / w by the Remez exchange
_SERIES_OF_QUOTIENT = (
    0.14617352951777388, 0.15331646713460656, 0.18182891386776456, 0.22222211105191758, 0.28571428626122225,
    0.39999999999899455, 0.666666666666667,
)  # fmt: skip
_SQRT_HALF = {False: 0x3F3504F3, True: 0x3FE6A09E667F3BCD}  # bits
_LOG2_E, _LOG10_E, _LOG10_2 = 1.44269504088896341, 0.434294481903251828, 0.301029995663981195
# log10(2) in two parts, as `LN2_PARTS`
_LOG10_2_PARTS = {
    False: (0.30078125, 2.487456639811952e-4),
    True: (0.30102992057800293, 7.508597826552624e-8),
}


def log(x: Real) -> Real:
    """e ln 2 + log(m), see `split`."""
    e, z = split(x)
    high, low = LN2_PARTS[x.double]
    square = z * z
    if x.double:
        s = z / (z + 2.0)
        half = square * 0.5
        rest = s * (half + _series_of_quotient(s))
        value = e.times_plus(high, z - (half - e.times_plus(low, rest)))
    else:
        rest = e.times_plus(low, z.polynomial(_SERIES) * z * square)
        value = e.times_plus(high, z + square.times_plus(-0.5, rest))
    return _of_special(x, value)


def log2(x: Real) -> Real:
    """e + log(m) / ln 2: exact for powers of two."""
    e, z = split(x)
    return _of_special(x, e + _of_mantissa(z) * _LOG2_E)


def log10(x: Real) -> Real:
    """e log10(2) + log(m) / ln 10."""
    e, z = split(x)
    high, low = _LOG10_2_PARTS[x.double]
    return _of_special(x, e.times_plus(high, e.times_plus(low, _of_mantissa(z) * _LOG10_E)))


def log1p(x: Real) -> Real:
    """log(u) x / (u - 1), u = 1 + x, in which what u lost by rounding cancels (W. Kahan; D. Goldberg, What every
    computer scientist should know, theorem 4)."""
    if x.machine.functions:
        return x.of(math.log1p(x.value))
    u = x + 1.0
    value = log(u) * (x / (u - 1.0))
    return (u.equals(1.0) | x.equals(float("inf"))).choose(x, value)


def split(x: Real) -> tuple[Real, Real]:
    """(e, m - 1) with x = 2^e m and m within a factor sqrt(2) of 1; denormals are scaled up before."""
    tiny = x < x.smallest
    bits = tiny.choose(x * 2.0**x.digits, x).bits()
    shifted = bits + ((x.bias << x.digits) - _SQRT_HALF[x.double])
    # exponents become the low digits of 2^23 or 2^52: no integers are converted, which not every processor can
    raised = (shifted >> x.digits) | (x.bias + x.digits << x.digits)
    offset = 2.0**x.digits + x.bias
    e = raised.real() - tiny.choose(offset + x.digits, offset)
    mantissa = (shifted & ((1 << x.digits) - 1)) + _SQRT_HALF[x.double]
    return e, mantissa.real() - 1.0


def _of_mantissa(z: Real) -> Real:
    """log(1 + z)."""
    square = z * z
    if not z.double:
        return z + square.times_plus(-0.5, z.polynomial(_SERIES) * z * square)
    s = z / (z + 2.0)
    half = square * 0.5
    return z - (half - s * (half + _series_of_quotient(s)))


def _series_of_quotient(s: Real) -> Real:
    w = s * s
    return w * w.polynomial(_SERIES_OF_QUOTIENT)


def _of_special(x: Real, value: Real) -> Real:
    """log is -infinity at 0, NaN below and of NaN, infinity at infinity."""
    value = (x < float("inf")).choose(value, x)
    value = (x < 0.0).choose(float("nan"), value)
    return x.equals(0.0).choose(-float("inf"), value)
