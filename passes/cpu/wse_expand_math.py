"""Replaces functions that are not instructions by arithmetic that vector units have."""

from collections.abc import Callable, Sequence
from typing import Any

from ...dialects.host import arith, ir, math
from ..infra.pass_base import Pass, PassRun, option
from ..infra.patterns import Pattern, PatternSet, Rewriter
from .processor import processor

# exp(r) = 1 + r + r^2 p(r) on |r| <= ln(2) / 2, highest power first (S. Moshier, Cephes, expf)
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
# tanh(x) = x + x z p(z), z = x^2, on |x| < 0.625 (Cephes, tanhf)
_TANH = (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
# erf(x) = x p(x^2) on |x| < 1 (Cephes, erff)
_ERF = (
    7.853861353153693e-5, -8.010193625184903e-4, 5.188327685732524e-3, -2.685381193529856e-2,
    1.128358514861418e-1, -3.761262582423300e-1, 1.128379165726710,
)  # fmt: skip
# erf(x) = 1 - t q(t) exp(-x^2), t = 1 / (1 + 0.3275911 x), for x >= 0; |error| < 1.5e-7
# (Abramowitz and Stegun, 7.1.26)
_ERF_TAIL = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)


class ExpandMath(Pass, name="wse-expand-math", anchor="func.func"):
    """Expands exp, tanh and erf on f32 scalars and vectors into polynomials.

    Relative errors stay below 2e-7 for exp and 4e-7 for tanh and erf; infinities, NaN and denormal results
    are those of the C library. Integer powers (of any float type) become products when the exponent is a
    constant, else `math.powf`: LLVM has none with 64-bit exponents. Everything else is left alone.

        %y = math.exp %x : vector<16xf32>
    becomes
        %n = math.fma %x, %log2e, %magic ... %p = math.fma ... %y = arith.mulf ...
    """

    cpu: str = option("", "LLVM's name of the processor that code is for; this machine's when empty")
    features: str = option("", "LLVM's processor features on top of that, '+avx2,-avx512f'")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        fma = processor(self.cpu, self.features).has_fma
        patterns = PatternSet(
            *(Pattern(f"math.{name}", _pattern(expand, fma)) for name, expand in _EXPANSIONS.items()),
            Pattern("math.fpowi", expand_integer_power),
        )
        run.count("functions expanded", sum(patterns.apply(op).values()))


class _Arithmetic:
    """Builds f32 arithmetic of the shape of `like`; Python numbers stand for splat constants.

    Args:
        fma: whether to use fused multiply-add, which is slow where it is no instruction.
    """

    def __init__(self, like: ir.Type, fma: bool) -> None:
        self.type = like
        self._fma = fma

    def _shaped(self, element: ir.Type) -> ir.Type:
        if isinstance(self.type, ir.VectorType):
            return ir.VectorType.get(list(self.type.shape), element)
        return element

    def real(self, value: float) -> ir.Value:
        return _splat(self.type, ir.FloatAttr.get(ir.F32Type.get(), value))

    def integer(self, value: int) -> ir.Value:
        i32 = ir.IntegerType.get_signless(32)
        return _splat(self._shaped(i32), ir.IntegerAttr.get(i32, value))

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        if self._fma:
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
        return arith.bitcast(self._shaped(ir.IntegerType.get_signless(32)), value)

    def exp(self, x: ir.Value) -> ir.Value:
        """2^n exp(r) with n = round(x / ln 2).

        Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits. The scale is applied in two halves,
        so that it reaches infinity above and the denormal numbers below.
        """
        magic = self.real(12582912.0)
        x = arith.maximumf(arith.minimumf(x, self.real(89.0)), self.real(-104.0))
        shifted = self.multiply_add(x, self.real(1.44269504088896341), magic)
        n = arith.subf(shifted, magic)
        r = self.multiply_add(n, self.real(-0.693359375), x)
        r = self.multiply_add(n, self.real(2.12194440e-4), r)
        p = self.multiply_add(self.polynomial(r, _EXP), arith.mulf(r, r), r)
        p = arith.addf(p, self.real(1.0))
        exponent = arith.subi(self.as_integer(shifted), self.as_integer(magic))
        half = arith.shrsi(exponent, self.integer(1))
        rest = arith.subi(exponent, half)
        return arith.mulf(arith.mulf(p, self.power_of_two(half)), self.power_of_two(rest))

    def tanh(self, x: ir.Value) -> ir.Value:
        z = arith.mulf(x, x)
        near = self.multiply_add(arith.mulf(self.polynomial(z, _TANH), z), x, x)
        size = math.absf(x)
        grown = self.exp(arith.addf(size, size))
        quotient = arith.divf(self.real(2.0), arith.addf(grown, self.real(1.0)))
        far = math.copysign(arith.subf(self.real(1.0), quotient), x)
        return arith.select(arith.cmpf(arith.CmpFPredicate.OLT, size, self.real(0.625)), near, far)

    def erf(self, x: ir.Value) -> ir.Value:
        z = arith.mulf(x, x)
        near = arith.mulf(x, self.polynomial(z, _ERF))
        size = math.absf(x)
        t = arith.divf(self.real(1.0), self.multiply_add(size, self.real(0.3275911), self.real(1.0)))
        tail = arith.mulf(arith.mulf(self.polynomial(t, _ERF_TAIL), t), self.exp(arith.negf(z)))
        far = math.copysign(arith.subf(self.real(1.0), tail), x)
        return arith.select(arith.cmpf(arith.CmpFPredicate.OLT, size, self.real(1.0)), near, far)


