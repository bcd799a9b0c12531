"""Elementary functions in the arithmetic that vector units have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ....dialects.host import arith, ir, math

# exp(r) = 1 + r + r^2 p(r) on |r| <= ln(2) / 2, highest power first (S. Moshier, Cephes, expf)
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
# erf(x) = x p(z) / q(z), z = x^2, on |x| <= 3.93, beyond which it rounds to 1; the quotient's relative error is 2e-8.
# The fit is our own (weighted least squares, weights raised where the error was large). All coefficients are positive:
# nothing cancels.
_ERF = (
    (2.041895892003532e-6, 2.847877223651175e-4, 3.779166434684853e-3, 5.278887499456619e-2, 0.19077506401471522,
     1.1283791455285512),
    (3.800220254077572e-5, 1.1650850667162184e-3, 1.4996556132253045e-2, 0.11425367191275197, 0.5024027207652152, 1.0),
)  # fmt: skip
# tanh(x) in the same way, on |x| <= 9.1
_TANH = (
    (1.3176706514307184e-8, 2.048063518089201e-5, 3.4877799800818628e-3, 0.13374450149091607, 0.9999999773804251),
    (7.703721928027307e-7, 3.272867472246323e-4, 2.5847273680121765e-2, 0.46707764004874003, 1.0),
)  # fmt: skip
# log(1 + z) = z - z^2 / 2 + z^3 p(z) on sqrt(1/2) <= 1 + z < sqrt(2) (Cephes, logf)
_LOG = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_LN2_HIGH, _LN2_LOW = (
    0.693359375,
    -2.12194440e-4,
)  # ln(2) in two parts; products of the first with exponents are exact
_SQRT_HALF = 0x3F3504F3  # bits
_ROUND = 12582912.0  # 1.5 * 2^23: adding it rounds to an integer and leaves it in the low bits
ROUND_DOUBLE = 6755399441055744.0  # the same of f64, 1.5 * 2^52


class Arithmetic:
    """Builds f32 arithmetic of the shape of `like`; Python numbers stand for splat constants.

    Args:
        fma: whether to use fused multiply-add, which is slow where it is no instruction.
    """

    def __init__(self, like: ir.Type, fma: bool) -> None:
        self.type = like
        self.fma = fma

    def shaped(self, element: ir.Type) -> ir.Type:
        if isinstance(self.type, ir.VectorType):
            return ir.VectorType.get(list(self.type.shape), element)
        return element

    def real(self, value: float) -> ir.Value:
        return splat(self.type, ir.FloatAttr.get(ir.F32Type.get(), value))

    def integer(self, value: int) -> ir.Value:
        i32 = ir.IntegerType.get_signless(32)
        return splat(self.shaped(i32), ir.IntegerAttr.get(i32, value))

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        if self.fma:
            return math.fma(a, b, c)
        return arith.addf(arith.mulf(a, b), c)

    def polynomial(self, x: ir.Value, coefficients: Sequence[float]) -> ir.Value:
        """Horner's scheme, highest power first."""
        value = self.real(coefficients[0])
        for coefficient in coefficients[1:]:
            value = self.multiply_add(value, x, self.real(coefficient))
        return value

    def power_of_two(self, exponent: ir.Value) -> ir.Value:
        """2^exponent for i32 exponents from -126 to 127."""
        biased = arith.addi(exponent, self.integer(127))
        return arith.bitcast(self.type, arith.shli(biased, self.integer(23)))

    def as_integer(self, value: ir.Value) -> ir.Value:
        return arith.bitcast(self.shaped(ir.IntegerType.get_signless(32)), value)

    def xor_bits(self, value: ir.Value, bits: ir.Value) -> ir.Value:
        return arith.bitcast(self.type, arith.xori(self.as_integer(value), bits))

    def exp(self, x: ir.Value) -> ir.Value:
        """2^n (1 + p(r)), the scale in two halves, so that it reaches infinity above and the denormals below."""
        p, first, second = self._reduced_exp(x)
        p = arith.addf(p, self.real(1.0))
        return arith.mulf(arith.mulf(p, self.power_of_two(first)), self.power_of_two(second))

    def expm1(self, x: ir.Value) -> ir.Value:
        """exp(x) - 1 = 2^b (2^a p(r) + (2^a - 2^-b)) with a + b = n: nothing is lost for small x, where n = 0."""
        p, first, second = self._reduced_exp(x)
        scale = self.power_of_two(first)
        offset = arith.subf(scale, self.power_of_two(arith.subi(self.integer(0), second)))
        value = arith.mulf(self.multiply_add(p, scale, offset), self.power_of_two(second))
        return math.copysign(value, x)  # -0 stays -0

    def _reduced_exp(self, x: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
        """(p, a, b) with exp(x) = 2^a 2^b (1 + p): n = a + b = round(x / ln 2), p = exp(r) - 1, r = x - n ln 2.

        Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
        """
        magic = self.real(_ROUND)
        x = arith.maximumf(arith.minimumf(x, self.real(89.0)), self.real(-104.0))
        shifted = self.multiply_add(x, self.real(1.44269504088896341), magic)
        n = arith.subf(shifted, magic)
        r = self.multiply_add(n, self.real(-_LN2_HIGH), x)
        r = self.multiply_add(n, self.real(-_LN2_LOW), r)
        p = self.multiply_add(self.polynomial(r, _EXP), arith.mulf(r, r), r)
        exponent = arith.subi(self.as_integer(shifted), self.as_integer(magic))
        half = arith.shrsi(exponent, self.integer(1))
        return p, half, arith.subi(exponent, half)

    def exp2(self, x: ir.Value) -> ir.Value:
        """2^n (1 + p(f ln 2)) with x = n + f: both are exact."""
        magic = self.real(_ROUND)
        x = arith.maximumf(arith.minimumf(x, self.real(130.0)), self.real(-152.0))
        shifted = arith.addf(x, magic)
        n = arith.subf(shifted, magic)
        r = arith.mulf(arith.subf(x, n), self.real(0.693147180559945309))
        exponent = arith.subi(self.as_integer(shifted), self.as_integer(magic))
        return self.scaled_exp(r, exponent)

    def scaled_exp(self, r: ir.Value, exponent: ir.Value) -> ir.Value:
        """2^exponent exp(r) for |r| <= ln(2) / 2 and i32 exponents from -252 to 254."""
        p = self.multiply_add(self.polynomial(r, _EXP), arith.mulf(r, r), r)
        half = arith.shrsi(exponent, self.integer(1))
        scaled = arith.mulf(arith.addf(p, self.real(1.0)), self.power_of_two(half))
        return arith.mulf(scaled, self.power_of_two(arith.subi(exponent, half)))

    def log(self, x: ir.Value) -> ir.Value:
        """e ln 2 + log(m), see `_split`."""
        return self._logarithm(x, 1.0, _LN2_HIGH, _LN2_LOW)

    def log2(self, x: ir.Value) -> ir.Value:
        """e + log(m) / ln 2: exact for powers of two."""
        return self._logarithm(x, 1.44269504088896341, 1.0, 0.0)

    def log10(self, x: ir.Value) -> ir.Value:
        """e log10(2) + log(m) / ln 10."""
        return self._logarithm(x, 0.434294481903251828, 0.30078125, 2.487456639811952e-4)

    def _logarithm(self, x: ir.Value, unit: float, high: float, low: float) -> ir.Value:
        """e (high + low) + unit log(m); high has few digits, so that its products with exponents are exact."""
        e, z = self._split(x)
        square = arith.mulf(z, z)
        rest = arith.mulf(arith.mulf(self.polynomial(z, _LOG), z), square)
        if unit == 1.0:
            rest = self.multiply_add(e, self.real(low), rest)
            rest = self.multiply_add(square, self.real(-0.5), rest)
            value = self.multiply_add(e, self.real(high), arith.addf(z, rest))
        else:
            value = arith.addf(z, self.multiply_add(square, self.real(-0.5), rest))
            value = arith.mulf(value, self.real(unit))
            value = self.multiply_add(e, self.real(low), value) if low else value
            value = self.multiply_add(e, self.real(high), value)
        return self._log_of_special(x, value)

    def _split(self, x: ir.Value) -> tuple[ir.Value, ir.Value]:
        """(e, m - 1) with x = 2^e m and m within a factor sqrt(2) of 1; denormals are scaled up before."""
        tiny = arith.cmpf(arith.CmpFPredicate.OLT, x, self.real(1.1754943508222875e-38))
        bits = self.as_integer(arith.select(tiny, arith.mulf(x, self.real(2.0**23)), x))
        shifted = arith.addi(bits, self.integer(0x3F800000 - _SQRT_HALF))
        exponent = arith.subi(arith.shrui(shifted, self.integer(23)), self.integer(127))
        exponent = arith.subi(exponent, arith.select(tiny, self.integer(23), self.integer(0)))
        mantissa = arith.addi(arith.andi(shifted, self.integer(0x007FFFFF)), self.integer(_SQRT_HALF))
        z = arith.subf(arith.bitcast(self.type, mantissa), self.real(1.0))
        return arith.sitofp(self.type, exponent), z

    def _log_of_special(self, x: ir.Value, value: ir.Value) -> ir.Value:
        """log is -infinity at 0, NaN below and of NaN, infinity at infinity."""
        compare, zero, infinity = arith.CmpFPredicate, self.real(0.0), self.real(float("inf"))
        value = arith.select(arith.cmpf(compare.OLT, x, infinity), value, x)
        value = arith.select(arith.cmpf(compare.OLT, x, zero), self.real(float("nan")), value)
        return arith.select(arith.cmpf(compare.OEQ, x, zero), self.real(-float("inf")), value)

    def log1p(self, x: ir.Value) -> ir.Value:
        return log1p(x, self.log)

    def tanh(self, x: ir.Value) -> ir.Value:
        return self._odd_quotient(x, 9.1, *_TANH)

    def erf(self, x: ir.Value) -> ir.Value:
        return self._odd_quotient(x, 3.93, *_ERF)

    def _odd_quotient(
        self, x: ir.Value, limit: float, above: Sequence[float], below: Sequence[float]
    ) -> ir.Value:
        """x p(x^2) / q(x^2), with x within its limits and the result within 1."""
        x = arith.maximumf(arith.minimumf(x, self.real(limit)), self.real(-limit))
        z = arith.mulf(x, x)
        value = arith.divf(arith.mulf(x, self.polynomial(z, above)), self.polynomial(z, below))
        return arith.maximumf(arith.minimumf(value, self.real(1.0)), self.real(-1.0))


def log1p(x: ir.Value, log: Callable[[ir.Value], ir.Value]) -> ir.Value:
    """log(1 + x) of any float type, as accurate as `log`: log(u) x / (u - 1), u = 1 + x, in which what u lost by
    rounding cancels (W. Kahan; D. Goldberg, What every computer scientist should know, theorem 4)."""
    one, infinity = (
        splat(x.type, ir.FloatAttr.get(_element(x.type), value)) for value in (1.0, float("inf"))
    )
    u = arith.addf(x, one)
    value = arith.mulf(log(u), arith.divf(x, arith.subf(u, one)))
    same = arith.cmpf(arith.CmpFPredicate.OEQ, u, one)
    itself = arith.ori(same, arith.cmpf(arith.CmpFPredicate.OEQ, x, infinity))
    return arith.select(itself, x, value)


def expm1(x: ir.Value) -> ir.Value:
    """exp(x) - 1 of any float type, as accurate as `math.exp` and `math.log`: (u - 1) x / log(u), u = exp(x)."""
    kind, compare = _element(x.type), arith.CmpFPredicate
    one, minus_one, infinity = (
        splat(x.type, ir.FloatAttr.get(kind, value)) for value in (1.0, -1.0, float("inf"))
    )
    u = math.exp(x)
    difference = arith.subf(u, one)
    value = arith.mulf(difference, arith.divf(x, math.log(u)))
    value = arith.select(arith.cmpf(compare.OEQ, u, one), x, value)
    ends = arith.ori(arith.cmpf(compare.OEQ, difference, minus_one), arith.cmpf(compare.OEQ, u, infinity))
    return arith.select(ends, difference, value)


def _element(kind: ir.Type) -> ir.Type:
    return kind.element_type if isinstance(kind, ir.VectorType) else kind


def splat(kind: ir.Type, value: Any) -> ir.Value:
    """A constant of a scalar or vector type with the same attribute in every lane."""
    attribute: Any = ir.DenseElementsAttr.get_splat(kind, value) if isinstance(kind, ir.VectorType) else value
    return arith.ConstantOp(kind, attribute).result
