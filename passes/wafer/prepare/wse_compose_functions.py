"""The pass `wse-compose-functions`: mathematical functions of others that processing elements have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....dialects.host import arith, ir, math
from ...infra.pass_base import Pass, PassRun
from ...infra.patterns import Pattern, PatternSet, Rewriter
from ...tensor.approximations import (
    error_function,
    hyperbolic,
    inverse_trigonometric,
    power,
    rounding,
    trigonometric,
)
from ...tensor.approximations.lanes import InstructionSet, Real

# A product and a sum are two vector operations, each of which rounds.
_MACHINE = InstructionSet(fma=True, functions=True)


class ComposeFunctions(Pass, name="wse-compose-functions", anchor="func.func"):
    """Replaces functions that PEs have no operation for by arithmetic and by those that they have.

    The inverse trigonometric and the hyperbolic functions with their inverses, tan, erfc, cube roots, `round`, clamps,
    and tests for NaN and infinity, of scalars in the bodies of operations. Formulas are those of `wse-expand-math`:
    infinities, NaN and signs of zero are the C library's. f16 and bf16 are computed in f32.

        %y = math.tan %x : f32
    becomes
        %s = math.sin %x : f32
        %c = math.cos %x : f32
        %y = arith.divf %s, %c : f32
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        patterns = PatternSet(
            *(Pattern(f"math.{name}", _pattern(compose)) for name, compose in _COMPOSED.items()),
            *(Pattern(f"math.{name}", _test(holds)) for name, holds in _TESTS.items()),
        )
        run.count("functions composed", sum(patterns.apply(op).values()))


def _clamp(value: Real, least: Real, most: Real) -> Real:
    greater = arith.maximumf(value.value, least.value)
    return value.of(arith.minimumf(greater, most.value))


_COMPOSED: dict[str, Callable[..., Real]] = {
    "acos": inverse_trigonometric.acos,
    "acosh": hyperbolic.acosh,
    "asin": inverse_trigonometric.asin,
    "asinh": hyperbolic.asinh,
    "atan": inverse_trigonometric.atan,
    "atan2": inverse_trigonometric.atan2,
    "atanh": hyperbolic.atanh,
    "cbrt": power.cube_root,
    "clampf": _clamp,
    "cosh": hyperbolic.cosh,
    "erfc": error_function.erfc,
    "round": rounding.round_away,
    "sinh": hyperbolic.sinh,
    "tan": trigonometric.tangent,
}
_TESTS: dict[str, tuple[arith.CmpFPredicate, bool]] = {  # |x| compared with infinity: how
    "isfinite": (arith.CmpFPredicate.OLT, True),
    "isinf": (arith.CmpFPredicate.OEQ, True),
    "isnan": (arith.CmpFPredicate.UNO, False),
}


def _pattern(compose: Callable[..., Real]) -> Callable[[Any, Rewriter], bool]:
    def rewrite(op: Any, rewriter: Rewriter) -> bool:
        kind, operands = op.operation.results[0].type, list(op.operation.operands)
        if isinstance(kind, (ir.F32Type, ir.F64Type)):
            rewriter.replace_op(op, [compose(*(Real(o, _MACHINE) for o in operands)).value])
            return True
        if not isinstance(kind, (ir.F16Type, ir.BF16Type)):
            return False
        wide = (Real(arith.extf(ir.F32Type.get(), o), _MACHINE) for o in operands)
        rewriter.replace_op(op, [arith.truncf(kind, compose(*wide).value)])
        return True

    rewrite.__name__ = f"compose_{compose.__name__}"
    return rewrite


def _test(how: tuple[arith.CmpFPredicate, bool]) -> Callable[[Any, Rewriter], bool]:
    predicate, of_size = how

    def rewrite(op: Any, rewriter: Rewriter) -> bool:
        value = op.operation.operands[0]
        if not isinstance(value.type, ir.FloatType):
            return False
        size = math.absf(value) if of_size else value
        rewriter.replace_op(op, [arith.cmpf(predicate, size, arith.constant(value.type, float("inf")))])
        return True

    rewrite.__name__ = "compose_test"
    return rewrite
