"""Sine, cosine, tangent and arc tangent of f32 in the arithmetic that vector units have."""

from collections.abc import Sequence
from typing import Any

from ....dialects.host import arith, ir, math, scf, vector
from .elementary import ROUND_DOUBLE, Arithmetic, splat

# sin(r) = r (1 + z p(z)), cos(r) = 1 - z / 2 + z^2 p(z), z = r^2, on |r| <= pi / 4 (S. Moshier, Cephes, sinf)
_SINE = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COSINE = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
# atan(x) = x + x z p(z), z = x^2, on |x| <= tan(pi / 8) (Cephes, atanf)
_ARC_TANGENT = (8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1)
_TWO_OVER_PI = 0.636619772367581343
# pi / 2 in parts. With FMA: 24 digits each; without: so few digits in the first three that products with quadrants
# of up to 13 digits are exact.
_HALF_PI_FMA = (1.5707963705062866, -4.371138828673793e-8, -1.7151245100058819e-15)
_HALF_PI = (1.5703125, 4.837512969970703e-4, 7.549533620476723e-8, 2.5633440682570896e-12)
_LARGEST_FMA, _LARGEST = 32768.0, 8192.0  # up to which the parts are enough
_ROUND = 12582912.0  # 1.5 * 2^23
# 2 / pi in parts of 28 digits: products with f32 are exact in f64, and 8 parts reach below the smallest f32
_DIGITS_OF_TWO_OVER_PI = 0xA2F9836E4E441529FC2757D1F534DDC0DB6295993C439041FE5163ABDEBBC561
_DIGITS = 28


def sine(a: Arithmetic, x: ir.Value) -> ir.Value:
    """+-sin(r) or +-cos(r), as the quadrant says."""
    r, quadrant = _reduced(a, x)
    return _in_quadrant(a, quadrant, _sine(a, r), _cosine(a, r))


def cosine(a: Arithmetic, x: ir.Value) -> ir.Value:
    """sin of the next quadrant."""
    r, quadrant = _reduced(a, x)
    return _in_quadrant(a, arith.addi(quadrant, a.integer(1)), _sine(a, r), _cosine(a, r))


def tangent(a: Arithmetic, x: ir.Value) -> ir.Value:
    """sin(r) / cos(r), or -cos(r) / sin(r) in odd quadrants."""
    r, quadrant = _reduced(a, x)
    sine, cosine, odd = _sine(a, r), _cosine(a, r), _bit(a, quadrant, 1)
    above = arith.select(odd, arith.negf(cosine), sine)
    return arith.divf(above, arith.select(odd, sine, cosine))


def arc_tangent(a: Arithmetic, x: ir.Value) -> ir.Value:
    """atan(x) = pi / 2 - atan(1 / x) = pi / 4 + atan((x - 1) / (x + 1)), whichever argument is small."""
    size, one = math.absf(x), a.real(1.0)
    large = arith.cmpf(arith.CmpFPredicate.OGT, size, a.real(2.414213562373095))
    middle = arith.cmpf(arith.CmpFPredicate.OGT, size, a.real(0.4142135623730950))
    above = arith.select(large, a.real(-1.0), arith.select(middle, arith.subf(size, one), size))
    below = arith.select(large, size, arith.select(middle, arith.addf(size, one), one))
    base = arith.select(
        large, a.real(1.5707963267948966), arith.select(middle, a.real(0.7853981633974483), a.real(0.0))
    )
    r = arith.divf(above, below)
    z = arith.mulf(r, r)
    value = a.multiply_add(arith.mulf(a.polynomial(z, _ARC_TANGENT), z), r, r)
    return math.copysign(arith.addf(base, value), x)


def _sine(a: Arithmetic, r: ir.Value) -> ir.Value:
    z = arith.mulf(r, r)
    return arith.mulf(r, a.multiply_add(z, a.polynomial(z, _SINE), a.real(1.0)))  # -0 stays -0


def _cosine(a: Arithmetic, r: ir.Value) -> ir.Value:
    z = arith.mulf(r, r)
    head = a.multiply_add(z, a.real(-0.5), a.real(1.0))
    return a.multiply_add(arith.mulf(z, z), a.polynomial(z, _COSINE), head)


