"""Integers to the power of integers."""

from __future__ import annotations

from typing import Any

from ....dialects.constants import splat
from ....dialects.host import arith, ir, scf, vector
from .lanes import element_of

_Order = arith.CmpIPredicate


def integer_power(base: ir.Value, exponent: ir.Value) -> ir.Value:
    """base^exponent modulo 2^bits by squaring until no lane has a digit of its exponent left.

    Exponents below 0 give what is left of the fraction: 1 and -1 to the power of their oddness, else 0.
    """
    kind = base.type
    zero, one = (_integer(kind, value) for value in (0, 1))
    negative = arith.cmpi(_Order.slt, exponent, zero)
    digits = arith.select(negative, arith.andi(exponent, one), exponent)
    loop: Any = scf.WhileOp([kind] * 3, [one, base, digits])
    before = loop.before.blocks.append(*[kind] * 3)
    with ir.InsertionPoint(before):
        more = arith.cmpi(_Order.ne, before.arguments[2], zero)
        scf.ConditionOp(_anywhere(more), list(before.arguments))
    after = loop.after.blocks.append(*[kind] * 3)
    with ir.InsertionPoint(after):
        value, square, left = after.arguments
        odd = arith.cmpi(_Order.ne, arith.andi(left, one), zero)
        value = arith.select(odd, arith.muli(value, square), value)
        scf.YieldOp([value, arith.muli(square, square), arith.shrui(left, one)])
    value = loop.results[0]
    unit = arith.cmpi(
        _Order.ule, arith.addi(base, one), _integer(kind, 2)
    )  # -1, 0, 1; no power of 0 is asked for
    return arith.select(arith.andi(negative, arith.xori(unit, _true(unit.type))), zero, value)


def _integer(kind: ir.Type, value: int) -> ir.Value:
    return splat(kind, ir.IntegerAttr.get(element_of(kind), value))


def _true(kind: ir.Type) -> ir.Value:
    return _integer(kind, -1)


def _anywhere(mask: ir.Value) -> ir.Value:
    if not isinstance(mask.type, ir.VectorType):
        return mask
    kind: Any = ir.Attribute.parse("#vector.kind<or>")
    return vector.ReductionOp(ir.IntegerType.get_signless(1), kind, mask).result
