"""Numbers in the lanes of a vector, or a single one, whose operators build arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ....dialects.constants import splat
from ....dialects.host import arith, ir, llvm, math, vector

_Order, _Equality = arith.CmpFPredicate, arith.CmpIPredicate


@dataclass(frozen=True)
class InstructionSet:
    """What of the arithmetic here is one instruction.

    Attributes:
        fma: fused multiply-add; elsewhere it would be a call of a library.
        rounds: floor, ceil, trunc and roundeven.
        scales: `vscalef`, which multiplies by powers of two, denormal and infinite results included.
        functions: exp, expm1, log1p, sin and cos are operations, and numbers are not taken to pieces.
    """

    fma: bool
    rounds: bool = True
    scales: bool = False
    functions: bool = False


class Real:
    """f32 or f64 numbers. Python numbers that meet them stand for the same number in all lanes.

    Attributes:
        value: in the IR; machine: that code is for.
    """

    __slots__ = ("machine", "value")

    def __init__(self, value: ir.Value, machine: InstructionSet) -> None:
        self.value = value
        self.machine = machine

    @property
    def type(self) -> ir.Type:
        return self.value.type

    @property
    def double(self) -> bool:
        return isinstance(element_of(self.type), ir.F64Type)

    @property
    def digits(self) -> int:
        """Binary digits behind the leading one."""
        return 52 if self.double else 23

    @property
    def bias(self) -> int:
        """Of exponents; the largest exponent as well."""
        return 1023 if self.double else 127

    @property
    def smallest(self) -> float:
        """Of the numbers that are not denormal."""
        return 2.0 ** (1 - self.bias)

    def number(self, value: float) -> Real:
        """A constant of the same type."""
        return self.of(splat(self.type, ir.FloatAttr.get(element_of(self.type), value)))

    def of(self, value: ir.Value) -> Real:
        return Real(value, self.machine)

    def _with(self, build: Callable[..., Any], other: Real | float) -> Real:
        return self.of(build(self.value, self._number(other).value))

    def _number(self, other: Real | float) -> Real:
        return other if isinstance(other, Real) else self.number(other)

    def __add__(self, other: Real | float) -> Real:
        return self._with(arith.addf, other)

    def __sub__(self, other: Real | float) -> Real:
        return self._with(arith.subf, other)

    def __mul__(self, other: Real | float) -> Real:
        return self._with(arith.mulf, other)

    def __truediv__(self, other: Real | float) -> Real:
        return self._with(arith.divf, other)

    def __rsub__(self, other: float) -> Real:
        return self.number(other) - self

    def __rtruediv__(self, other: float) -> Real:
        return self.number(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Real:
        return self.of(arith.negf(self.value))

    def __abs__(self) -> Real:
        return self.of(math.absf(self.value))

    def times_plus(self, factor: Real | float, summand: Real | float) -> Real:
        """self * factor + summand, rounded once where that is an instruction."""
        if not self.machine.fma:
            return self * factor + summand
        return self.of(math.fma(self.value, self._number(factor).value, self._number(summand).value))

    def polynomial(self, coefficients: Sequence[float]) -> Real:
        """Horner's scheme, highest power first."""
        value = self.number(coefficients[0])
        for coefficient in coefficients[1:]:
            value = value.times_plus(self, coefficient)
        return value

    def square_root(self) -> Real:
        return self.of(math.sqrt(self.value))

    def with_sign_of(self, other: Real) -> Real:
        return self.of(math.copysign(self.value, other.value))

    def at_most(self, most: float) -> Real:
        """NaN stays."""
        return (self.number(most) < self).choose(most, self)

    def at_least(self, least: float) -> Real:
        """NaN stays."""
        return (self.number(least) > self).choose(least, self)

    def _compare(self, how: arith.CmpFPredicate, other: Real | float) -> Mask:
        return Mask(arith.cmpf(how, self.value, self._number(other).value), self)

    def __lt__(self, other: Real | float) -> Mask:
        return self._compare(_Order.OLT, other)

    def __le__(self, other: Real | float) -> Mask:
        return self._compare(_Order.OLE, other)

    def __gt__(self, other: Real | float) -> Mask:
        return self._compare(_Order.OGT, other)

    def __ge__(self, other: Real | float) -> Mask:
        return self._compare(_Order.OGE, other)

    def equals(self, other: Real | float) -> Mask:
        return self._compare(_Order.OEQ, other)

    def differs(self, other: Real | float) -> Mask:
        """False for NaN."""
        return self._compare(_Order.ONE, other)

    def not_within(self, limit: Real | float) -> Mask:
        """Greater, or NaN."""
        return self._compare(_Order.UGT, limit)

    def bits(self) -> Bits:
        integer = ir.IntegerType.get_signless(64 if self.double else 32)
        return Bits(arith.bitcast(shaped(self.type, integer), self.value), self)

    @property
    def round_number(self) -> float:
        """Adding it rounds numbers up to 2^22 (f32) or 2^51 (f64) to whole ones, and leaves these in the low bits."""
        return 1.5 * 2.0**self.digits

    @property
    def scales(self) -> bool:
        """Whether `scaled` is one instruction for such vectors."""
        one_register = isinstance(self.type, ir.VectorType) and list(self.type.shape) == [
            8 if self.double else 16
        ]
        return self.machine.scales and one_register

    def scaled(self, exponent: Real) -> Real:
        """self 2^exponent, rounded once, for whole exponents of any size."""
        mask = arith.constant(ir.IntegerType.get_signless(8 if self.double else 16), -1)
        rounding = arith.constant(ir.IntegerType.get_signless(32), 4)  # as the processor is set to
        name = f"llvm.x86.avx512.mask.scalef.{'pd' if self.double else 'ps'}.512"
        operands = [self.value, exponent.value, self.value, mask, rounding]
        return self.of(llvm.CallIntrinsicOp(self.type, name, operands, [], []).operation.results[0])

    def widened(self) -> Real:
        return self.of(arith.extf(shaped(self.type, ir.F64Type.get()), self.value))

    def narrowed(self) -> Real:
        return self.of(arith.truncf(shaped(self.type, ir.F32Type.get()), self.value))


