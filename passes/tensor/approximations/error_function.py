"""The error function and its complement."""

from __future__ import annotations

from ....dialects.host import math
from .exponential import split
from .hyperbolic import odd_quotient
from .lanes import Real
from .pairs import exact_product

# erf(x) = x p(z) / q(z), z = x^2, on |x| <= 3.93, beyond which it rounds to 1; the quotient's relative error is 2e-8.
# Weighted least squares, weights raised where the error was large. All coefficients are positive: nothing cancels.
_ERF = (
    (2.041895892003532e-6, 2.847877223651175e-4, 3.779166434684853e-3, 5.278887499456619e-2, 0.19077506401471522,
     1.1283791455285512),
    (3.800220254077572e-5, 1.1650850667162184e-3, 1.4996556132253045e-2, 0.11425367191275197, 0.5024027207652152, 1.0),
)  # fmt: skip
# f64: erf(x) = x p(x^2) on |x| <= 1 (Remez exchange, 1.3e-19)
_ERF_SMALL = (
    5.945280432038e-11, -1.1365677755618263e-9, 1.4657883087466361e-8, -1.635002573354726e-7, 1.6460972867792408e-6,
    -1.4925593510203918e-5, 1.2055331037042933e-4, -8.54832697874625e-4, 5.223977624780938e-3, -2.6866170645072903e-2,
    0.11283791670954857, -0.3761263890318375, 1.1283791670955126,
)  # fmt: skip
# erfc(x) = exp(-x^2) p(t) / (1 + 2 x), t = (x - k) / (x + k), for 0 <= x up to where it underflows (Remez exchange;
# f32: k = 2, 1.3e-8; f64: k = 4, 1.1e-17)
_ERFC = {
    False: (
        -4.0054875685955563e-4, -1.2299029037781475e-3, 1.3134896568164742e-3, 8.63165748536455e-3,
        -8.059860406691221e-3, -5.4204291701347565e-2, 0.16405534400145522, -0.1660314256584217, -9.27639806996932e-2,
        1.2769783934678944,
    ),
    True: (
        -1.8000128018034313e-9, -1.3649565081883734e-8, -7.84214082298025e-9, 1.1515906010986218e-7,
        6.288793630151803e-8, -8.347645620906564e-7, 3.0127395013421484e-7, 5.717497434180525e-6,
        -1.1224822016399603e-5, -2.44029533757668e-5, 1.506222904030673e-4, -1.9925557968619137e-4,
        -7.577733614922258e-4, 5.031969770637577e-3, -1.619773405471019e-2, 3.716751556069818e-2,
        -6.633036581203985e-2, 9.373283499691475e-2, -0.10103906603632351, 6.809705425473304e-2,
        1.5379652102620139e-2, -0.13962111684056286, 1.2329951186255526,
    ),
}  # fmt: skip
_CENTRE = {False: 2.0, True: 4.0}
_LARGEST = {False: 11.0, True: 28.0}


def erf(x: Real) -> Real:
    """A quotient of polynomials in f32; in f64 a polynomial up to 1, and 1 - erfc(x) beyond."""
    if not x.double:
        return odd_quotient(x, 3.93, *_ERF)
    a = abs(x)
    return (a < 1.0).choose(_small_erf(a), 1.0 - _erfc_of_positive(a)).with_sign_of(x)


def erfc(x: Real) -> Real:
    """2 - erfc(-x) for negative numbers; 1 - erf(x) near 0 in f64."""
    a = abs(x)
    value = _erfc_of_positive(a)
    value = (x < 0.0).choose(2.0 - value, value)
    return (a < 0.5).choose(1.0 - _small_erf(x), value) if x.double else value


def _small_erf(x: Real) -> Real:
    return x * (x * x).polynomial(_ERF_SMALL)


def _erfc_of_positive(x: Real) -> Real:
    """x^2 has twice the digits of x, and its exponential depends on all of them: exp(-h - l) = exp(-h) (1 - l)."""
    x = x.at_most(_LARGEST[x.double])
    square = exact_product(x, x)
    t = (x - _CENTRE[x.double]) / (x + _CENTRE[x.double])
    factor = t.polynomial(_ERFC[x.double]) / (x * 2.0 + 1.0)
    factor = factor - factor * square.low
    if x.machine.functions:
        return x.of(math.exp((-square.high).value)) * factor
    return split(-square.high).exp(factor)
