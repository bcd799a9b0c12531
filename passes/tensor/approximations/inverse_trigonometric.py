"""Arc sine, arc cosine, arc tangent."""

from __future__ import annotations

from .lanes import Mask, Real

# atan(x) = x + x z p(z), z = x^2, on |x| <= tan(pi / 8); asin(x) in the same way on |x| <= 1/2. f32: S. Moshier's
# (Cephes, atanf) and ours (5e-9), f64: ours (1.2e-18 and 1e-18), by the Remez exchange.
_ATAN = {
    False: (8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1),
    True: (
        -1.792217536520717e-2, 3.807822338614899e-2, -5.039841561733993e-2, 5.848008015476295e-2, -6.663120257052e-2,
        7.692061625762892e-2, -9.090897835809675e-2, 0.11111110786116338, -0.1428571428024813, 0.1999999999995408,
        -0.333333333333332,
    ),
}  # fmt: skip
_ASIN = {
    False: (4.22185793123804e-2, 2.414759715173074e-2, 4.547709950612429e-2, 7.495241754288429e-2, 0.16666753929315237),
    True: (
        3.267715570040084e-2, -2.107775860514106e-2, 2.176386188554047e-2, 3.6828772836589863e-3,
        1.0786577402509084e-2, 1.1397766387558716e-2, 1.3980962761278281e-2, 1.735159996962551e-2,
        2.2372215667908955e-2, 3.0381942683316992e-2, 4.464285717512764e-2, 7.499999999970254e-2, 0.16666666666666763,
    ),
}  # fmt: skip
_HALF_PI, _QUARTER_PI, _PI = 1.5707963267948966, 0.7853981633974483, 3.141592653589793
# what is missing to pi / 2
_HALF_PI_REST = {False: -4.371139000186241e-8, True: 6.123233995736766e-17}
_TAN_OF_EIGHTH = 0.4142135623730950


def atan(x: Real) -> Real:
    """atan(x) = pi / 2 - atan(1 / x) = pi / 4 + atan((x - 1) / (x + 1)), whichever argument is small."""
    size = abs(x)
    large, middle = size > 2.414213562373095, size > _TAN_OF_EIGHTH
    above = large.choose(x.number(-1.0), middle.choose(size - 1.0, size))
    below = large.choose(size, middle.choose(size + 1.0, x.number(1.0)))
    eighths = large.choose(x.number(2.0), middle.choose(x.number(1.0), x.number(0.0)))
    return _with_base(eighths, _odd_series(above / below, _ATAN)).with_sign_of(x)


def atan2(y: Real, x: Real) -> Real:
    """The angle of (x, y): the arc tangent of the smaller by the larger of their sizes, mirrored."""
    a, b = abs(x), abs(y)
    steep = b > a
    small, large = steep.choose(a, b), steep.choose(b, a)
    # sums of the largest numbers overflow
    scale = (large > 2.0**60).choose(x.number(0.25), x.number(1.0))
    small, large = small * scale, large * scale
    same = small.equals(large)  # infinities and zeros among them
    nothing = same & large.equals(0.0)
    middle = small > large * _TAN_OF_EIGHTH
    above = middle.choose(small - large, small)
    below = middle.choose(small + large, large)
    r = same.choose(x.number(0.0), above / below)
    eighths = middle.choose(x.number(1.0), x.number(0.0))
    eighths = nothing.choose(x.number(0.0), same.choose(x.number(1.0), eighths))
    value = _odd_series(r, _ATAN)
    # 90 degrees less the angle, and 180 less that: signs and multiples of pi / 4 add up
    value, eighths = _mirrored(steep, value, eighths, 2.0)
    value, eighths = _mirrored(_is_negative(x), value, eighths, 4.0)
    return _with_base(eighths, value).with_sign_of(y)


def asin(x: Real) -> Real:
    """pi / 2 - 2 asin(sqrt((1 - |x|) / 2)) beyond 1/2; NaN beyond 1."""
    large, value = _asin_of_size(x)
    wide = _from_half_pi(value * 2.0)
    return large.choose(wide, value).with_sign_of(x)


def acos(x: Real) -> Real:
    """pi / 2 - asin(x), 2 asin(sqrt((1 - x) / 2)) or pi less that of -x."""
    large, value = _asin_of_size(x)
    twice = value * 2.0
    rest = 2.0 * _HALF_PI_REST[x.double]
    far = (x < 0.0).choose(x.number(_rounded_pi(x)) - (twice - rest), twice)
    return large.choose(far, _from_half_pi(value.with_sign_of(x)))


def _asin_of_size(x: Real) -> tuple[Mask, Real]:
    """Whether |x| > 1/2, and asin(sqrt((1 - |x|) / 2)) or asin(|x|)."""
    a = abs(x)
    large = a > 0.5
    z = (1.0 - a) * 0.5
    return large, _odd_series(large.choose(z.square_root(), a), _ASIN)


def _odd_series(r: Real, coefficients: dict[bool, tuple[float, ...]]) -> Real:
    """r + r z p(z), z = r^2; -0 stays -0."""
    z = r * r
    return (z.polynomial(coefficients[r.double]) * z).times_plus(r, r)


def _mirrored(where: Mask, value: Real, eighths: Real, around: float) -> tuple[Real, Real]:
    return where.choose(-value, value), where.choose(around - eighths, eighths)


def _is_negative(x: Real) -> Mask:
    """-0 is."""
    return x.number(1.0).with_sign_of(x) < 0.0


def _with_base(eighths: Real, value: Real) -> Real:
    """eighths pi / 4 + value."""
    rest = eighths * (_HALF_PI_REST[value.double] / 2)
    return eighths * _rounded_quarter(value) + (value + rest)


def _from_half_pi(value: Real) -> Real:
    """pi / 2 - value."""
    return value.number(_rounded_quarter(value) * 2.0) - (value - _HALF_PI_REST[value.double])


def _rounded_quarter(like: Real) -> float:
    """pi / 4 as a number of this type."""
    return _QUARTER_PI if like.double else 0.785398185253143310546875


def _rounded_pi(like: Real) -> float:
    return 4.0 * _rounded_quarter(like)