_EXPANSIONS: dict[str, Callable[[_Arithmetic, ir.Value], ir.Value]] = {
    "exp": _Arithmetic.exp,
    "tanh": _Arithmetic.tanh,
    "erf": _Arithmetic.erf,
}


def _pattern(
    expand: Callable[[_Arithmetic, ir.Value], ir.Value], fma: bool
) -> Callable[[Any, Rewriter], bool]:
    def rewrite(op: Any, rewriter: Rewriter) -> bool:
        kind = op.operation.results[0].type
        element = kind.element_type if isinstance(kind, ir.VectorType) else kind
        if not isinstance(element, ir.F32Type):
            return False
        rewriter.replace_op(op, [expand(_Arithmetic(kind, fma), op.operation.operands[0])])
        return True

    rewrite.__name__ = f"expand_{getattr(expand, '__name__', 'function')}"
    return rewrite


def expand_integer_power(op: Any, rewriter: Rewriter) -> bool:
    """x^n by repeated squaring for a constant n of at most 64 in size; x^n as `math.powf` otherwise."""
    base, exponent = op.operation.operands
    power = _constant_integer(exponent)
    if power is None or abs(power) > 64:
        rewriter.replace_op(op, [math.powf(base, arith.sitofp(base.type, exponent))])
        return True
    value, square, rest = None, base, abs(power)
    while rest:
        if rest & 1:
            value = square if value is None else arith.mulf(value, square)
        rest >>= 1
        square = arith.mulf(square, square) if rest else square
    element = base.type.element_type if isinstance(base.type, ir.VectorType) else base.type
    one = _splat(base.type, ir.FloatAttr.get(element, 1.0))
    value = one if value is None else value
    rewriter.replace_op(op, [arith.divf(one, value) if power < 0 else value])
    return True


def _constant_integer(value: ir.Value) -> int | None:
    owner = value.owner
    if not isinstance(owner, arith.ConstantOp):
        return None
    attribute = owner.value
    if isinstance(attribute, ir.DenseElementsAttr):
        if not attribute.is_splat:
            return None
        attribute = attribute.get_splat_value()
    return ir.IntegerAttr(attribute).value


def _splat(kind: ir.Type, value: Any) -> ir.Value:
    """A constant of a scalar or vector type with the same attribute in every lane."""
    attribute: Any = ir.DenseElementsAttr.get_splat(kind, value) if isinstance(kind, ir.VectorType) else value
    return arith.ConstantOp(kind, attribute).result
