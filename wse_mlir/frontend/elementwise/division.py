"""Division, what it leaves, and powers, of integers and of floats.

Divisions of integers are made as they stand; `wse-check-divisions` reports those by zero, and keeps them and the
lowest number over -1 from trapping.
"""

from __future__ import annotations

import math as exact

import torch

from ...dialects.host import arith, math
from ..narrow_floats import HALVES
from .number import Number, Plain

_PRODUCTS = 8  # powers up to this are products


def true_quotient(a: Number, b: Number | Plain) -> Number:
    """a / b of floats."""
    return a / b


def towards_zero(a: Number, b: Number | Plain) -> Number:
    """The quotient without its fraction."""
    if not a.is_float:
        return _of_integers(a, b)[0]
    rounded = (_wide(a) / b).to(a.dtype)  # 3 / 0.3 is 10 in f16
    return _wide(rounded).apply(math.trunc)


def downwards(a: Number, b: Number | Plain) -> Number:
    """The greatest whole number that is not above the quotient; of floats by way of what is left, as Python's `//`."""
    if not a.is_float:
        quotient, left, b = _of_integers(a, b)
        return quotient - _opposite(left, b).to(a.dtype)
    a = _wide(a)
    b = a.like(b)
    left = a.of(arith.remf(a.value, b.value))
    quotient = (a - left) / b
    quotient = _opposite(left, b).choose(quotient - 1, quotient)
    whole = quotient.apply(math.floor)
    whole = ((quotient - whole) > 0.5).choose(whole + 1, whole)
    ratio = a / b
    whole = quotient.equals(0).choose(a.like(0).apply(math.copysign, ratio), whole)
    return b.equals(0).choose(ratio, whole)


def quotient(a: Number, b: Number | Plain, rounding: str | None = None) -> Number:
    """`aten.div`, rounded as is asked for."""
    return {None: true_quotient, "trunc": towards_zero, "floor": downwards}[rounding](a, b)


def remainder(a: Number, b: Number | Plain) -> Number:
    """What a division downwards leaves: it has the divisor's sign."""
    left, b = _left(a, b)
    return _opposite(left, b).choose(left + b, left)


def c_remainder(a: Number, b: Number | Plain) -> Number:
    """What a division towards zero leaves: it has the dividend's sign."""
    return _left(a, b)[0]


def power(a: Number, b: Number | Plain) -> Number:
    """a to the power of b."""
    if not a.is_float:
        return _integer_power(a, b)
    if a.dtype in HALVES:
        if (
            a.dtype == torch.float16 and not isinstance(b, Number) and abs(b) == 0.5
        ):  # no roots for PyTorch: they differ at -inf and at -0
            a = _wide(a)
            return power(a.equals(-exact.inf).choose(exact.inf, a + 0.0), b)
        return power(_wide(a), b)
    if isinstance(b, Number):
        return a.apply(math.powf, b)
    if abs(b) == 0.5:
        return a.apply(math.sqrt if b > 0 else math.rsqrt)
    if abs(b) <= _PRODUCTS and b == int(b):
        return _product(a, int(b))
    return a.apply(math.powf, b)


def power_of_number(a: Plain | Number, b: Number) -> Number:
    """A number to the power of each element."""
    if a == 2 and not isinstance(a, Number) and b.is_float:
        return _wide(b).apply(math.exp2)
    return power(b.like(a), b)


def _wide(x: Number) -> Number:
    """Narrow floats in f32."""
    return x.to(torch.float32) if x.dtype in HALVES else x


def _product(a: Number, count: int) -> Number:
    """A small power by squaring."""
    if count == 0:
        return a.like(1)
    if count < 0:
        return 1 / _product(a, -count)
    half = _product(a, count // 2) if count > 1 else None
    if half is None:
        return a
    return half * half * a if count % 2 else half * half


def _integer_power(a: Number, b: Number | Plain) -> Number:
    """Modulo two to the width; a negative power of other numbers than 1 and -1 is 0."""
    if not isinstance(b, Number) and 0 <= b <= _PRODUCTS:
        return _product(a, int(b))
    if a.bits < 32:
        wide = torch.int32
        return _integer_power(a.to(wide), b.to(wide) if isinstance(b, Number) else b).to(a.dtype)
    b = a.like(b)
    if not a.is_signed:
        return a.of(math.ipowi(a.value, b.value))
    one = a.like(1)
    raised = a.of(math.ipowi(a.value, b.greater(0).value))
    inverse = abs(a).equals(1).choose((b & 1).equals(0).choose(one, a), a.like(0))
    return (b < 0).choose(inverse, raised)


def _left(a: Number, b: Number | Plain) -> tuple[Number, Number]:
    """What a division towards zero leaves, and the divisor."""
    if a.is_float:
        a, b = _wide(a), _wide(a.like(b))
        return a.of(arith.remf(a.value, b.value)), b
    _, left, b = _of_integers(a, b)
    return left, b


def _opposite(left: Number, b: Number) -> Number:
    """Whether something is left, and its sign is not the divisor's."""
    if not left.is_float and not left.is_signed:
        return left.differs(left)
    return left.differs(0) & ((left < 0) ^ (b < 0))


def _of_integers(a: Number, b: Number | Plain) -> tuple[Number, Number, Number]:
    """The quotient towards zero, what it leaves, and the divisor."""
    dtype, divisor = a.dtype, a.like(b)
    wide = torch.int32 if a.bits < 32 else dtype  # in which the quotient of any two narrow numbers fits
    left, right = a.to(wide), divisor.to(wide)
    divide, rest = (arith.divsi, arith.remsi) if left.is_signed else (arith.divui, arith.remui)
    quotient, remains = (left.of(f(left.value, right.value)) for f in (divide, rest))
    return quotient.to(dtype), remains.to(dtype), divisor
