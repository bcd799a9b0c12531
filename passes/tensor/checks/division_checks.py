"""Checks of divisors, in the form that a run evaluates: the least of them, read without a sign, is not zero."""

from __future__ import annotations

from typing import Any

from ....dialects.host import arith, cf, ir, linalg, tensor
from ....dialects.structured import REDUCTION, build_generic
from .recomputed import Recomputed

DIVISION_CHECK = "wse.division_check"


def assert_none_is_zero(divisors: Recomputed, kind: ir.Type) -> None:
    """Asserts at the insertion point that no element is zero.

    Args:
        kind: the type of an element.
    """
    if any(0 in ir.ShapedType(v.type).shape for v in divisors.operands):
        return

    def least(*scalars: ir.Value) -> list[ir.Value]:
        return [arith.minui(scalars[-1], divisors.value(*scalars[:-1]))]

    loops = divisors.maps[0].n_dims
    greatest = linalg.fill(arith.constant(kind, -1), outs=[tensor.EmptyOp([], kind).result])
    maps = [*divisors.maps, ir.AffineMap.get(loops, 0, [])]
    found = build_generic(divisors.operands, [greatest], maps, [REDUCTION] * loops, least).results[0]
    assert_not_zero(tensor.extract(found, []))


def assert_not_zero(divisor: ir.Value) -> None:
    """Asserts at the insertion point that a scalar is not zero."""
    zero = arith.constant(divisor.type, 0)
    made: Any = cf.AssertOp(
        arith.cmpi(arith.CmpIPredicate.ne, divisor, zero), "an integer is divided by zero"
    )
    made.attributes[DIVISION_CHECK] = ir.UnitAttr.get()