def _in_quadrant(a: Arithmetic, quadrant: ir.Value, sine: ir.Value, cosine: ir.Value) -> ir.Value:
    """sin, cos, -sin, -cos of what is left."""
    value = arith.select(_bit(a, quadrant, 1), cosine, sine)
    sign = arith.shli(arith.andi(quadrant, a.integer(2)), a.integer(30))
    return a.xor_bits(value, sign)


def _bit(a: Arithmetic, value: ir.Value, bit: int) -> ir.Value:
    masked = arith.andi(value, a.integer(bit))
    return arith.cmpi(arith.CmpIPredicate.ne, masked, a.integer(0))


def _reduced(a: Arithmetic, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """(r, q): x = r + q pi / 2, |r| <= pi / 4, q modulo 4.

    Lanes are reduced in f64 with more digits of 2 / pi when one of them is too large for the parts in f32.
    """
    magic = a.real(_ROUND)
    shifted = a.multiply_add(x, a.real(_TWO_OVER_PI), magic)
    n, r = arith.subf(shifted, magic), x
    for part in _HALF_PI_FMA if a.fma else _HALF_PI:
        r = a.multiply_add(n, a.real(-part), r)
    quadrant = arith.subi(a.as_integer(shifted), a.as_integer(magic))
    limit, size = a.real(_LARGEST_FMA if a.fma else _LARGEST), math.absf(x)
    large = arith.cmpf(arith.CmpFPredicate.UGT, size, limit)
    choice: Any = scf.IfOp(_any(large), [r.type, quadrant.type], has_else=True)
    with ir.InsertionPoint(choice.then_block):
        scf.YieldOp(_reduced_with_all_digits(a, x))
    with ir.InsertionPoint(choice.else_block):
        scf.YieldOp([r, quadrant])
    small = arith.cmpf(arith.CmpFPredicate.OLT, size, a.real(0.7853981633974483))
    return arith.select(small, x, choice.results[0]), choice.results[1]  # -0 and denormals stay as they are


def _any(condition: ir.Value) -> ir.Value:
    if not isinstance(condition.type, ir.VectorType):
        return condition
    kind: Any = ir.Attribute.parse("#vector.kind<or>")
    return vector.ReductionOp(ir.IntegerType.get_signless(1), kind, condition).result


def _reduced_with_all_digits(a: Arithmetic, x: ir.Value) -> Sequence[ir.Value]:
    """(r, q) of any finite x; r is NaN otherwise.

    x times each part of 2 / pi is exact in f64, so is what it leaves of whole turns (multiples of 4 quadrants), and
    what is left of all parts is less than 32 quadrants.
    """
    wide = a.shaped(ir.F64Type.get())

    def number(value: float) -> ir.Value:
        return splat(wide, ir.FloatAttr.get(ir.F64Type.get(), value))

    def whole(value: ir.Value) -> ir.Value:
        """A whole number near a number, itself from 2^52 on, where none has a fraction; not every processor rounds."""
        rounded = arith.subf(arith.addf(value, number(ROUND_DOUBLE)), number(ROUND_DOUBLE))
        small = arith.cmpf(arith.CmpFPredicate.OLT, math.absf(value), number(2.0**52))
        return arith.select(small, rounded, value)

    big = arith.extf(wide, x)
    rests = []
    for part in _two_over_pi():
        product = arith.mulf(big, number(part))
        turns = whole(arith.mulf(product, number(0.25)))
        rests.append(arith.subf(product, arith.mulf(turns, number(4.0))))
    total = rests[0]
    for rest in rests[1:]:
        total = arith.addf(total, rest)
    n = arith.subf(arith.addf(total, number(ROUND_DOUBLE)), number(ROUND_DOUBLE))
    left = arith.subf(rests[0], n)
    for rest in rests[1:]:
        left = arith.addf(left, rest)
    r = arith.truncf(a.type, arith.mulf(left, number(1.5707963267948966)))
    shifted = arith.addf(arith.truncf(a.type, n), a.real(_ROUND))
    return [r, arith.subi(a.as_integer(shifted), a.as_integer(a.real(_ROUND)))]


def _two_over_pi() -> list[float]:
    """Parts of 28 binary digits."""
    total = _DIGITS_OF_TWO_OVER_PI.bit_length()
    mask = (1 << _DIGITS) - 1
    return [
        float((_DIGITS_OF_TWO_OVER_PI >> (total - at - _DIGITS)) & mask) * 2.0 ** (-at - _DIGITS)
        for at in range(0, 8 * _DIGITS, _DIGITS)
    ]
