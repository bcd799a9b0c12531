"""Replaces functions that are not instructions by arithmetic that vector units have."""

from collections.abc import Callable
from math import isfinite, isnan
from typing import Any

from ....dialects.constants import constant_attribute, splat
from ....dialects.host import arith, ir, math
from ...infra.pass_base import Pass, PassRun, option
from ...infra.patterns import Pattern, PatternSet, Rewriter
from ...tensor.approximations import (
    error_function,
    exponential,
    hyperbolic,
    inverse_trigonometric,
    logarithm,
    power,
    rounding,
    trigonometric,
)
from ...tensor.approximations.integer_power import integer_power
from ...tensor.approximations.lanes import InstructionSet, Real, element_of, shaped
from ...tensor.approximations.pairs import fused_multiply_add
from ..processor import Processor, processor


class ExpandMath(Pass, name="wse-expand-math", anchor="func.func"):
    """Expands functions of f32 and f64 that are no instructions into arithmetic: no library is called in a loop.

    exp, exp2, expm1, log, log2, log10, log1p, erf, erfc, pow, cbrt, the trigonometric and hyperbolic functions and
    their inverses, remainders (`arith.remf`), `round`, C's fmin and fmax, and where the processor has none floor, ceil,
    trunc, roundeven and fma, of scalars and vectors. Errors stay below 5 units in the last place (most below 2.5);
    infinities, NaN, signs of zero and denormal results are those of the C library, and remainders are exact. Angles of
    any size are reduced with all digits of 2 / pi that it takes, in a branch that vectors of moderate numbers do not
    enter. x^y becomes products, a square root or a quotient where y is a constant up to 8 in size or 1/2.

    Integer powers become products when the exponent is a constant, else `math.powf` (of any float type; LLVM has none
    with 64-bit exponents) or, of integers, a loop of squares. A clamp becomes a minimum and a maximum, and these become
    comparisons that keep NaN, of one to three instructions. Conversions to integers of 8 and 16 bits go through i32, so
    that numbers out of range wrap as they do in PyTorch and C, and those of unsigned types, which have no type of their
    own here, are in range. Functions of f16 and bf16 were widened before. Everything else is left alone.

        %y = math.exp %x : vector<16xf32>
    becomes
        %n = math.fma %x, %log2e, %magic ... %p = math.fma ... %y = arith.mulf ...
    """

    cpu: str = option("", "LLVM's name of the processor that code is for; this machine's when empty")
    features: str = option("", "LLVM's processor features on top of that, '+avx2,-avx512f'")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        patterns = PatternSet(
            *_function_patterns(processor(self.cpu, self.features)),
            *(Pattern(name, widen) for name in _LEFT_NARROW),
            Pattern("math.clampf", expand_clamp),
            *(Pattern(f"arith.{name}", convert_through_i32) for name in ("fptosi", "fptoui")),
            Pattern("math.fpowi", expand_integer_power),
            Pattern("math.ipowi", expand_power_of_integer),
            Pattern("math.powf", expand_constant_power, benefit=2),
            Pattern("arith.maximumf", expand_maximum),
            Pattern("arith.minimumf", expand_minimum),
        )
        run.count("functions expanded", sum(patterns.apply(op).values()))


_EXPANSIONS: dict[str, Callable[..., Real | tuple[Real, ...]]] = {
    "arith.maxnumf": rounding.greater,
    "arith.minnumf": rounding.lesser,
    "arith.remf": rounding.remainder,
    "math.acos": inverse_trigonometric.acos,
    "math.acosh": hyperbolic.acosh,
    "math.asin": inverse_trigonometric.asin,
    "math.asinh": hyperbolic.asinh,
    "math.atan": inverse_trigonometric.atan,
    "math.atan2": inverse_trigonometric.atan2,
    "math.atanh": hyperbolic.atanh,
    "math.cbrt": power.cube_root,
    "math.cos": trigonometric.cosine,
    "math.cosh": hyperbolic.cosh,
    "math.erf": error_function.erf,
    "math.erfc": error_function.erfc,
    "math.exp": exponential.exp,
    "math.exp2": exponential.exp2,
    "math.expm1": exponential.expm1,
    "math.log": logarithm.log,
    "math.log10": logarithm.log10,
    "math.log1p": logarithm.log1p,
    "math.log2": logarithm.log2,
    "math.powf": power.power,
    "math.round": rounding.round_away,
    "math.sin": trigonometric.sine,
    "math.sincos": trigonometric.sine_and_cosine,
    "math.sinh": hyperbolic.sinh,
    "math.tan": trigonometric.tangent,
    "math.tanh": hyperbolic.tanh,
}
_ROUNDING = {
    "math.ceil": rounding.ceil,
    "math.floor": rounding.floor,
    "math.roundeven": rounding.round_even,
    "math.trunc": rounding.trunc,
}


# What upstream's widening of f16 and bf16 leaves, and LLVM would make calls of
_LEFT_NARROW = ("arith.maxnumf", "arith.minnumf", "math.fma")


def _function_patterns(target: Processor) -> list[Pattern]:
    """One for each function that the processor has no instruction for."""
    machine = InstructionSet(target.has_fma, target.rounds, scales=target.vector_bits == 512)
    expansions = dict(_EXPANSIONS)
    if not machine.rounds:
        expansions |= _ROUNDING
    if not machine.fma:
        expansions["math.fma"] = fused_multiply_add
    return [Pattern(name, _pattern(expand, machine)) for name, expand in expansions.items()]


