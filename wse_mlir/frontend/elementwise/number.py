"""Scalars of PyTorch's types inside of a body, whose operators build arithmetic with PyTorch's meaning.

Integers wrap around and know whether they have a sign, `bool` is a number of its own (its sum is `or`, its product
`and`), comparisons with NaN are false but for "differs".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ...dialects.host import arith, ir, math
from ..narrow_floats import HALVES

# By torch-mlir's names of elements
DTYPES: dict[str, torch.dtype] = {
    "f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16,
    "si64": torch.int64, "si32": torch.int32, "si16": torch.int16, "si8": torch.int8,
    "ui64": torch.uint64, "ui32": torch.uint32, "ui16": torch.uint16, "ui8": torch.uint8, "i1": torch.bool,
}  # fmt: skip
_FLOATS = {"float64": ir.F64Type, "float32": ir.F32Type, "float16": ir.F16Type, "bfloat16": ir.BF16Type}
_PREDICATES = {
    "eq": ("OEQ", "eq", "eq"), "ne": ("UNE", "ne", "ne"), "lt": ("OLT", "slt", "ult"), "le": ("OLE", "sle", "ule"),
    "gt": ("OGT", "sgt", "ugt"), "ge": ("OGE", "sge", "uge"),
}  # fmt: skip

Plain = bool | int | float
Built = ir.Value | ir.OpView


def bits_of(dtype: torch.dtype) -> int:
    """The width of a type's elements in the IR."""
    return 1 if dtype == torch.bool else 8 * dtype.itemsize


def mlir_type(dtype: torch.dtype) -> ir.Type:
    """The builtin type of a type's elements; integers have no sign there."""
    if dtype.is_floating_point:
        return _FLOATS[str(dtype).removeprefix("torch.")].get()
    return ir.IntegerType.get_signless(bits_of(dtype))


