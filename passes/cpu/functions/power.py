"""x^y of f32 in the arithmetic that vector units have."""

from ....dialects.host import arith, ir, math
from .elementary import ROUND_DOUBLE, Arithmetic, splat

_MOST_FACTORS = 8  # of a constant power: more would add up too many roundings
_SQRT_HALF_BITS, _ONE_BITS = 0x3FE6A09E667F3BCD, 0x3FF0000000000000
_TWO_52 = 4503599627370496.0
# log(m) = 2 (t + t^3 / 3 + t^5 / 5 ...), t = (m - 1) / (m + 1), |t| < 0.172: 8 terms leave 1e-14
_SERIES = tuple(2.88539008177792681 / k for k in range(15, 0, -2))  # in units of log 2


def power(a: Arithmetic, x: ir.Value, y: ir.Value) -> ir.Value:
    """sign exp2(y log2 |x|), the product in f64: y may be large, and what it multiplies has to have digits enough."""
    compare = arith.CmpFPredicate
    zero, one = a.real(0.0), a.real(1.0)
    exponent, r = _split_product(a, _logarithm(a, math.absf(x)), y)
    value = a.scaled_exp(r, exponent)
    whole = arith.cmpf(compare.OEQ, math.floor(y), y)
    half = arith.mulf(y, a.real(0.5))
    odd = arith.andi(whole, arith.cmpf(compare.ONE, math.floor(half), half))
    value = arith.select(odd, math.copysign(value, x), value)
    negative = arith.andi(arith.cmpf(compare.OLT, x, zero), arith.cmpf(compare.OGT, x, a.real(-float("inf"))))
    value = arith.select(
        arith.andi(negative, arith.cmpf(compare.ONE, math.floor(y), y)), a.real(float("nan")), value
    )
    # 1^y and x^0 are 1 whatever the other is, and so is (-1)^infinity
    trivial = arith.ori(arith.cmpf(compare.OEQ, x, one), arith.cmpf(compare.OEQ, y, zero))
    endless = arith.cmpf(compare.OEQ, math.absf(y), a.real(float("inf")))
    trivial = arith.ori(trivial, arith.andi(endless, arith.cmpf(compare.OEQ, x, a.real(-1.0))))
    return arith.select(trivial, one, value)


def constant_power(x: ir.Value, y: float) -> ir.Value | None:
    """x^y by products, square roots and quotients, for a float of any width; None for other exponents."""
    kind = x.type
    element = kind.element_type if isinstance(kind, ir.VectorType) else kind
    one = splat(kind, ir.FloatAttr.get(element, 1.0))
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
    value, square = None, x
    while count:
        if count & 1:
            value = square if value is None else arith.mulf(value, square)
        count >>= 1
        square = arith.mulf(square, square) if count else square
    return value


def _logarithm(a: Arithmetic, size: ir.Value) -> ir.Value:
    """log2 of numbers from 0 to infinity, in f64."""
    wide, whole = a.shaped(ir.F64Type.get()), a.shaped(ir.IntegerType.get_signless(64))
    i64 = ir.IntegerType.get_signless(64)

    def number(value: float) -> ir.Value:
        return splat(wide, ir.FloatAttr.get(ir.F64Type.get(), value))

    def bits(value: int) -> ir.Value:
        return splat(whole, ir.IntegerAttr.get(i64, value))

    big = arith.extf(wide, size)
    shifted = arith.addi(arith.bitcast(whole, big), bits(_ONE_BITS - _SQRT_HALF_BITS))
    # exponents become the low digits of 2^52: vector units convert no i64
    raised = arith.ori(arith.shrui(shifted, bits(52)), bits(0x4330000000000000))
    e = arith.subf(arith.bitcast(wide, raised), number(_TWO_52 + 1023.0))
    mantissa = arith.addi(arith.andi(shifted, bits((1 << 52) - 1)), bits(_SQRT_HALF_BITS))
    m = arith.bitcast(wide, mantissa)
    t = arith.divf(arith.subf(m, number(1.0)), arith.addf(m, number(1.0)))
    z = arith.mulf(t, t)
    series = number(_SERIES[0])
    for coefficient in _SERIES[1:]:
        series = arith.addf(arith.mulf(series, z), number(coefficient))
    value = arith.addf(e, arith.mulf(t, series))
    infinity = number(float("inf"))
    ordered = arith.cmpf(arith.CmpFPredicate.OLT, big, infinity)
    value = arith.select(ordered, value, big)  # infinity and NaN
    nothing = arith.cmpf(arith.CmpFPredicate.OEQ, big, number(0.0))
    return arith.select(nothing, number(-float("inf")), value)


def _split_product(a: Arithmetic, logarithm: ir.Value, y: ir.Value) -> tuple[ir.Value, ir.Value]:
    """(n, r) with y logarithm = n + r / log(2)."""
    wide = logarithm.type

    def number(value: float) -> ir.Value:
        return splat(wide, ir.FloatAttr.get(ir.F64Type.get(), value))

    product = arith.mulf(arith.extf(wide, y), logarithm)
    product = arith.maximumf(arith.minimumf(product, number(250.0)), number(-250.0))
    n = arith.subf(arith.addf(product, number(ROUND_DOUBLE)), number(ROUND_DOUBLE))
    r = arith.truncf(a.type, arith.mulf(arith.subf(product, n), number(0.693147180559945309)))
    shifted = arith.addf(arith.truncf(a.type, n), a.real(12582912.0))
    return arith.subi(a.as_integer(shifted), a.as_integer(a.real(12582912.0))), r