def _pattern(
    expand: Callable[..., Real | tuple[Real, ...]], machine: InstructionSet
) -> Callable[[Any, Rewriter], bool]:
    def rewrite(op: Any, rewriter: Rewriter) -> bool:
        if not _is_float(op.operation.results[0].type, ir.F32Type, ir.F64Type):
            return False
        values = expand(*(Real(operand, machine) for operand in op.operation.operands))
        values = values if isinstance(values, tuple) else (values,)
        rewriter.replace_op(op, [value.value for value in values])
        return True

    rewrite.__name__ = f"expand_{expand.__name__}"
    return rewrite


def widen(op: Any, rewriter: Rewriter) -> bool:
    """Computes with f16 and bf16 in f32."""
    kind = op.operation.results[0].type
    if not _is_float(kind, ir.F16Type, ir.BF16Type):
        return False
    wide = shaped(kind, ir.F32Type.get())
    operands = [arith.extf(wide, operand) for operand in op.operation.operands]
    value = ir.Operation.create(op.operation.name, results=[wide], operands=operands).results[0]
    rewriter.replace_op(op, [arith.truncf(kind, value)])
    return True


def expand_clamp(op: Any, rewriter: Rewriter) -> bool:
    """The lesser of the greater: there is neither an instruction nor a library for it."""
    value, least, most = op.operation.operands
    rewriter.replace_op(op, [arith.minimumf(arith.maximumf(value, least), most)])
    return True


def convert_through_i32(op: Any, rewriter: Rewriter) -> bool:
    """To a narrower integer: to i32 first, whose low bits are kept."""
    source, kind = op.operation.operands[0], op.operation.results[0].type
    if not 1 < ir.IntegerType(element_of(kind)).width < 32:
        return False
    wide = shaped(kind, ir.IntegerType.get_signless(32))
    rewriter.replace_op(op, [arith.trunci(kind, arith.fptosi(wide, source))])
    return True


def expand_integer_power(op: Any, rewriter: Rewriter) -> bool:
    """x^n by repeated squaring for a constant n of at most 64 in size; x^n as `math.powf` otherwise."""
    base, exponent = op.operation.operands
    count = _constant_integer(exponent)
    if count is None or abs(count) > 64:
        rewriter.replace_op(op, [math.powf(base, arith.sitofp(base.type, exponent))])
        return True
    value = power.product_of(base, abs(count))
    one = splat(base.type, ir.FloatAttr.get(element_of(base.type), 1.0))
    value = one if value is None else value
    rewriter.replace_op(op, [arith.divf(one, value) if count < 0 else value])
    return True


def expand_power_of_integer(op: Any, rewriter: Rewriter) -> bool:
    """Products for a constant exponent of at most 64, else a loop."""
    base, exponent = op.operation.operands
    count = _constant_integer(exponent)
    value = power.product_of(base, count) if count is not None and 0 < count <= 64 else None
    rewriter.replace_op(op, [integer_power(base, exponent) if value is None else value])
    return True


def expand_constant_power(op: Any, rewriter: Rewriter) -> bool:
    """Products, a root or a quotient."""
    base, exponent = op.operation.operands
    constant = constant_attribute(exponent)
    if not isinstance(constant, ir.FloatAttr) or not isfinite(constant.value):
        return False
    value = power.constant_power(base, constant.value)
    if value is None:
        return False
    rewriter.replace_op(op, [value])
    return True


def expand_maximum(op: Any, rewriter: Rewriter) -> bool:
    """The greater, NaN if either is NaN; which zero is greater is not told apart."""
    return _expand_extremum(op, rewriter, arith.CmpFPredicate.OGT)


def expand_minimum(op: Any, rewriter: Rewriter) -> bool:
    """The lesser, NaN if either is NaN; which zero is less is not told apart."""
    return _expand_extremum(op, rewriter, arith.CmpFPredicate.OLT)


def _expand_extremum(op: Any, rewriter: Rewriter, wins: arith.CmpFPredicate) -> bool:
    """`a > b ? a : b` is one instruction, and NaN if b is; LLVM's own form of the operation is six."""
    first, second = op.operation.operands
    if not _is_float(first.type, ir.F32Type, ir.F64Type):
        return False
    constant = constant_attribute(first)
    if constant is None and (constant_attribute(second) is not None or isinstance(first.owner, ir.Block)):
        first, second = second, first  # what a loop carries comes second: fewer operations wait for it
        constant = constant_attribute(first)
    value = arith.select(arith.cmpf(wins, first, second), first, second)
    if not isinstance(constant, ir.FloatAttr) or isnan(constant.value):
        value = arith.select(arith.cmpf(arith.CmpFPredicate.UNO, first, first), first, value)
    rewriter.replace_op(op, [value])
    return True


def _is_float(kind: ir.Type, *elements: type) -> bool:
    return isinstance(element_of(kind), elements)


def _constant_integer(value: ir.Value) -> int | None:
    attribute = constant_attribute(value)
    return None if attribute is None else ir.IntegerAttr(attribute).value