class Bits:
    """Integers as wide as the numbers whose bits they are, or were computed from."""

    __slots__ = ("like", "value")

    def __init__(self, value: ir.Value, like: Real) -> None:
        self.value = value
        self.like = like

    def _with(self, build: Callable[..., Any], other: Bits | int) -> Bits:
        return Bits(
            build(self.value, other.value if isinstance(other, Bits) else self._constant(other)), self.like
        )

    def _constant(self, number: int) -> ir.Value:
        element = ir.IntegerType(element_of(self.value.type))
        signed = number - (1 << element.width) if number >> (element.width - 1) == 1 else number
        return splat(self.value.type, ir.IntegerAttr.get(element, signed))

    def __add__(self, other: Bits | int) -> Bits:
        return self._with(arith.addi, other)

    def __sub__(self, other: Bits | int) -> Bits:
        return self._with(arith.subi, other)

    def __rsub__(self, other: int) -> Bits:
        return Bits(self._constant(other), self.like) - self

    def __and__(self, other: Bits | int) -> Bits:
        return self._with(arith.andi, other)

    def __or__(self, other: Bits | int) -> Bits:
        return self._with(arith.ori, other)

    def __xor__(self, other: Bits | int) -> Bits:
        return self._with(arith.xori, other)

    def __lshift__(self, count: int) -> Bits:
        return self._with(arith.shli, count)

    def __rshift__(self, count: int) -> Bits:
        """Zeros come in."""
        return self._with(arith.shrui, count)

    def has(self, bit: int) -> Mask:
        """Whether one of these bits is set."""
        masked = self & bit
        return Mask(arith.cmpi(_Equality.ne, masked.value, masked._constant(0)), self.like)

    def real(self) -> Real:
        """The numbers with these bits."""
        return self.like.of(arith.bitcast(self.like.type, self.value))


class Mask:
    """True or false in each lane."""

    __slots__ = ("like", "value")

    def __init__(self, value: ir.Value, like: Real) -> None:
        self.value = value
        self.like = like

    def __and__(self, other: Mask) -> Mask:
        return Mask(arith.andi(self.value, other.value), self.like)

    def __or__(self, other: Mask) -> Mask:
        return Mask(arith.ori(self.value, other.value), self.like)

    def choose(self, if_true: Real | float, if_false: Real | float) -> Real:
        """Lane by lane; of numbers like those that were compared."""
        first, second = (v if isinstance(v, Real) else self.like.number(v) for v in (if_true, if_false))
        return first.of(arith.select(self.value, first.value, second.value))

    def anywhere(self) -> ir.Value:
        """Whether it is true in any lane, an i1."""
        if not isinstance(self.value.type, ir.VectorType):
            return self.value
        kind: Any = ir.Attribute.parse("#vector.kind<or>")
        return vector.ReductionOp(ir.IntegerType.get_signless(1), kind, self.value).result


def element_of(kind: ir.Type) -> ir.Type:
    return kind.element_type if isinstance(kind, ir.VectorType) else kind


def shaped(like: ir.Type, element: ir.Type) -> ir.Type:
    """A type of the same shape with other elements."""
    if not isinstance(like, ir.VectorType):
        return element
    return ir.VectorType.get(list(like.shape), element, scalable=list(like.scalable_dims))
