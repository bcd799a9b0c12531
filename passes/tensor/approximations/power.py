"""x^y and cube roots."""

from __future__ import annotations

from ....dialects.constants import splat
from ....dialects.host import arith, ir, math
from .exponential import LN2, LN2_PARTS, ReducedArgument, power_of_two
from .exponential import split as split_exponent
from .lanes import Real, element_of
from .logarithm import split
from .pairs import Pair, exact_product, exact_sum, ordered_sum
from .rounding import floor

_MOST_FACTORS = 8  # of a constant power: more would add up too many roundings
# log(m) = 2 (s + s^3 / 3 + s^5 / 5 ...), s = (m - 1) / (m + 1), |s| < 0.172: 8 terms leave 1e-14
_SERIES = tuple(2.88539008177792681 / k for k in range(15, 0, -2))  # in units of log 2
# log(m) = 2 s + s w (2 / 3 + w p(w)), w = s^2, by the Remez exchange: 7e-23
_TAIL = (
    0.11988837788319993, 0.11674839612846925, 0.13336316376418753, 0.1538455689819205, 0.18181818869914276,
    0.22222222217539747, 0.28571428571445096, 0.3999999999999998,
)  # fmt: skip
_TWO_THIRDS, _TWO_THIRDS_REST = 0.6666666666666666, 3.700743415417188e-17
# a polynomial for cube roots of sqrt(1/2) / 2 to 2 sqrt(2), by the Remez exchange: 7e-4
_CUBE_ROOT = (
    1.128265909224848e-2, -0.104485211862085, 0.3870261259198329, -0.7611615296125472, 1.0524001672684902,
    0.41513537418279156,
)  # fmt: skip


def power(x: Real, y: Real) -> Real:
    """+-exp(y log |x|), with more digits than x and y have: y may be large. Special cases are those of C's `pow`."""
    value = _of_double(abs(x), y) if x.double else _of_single(abs(x), y)
    whole, half = floor(y), y * 0.5
    odd = whole.equals(y) & half.differs(floor(half))
    value = odd.choose(value.with_sign_of(x), value)
    negative = (x < 0.0) & (x > -float("inf"))
    value = (negative & y.differs(whole)).choose(float("nan"), value)
    # 1^y and x^0 are 1 whatever the other is, and so is (-1)^infinity
    trivial = x.equals(1.0) | y.equals(0.0) | (abs(y).equals(float("inf")) & x.equals(-1.0))
    return trivial.choose(1.0, value)


def cube_root(x: Real) -> Real:
    """2^k r with x = 2^(3 k) m: r is a polynomial of m, improved by steps that triple its digits (E. Halley)."""
    size = abs(x)
    if x.machine.functions:
        return x.of(math.powf(size.value, x.number(1 / 3).value)).with_sign_of(x)
    exponent, z = split(size)
    k = (exponent * (1 / 3) + x.round_number) - x.round_number
    left = k.times_plus(-3.0, exponent)
    m = (z + 1.0) * (left > 0.0).choose(x.number(2.0), (left < 0.0).choose(x.number(0.5), x.number(1.0)))
    r = m.polynomial(_CUBE_ROOT)
    for _ in range(2 if x.double else 1):
        cube = r * r * r
        r = r.times_plus((m - cube) / (cube * 2.0 + m), r)
    value = r * power_of_two(k + (x.round_number + x.bias))
    usable = (size > 0.0) & (size < float("inf"))
    return usable.choose(value.with_sign_of(x), x)


def constant_power(x: ir.Value, y: float) -> ir.Value | None:
    """x^y by products, square roots and quotients, for a float of any width; None for other exponents."""
    one = splat(x.type, ir.FloatAttr.get(element_of(x.type), 1.0))
    if abs(y) == 0.5:
        root = math.sqrt(x)
        return root if y > 0 else arith.divf(one, root)
    if y != int(y) or abs(y) > _MOST_FACTORS:
        return None
    value = product_of(x, int(abs(y)))
    value = one if value is None else value
    return arith.divf(one, value) if y < 0 else value


def product_of(x: ir.Value, count: int) -> ir.Value | None:
    """x multiplied `count` times with itself, by repeated squaring; None for no factors."""
    multiply = arith.mulf if isinstance(element_of(x.type), ir.FloatType) else arith.muli
    value, square = None, x
    while count:
        if count & 1:
            value = square if value is None else multiply(value, square)
        count >>= 1
        square = multiply(square, square) if count else square
    return value


def _of_single(size: Real, y: Real) -> Real:
    """2^(2 a) e^r with y log2(size) = 2 a + r / ln 2, the product in f64."""
    wide = size.widened()
    e, z = split(wide)
    s = z / (z + 2.0)
    logarithm = _of_special(wide, e + s * (s * s).polynomial(_SERIES))
    product = (y.widened() * logarithm).at_most(250.0).at_least(-250.0)
    offset = wide.round_number + wide.bias
    shifted = product.times_plus(0.5, offset)
    r = ((shifted - offset).times_plus(-2.0, product) * LN2).narrowed()
    return ReducedArgument(r, power_of_two(shifted).narrowed()).exp()


def _of_double(size: Real, y: Real) -> Real:
    logarithm = _logarithm(size)
    product = exact_product(logarithm.high, y)
    rest = logarithm.low.times_plus(y, product.low)
    rest = (abs(product.high) < 1024.0).choose(rest, size.number(0.0))  # infinite products have none
    parts = split_exponent(product.high)
    return ReducedArgument(parts.r + rest, parts.scale).exp()


def _logarithm(x: Real) -> Pair:
    """log(x) in twice the digits, for x from 0 to infinity."""
    e, z = split(x)
    two = x.number(2.0)
    s = _quotient(z, ordered_sum(two, z))
    w = s * s
    tail = Pair(x.number(_TWO_THIRDS), x.number(_TWO_THIRDS_REST))
    tail += _exact(w.high * w.high.polynomial(_TAIL))
    cubic = s * w * tail
    high, low = LN2_PARTS[True]
    doubled = Pair(s.high * 2.0, s.low * 2.0)
    value = exact_sum(e * high, doubled.high)
    value = ordered_sum(value.high, value.low + (doubled.low + e * low))
    value += cubic
    usable = (x > 0.0) & (x < float("inf"))
    return Pair(_of_special(x, value.high), usable.choose(value.low, x.number(0.0)))


def _quotient(a: Real, b: Pair) -> Pair:
    q = a / b.high
    product = exact_product(q, b.high)
    rest = ((a - product.high) - product.low) - q * b.low
    return ordered_sum(q, rest / b.high)


def _exact(x: Real) -> Pair:
    return Pair(x, x.number(0.0))


def _of_special(x: Real, value: Real) -> Real:
    """The logarithm is -infinity at 0; infinity and NaN stay."""
    return x.equals(0.0).choose(-float("inf"), (x < float("inf")).choose(value, x))