class Number:
    """A value in the IR and its type in PyTorch. Plain numbers that meet it become constants of its type."""

    __slots__ = ("dtype", "value")

    def __init__(self, value: Built, dtype: torch.dtype) -> None:
        self.value = value if isinstance(value, ir.Value) else value.results[0]
        self.dtype = dtype

    @property
    def is_float(self) -> bool:
        return self.dtype.is_floating_point

    @property
    def is_bool(self) -> bool:
        return self.dtype == torch.bool

    @property
    def is_signed(self) -> bool:
        return self.dtype.is_signed

    @property
    def bits(self) -> int:
        return bits_of(self.dtype)

    def of(self, value: Built) -> Number:
        """Another value of the same type."""
        return Number(value, self.dtype)

    def like(self, number: Number | Plain) -> Number:
        """A number in this type."""
        return number.to(self.dtype) if isinstance(number, Number) else constant(number, self.dtype)

    # Arithmetic

    def _with(
        self, other: Number | Plain, floats: Callable[..., Built], integers: Callable[..., Built]
    ) -> Number:
        other = self.like(other)
        return self.of((floats if self.is_float else integers)(self.value, other.value))

    def __add__(self, other: Number | Plain) -> Number:
        return self._with(other, arith.addf, arith.ori if self.is_bool else arith.addi)

    def __sub__(self, other: Number | Plain) -> Number:
        return self._with(other, arith.subf, arith.subi)

    def __mul__(self, other: Number | Plain) -> Number:
        return self._with(other, arith.mulf, arith.andi if self.is_bool else arith.muli)

    def __truediv__(self, other: Number | Plain) -> Number:
        """Of floats; for integers see `division`."""
        return self.of(arith.divf(self.value, self.like(other).value))

    def __rsub__(self, other: Plain) -> Number:
        return self.like(other) - self

    def __rtruediv__(self, other: Plain) -> Number:
        return self.like(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Number:
        return self.of(arith.negf(self.value)) if self.is_float else 0 - self

    def __abs__(self) -> Number:
        if self.is_float:
            return self.of(math.absf(self.value))
        return self.of(math.absi(self.value)) if self.is_signed else self

    def greater(self, other: Number | Plain) -> Number:
        """The greater of two; NaN if either is."""
        integers = arith.maxsi if self.is_signed else arith.maxui
        return self._with(other, arith.maximumf, arith.ori if self.is_bool else integers)

    def lesser(self, other: Number | Plain) -> Number:
        """The lesser of two; NaN if either is."""
        integers = arith.minsi if self.is_signed else arith.minui
        return self._with(other, arith.minimumf, arith.andi if self.is_bool else integers)

    def within(self, least: Number | Plain | None, most: Number | Plain | None) -> Number:
        """At least, then at most; NaN if any is."""
        result = self if least is None else self.greater(least)
        return result if most is None else result.lesser(most)

    def apply(self, function: Callable[..., Built], *others: Number | Plain) -> Number:
        """A function of the math dialect, of floats."""
        return self.of(function(self.value, *(self.like(o).value for o in others)))

    # Comparisons, and what is true or false

    def _compare(self, kind: str, other: Number | Plain) -> Number:
        floats, signed, unsigned = _PREDICATES[kind]
        right = self.like(other).value
        if self.is_float:
            return Number(arith.cmpf(getattr(arith.CmpFPredicate, floats), self.value, right), torch.bool)
        predicate = getattr(arith.CmpIPredicate, signed if self.is_signed else unsigned)
        return Number(arith.cmpi(predicate, self.value, right), torch.bool)

    def __lt__(self, other: Number | Plain) -> Number:
        return self._compare("lt", other)

    def __le__(self, other: Number | Plain) -> Number:
        return self._compare("le", other)

    def __gt__(self, other: Number | Plain) -> Number:
        return self._compare("gt", other)

    def __ge__(self, other: Number | Plain) -> Number:
        return self._compare("ge", other)

    def equals(self, other: Number | Plain) -> Number:
        return self._compare("eq", other)

    def differs(self, other: Number | Plain) -> Number:
        """True for NaN."""
        return self._compare("ne", other)

    def is_nan(self) -> Number:
        return self.differs(self) if self.is_float else constant(False, torch.bool)

    def is_infinite(self) -> Number:
        return abs(self).equals(float("inf")) if self.is_float else constant(False, torch.bool)

    def is_finite(self) -> Number:
        return abs(self) < float("inf") if self.is_float else constant(True, torch.bool)

    def truth(self) -> Number:
        """Whether it is another number than zero; NaN is."""
        return self if self.is_bool else self.differs(0)

    def choose(self, if_true: Number | Plain, if_false: Number | Plain) -> Number:
        """Of a bool: one of two numbers, of which one at least has a type."""
        if not isinstance(if_true, Number):
            assert isinstance(if_false, Number)
            if_true = if_false.like(if_true)
        return if_true.of(arith.select(self.value, if_true.value, if_true.like(if_false).value))

    # Bits

    def __and__(self, other: Number | Plain) -> Number:
        return self.of(arith.andi(self.value, self.like(other).value))

    def __or__(self, other: Number | Plain) -> Number:
        return self.of(arith.ori(self.value, self.like(other).value))

    def __xor__(self, other: Number | Plain) -> Number:
        return self.of(arith.xori(self.value, self.like(other).value))

    def __invert__(self) -> Number:
        return self ^ (True if self.is_bool else -1)

    def sign_bit(self) -> Number:
        """Whether the sign says "negative", of a zero or a NaN too."""
        if not self.is_float:
            return self < 0 if self.is_signed else constant(False, torch.bool)
        return self.like(1).apply(math.copysign, self) < 0

    # Types

    def to(self, dtype: torch.dtype) -> Number:
        """In another type: floats become integers towards zero, and integers shorter ones by their low bits."""
        if dtype == self.dtype:
            return self
        if dtype == torch.bool:
            return self.truth()
        if self.is_float:
            return self._to_float(dtype) if dtype.is_floating_point else self._to_integer(dtype)
        return self._integer_to_float(dtype) if dtype.is_floating_point else self._resized(dtype)

    def seen_as(self, dtype: torch.dtype) -> Number:
        """The same bits as an element of another type of the same size; as `bool` whether any is set."""
        if dtype.is_floating_point or self.is_float:
            return Number(arith.bitcast(mlir_type(dtype), self.value), dtype)
        return self.to(dtype)

    def _to_float(self, dtype: torch.dtype) -> Number:
        if bits_of(dtype) == self.bits or (self.bits == 64 and dtype in HALVES):
            return self.to(torch.float32).to(dtype)
        resize = arith.extf if bits_of(dtype) > self.bits else arith.truncf
        return Number(resize(mlir_type(dtype), self.value), dtype)

    def _to_integer(self, dtype: torch.dtype) -> Number:
        """By way of a signed type that holds what fits; numbers that do not fit have no defined result."""
        if self.dtype in HALVES:
            return self.to(torch.float32).to(dtype)
        if dtype == torch.uint64:
            return Number(arith.fptoui(mlir_type(dtype), self.value), dtype)
        wide = torch.int64 if dtype in (torch.int64, torch.uint32) else torch.int32
        return Number(arith.fptosi(mlir_type(wide), self.value), wide)._resized(dtype)

    def _integer_to_float(self, dtype: torch.dtype) -> Number:
        if dtype in HALVES:
            return self.to(torch.float32).to(dtype)
        if self.is_bool or self.dtype == torch.uint64:
            return Number(arith.uitofp(mlir_type(dtype), self.value), dtype)
        if not self.is_signed:  # processors convert signed numbers
            return self.to(torch.int32 if self.bits < 32 else torch.int64).to(dtype)
        return Number(arith.sitofp(mlir_type(dtype), self.value), dtype)

    def _resized(self, dtype: torch.dtype) -> Number:
        if bits_of(dtype) == self.bits:
            return Number(self.value, dtype)
        if bits_of(dtype) < self.bits:
            return Number(arith.trunci(mlir_type(dtype), self.value), dtype)
        extend = arith.extsi if self.is_signed else arith.extui
        return Number(extend(mlir_type(dtype), self.value), dtype)


def constant(number: Plain, dtype: torch.dtype) -> Number:
    """A plain number in a type; integers wrap around."""
    kind = mlir_type(dtype)
    if dtype.is_floating_point:
        return _literal(ir.FloatAttr.get(kind, float(number)), kind, dtype)
    if dtype == torch.bool:
        return _literal(ir.BoolAttr.get(bool(number)), kind, dtype)
    bits = bits_of(dtype)
    whole = int(number) % (1 << bits)
    signed = whole - (1 << bits) if whole >> (bits - 1) else whole
    return _literal(ir.IntegerAttr.get(kind, signed), kind, dtype)


def _literal(attribute: Any, kind: ir.Type, dtype: torch.dtype) -> Number:
    return Number(arith.ConstantOp(kind, attribute).result, dtype)
