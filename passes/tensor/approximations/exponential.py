"""exp and its relatives."""

from __future__ import annotations

from dataclasses import dataclass

from .lanes import Real

# exp(r) = 1 + r + r^2 p(r), highest power first; ours, by the Remez exchange on the relative error.
# On |r| <= ln(2) / 2, where `vscalef` multiplies by 2^n: 3e-9 in f32, 4e-18 in f64.
_EXP_HALF = {
    False: (1.38147144085304e-3, 8.368716802148658e-3, 4.166838609521489e-2, 0.16666520634508797, 0.49999993454732344),
    True: (
        2.4999853534887848e-8, 2.7630229558010816e-7, 2.7557587204081302e-6, 2.480149315436183e-5,
        1.9841269505413366e-4, 1.3888888943572317e-3, 8.333333333495126e-3, 4.1666666666530405e-2,
        0.1666666666666641, 0.5000000000000011,
    ),
}  # fmt: skip
# On |r| <= ln(2), where 2^n has an even n and is the square of a number that is not denormal: 1.4e-8 and 1e-17.
_EXP_WHOLE = {
    False: (
        1.9610856402314168e-4, 1.4104299430270362e-3, 8.336107728492791e-3, 4.166127793148105e-2,
        0.16666614062255697, 0.5000003451375173,
    ),
    True: (
        1.593563281818669e-10, 2.1062267825168246e-9, 2.505503106372699e-8, 2.755615885492979e-7,
        2.7557300673341067e-6, 2.480159082611839e-5, 1.984126989269675e-4, 1.388888888358516e-3,
        8.33333333327004e-3, 4.166666666670201e-2, 0.16666666666666935, 0.4999999999999993,
    ),
}  # fmt: skip
# ln(2) in two parts; products of the first with exponents are exact
LN2_PARTS = {
    False: (0.693359375, -2.12194440054690583e-4),
    True: (0.693147180369123816490, 1.90821492927058770002e-10),
}
LN2 = 0.693147180559945309
_LOG2_E = 1.44269504088896341
# Where results are 0 and infinity for sure, in units of ln 2: half of it overflows, too
_ENDS = {False: (-104.0, 90.0), True: (-746.0, 711.0)}
_ENDS_OF_EXP2 = {False: (-152.0, 130.0), True: (-1078.0, 1026.0)}


@dataclass(frozen=True)
class ReducedArgument:
    """x = r + 2 a ln 2 with |r| <= ln 2.

    Attributes:
        scale: 2^a, neither denormal nor infinite.
    """

    r: Real
    scale: Real

    def exp(self, factor: Real | float = 1.0) -> Real:
        """factor e^x: rounded to a denormal number, or to infinity, in the last product."""
        value = _series(self.r, _EXP_WHOLE)
        return (value if factor == 1.0 else value * factor) * self.scale * self.scale

    def expm1(self, factor: float = 1.0) -> Real:
        """factor (e^x - 1) as factor s (s p + (s - 1 / s)), p = e^r - 1, s = 2^a: nothing is lost where s = 1."""
        r = self.r
        p = r.polynomial(_EXP_WHOLE[r.double]).times_plus(r * r, r)
        inverse = ((2 * r.bias << r.digits) - self.scale.bits()).real()
        value = p.times_plus(self.scale, self.scale - inverse)
        return (value if factor == 1.0 else value * factor) * self.scale


def exp(x: Real) -> Real:
    """2^n e^r, n = round(x / ln 2)."""
    if not x.scales:
        return split(x).exp()
    x = _limited(x, _ENDS)
    n = x.times_plus(_LOG2_E, x.round_number) - x.round_number
    return _series(_rest(x, n, 1), _EXP_HALF).scaled(n)


def exp2(x: Real) -> Real:
    """2^n e^(f ln 2) with x = n + f, both of which are exact."""
    x = _limited(x, _ENDS_OF_EXP2)
    if x.scales:
        n = (x + x.round_number) - x.round_number
        return _series((x - n) * LN2, _EXP_HALF).scaled(n)
    shifted, a = _halved(x, 0.5)
    return ReducedArgument(a.times_plus(-2.0, x) * LN2, power_of_two(shifted)).exp()


def expm1(x: Real) -> Real:
    """e^x - 1, with all digits near 0."""
    return split(x).expm1().with_sign_of(x)  # -0 stays -0


def split(x: Real) -> ReducedArgument:
    """Of any number; infinity and what is near it become something whose exponential overflows."""
    x = _limited(x, _ENDS)
    shifted, a = _halved(x, _LOG2_E / 2)
    return ReducedArgument(_rest(x, a, 2), power_of_two(shifted))


def power_of_two(shifted: Real) -> Real:
    """2^n of n + bias + 1.5 * 2^23 (f32) or 1.5 * 2^52 (f64)."""
    return (shifted.bits() << shifted.digits).real()


def _limited(x: Real, ends: dict[bool, tuple[float, float]]) -> Real:
    least, most = ends[x.double]
    return x.at_most(most).at_least(least)


def _halved(x: Real, factor: float) -> tuple[Real, Real]:
    """a = round(factor x), and as `power_of_two` takes it."""
    offset = x.round_number + x.bias
    shifted = x.times_plus(factor, offset)
    return shifted, shifted - offset


def _rest(x: Real, n: Real, multiple: int) -> Real:
    """x - n multiple ln 2."""
    high, low = LN2_PARTS[x.double]
    return n.times_plus(-multiple * low, n.times_plus(-multiple * high, x))


def _series(r: Real, coefficients: dict[bool, tuple[float, ...]]) -> Real:
    return r.polynomial((*coefficients[r.double], 1.0, 1.0))
