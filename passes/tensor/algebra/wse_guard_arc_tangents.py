"""`wse-guard-arc-tangents`: no `math.atan2` is one of two zeros."""

from __future__ import annotations

from ....dialects.host import arith, ir, math
from ...infra.pass_base import Pass, PassRun
from ..traversal import collect


class GuardArcTangents(Pass, name="wse-guard-arc-tangents", anchor="func.func"):
    """Lets `math.atan2` see a one of the second operand's sign where both operands are zeros.

    The angle is the same. Upstream folds the arc tangent of two constant zeros to NaN, where IEEE 754 has zero or pi by
    the signs; with the guard constants fold to ones first.

        %r = math.atan2 %y, %x : f32
    becomes
        %one = math.copysign %c1, %x : f32
        %both = arith.andi (arith.cmpf oeq, %x, %c0), (arith.cmpf oeq, %y, %c0) : i1
        %guarded = arith.select %both, %one, %x : f32
        %r = math.atan2 %y, %guarded : f32
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for angle in collect(op, lambda inner: inner.name == "math.atan2", in_bodies=True):
            kind = angle.results[0].type
            if not isinstance(kind, ir.FloatType):
                continue  # a tensor's or a vector's: what imports make has numbers
            y, x = angle.operands
            with ir.InsertionPoint(angle), angle.location:
                zero = arith.constant(kind, 0.0)
                zeros = [arith.cmpf(arith.CmpFPredicate.OEQ, value, zero) for value in (x, y)]
                one = math.copysign(arith.constant(kind, 1.0), x)
                angle.operands[1] = arith.select(arith.andi(*zeros), one, x)
            run.count("arc tangents guarded")
