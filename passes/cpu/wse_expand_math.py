"""Replaces functions that are not instructions by arithmetic that vector units have."""

from collections.abc import Callable
from math import isfinite, isnan
from typing import Any

from ...dialects.host import arith, ir, math
from ..infra.pass_base import Pass, PassRun, option
from ..infra.patterns import Pattern, PatternSet, Rewriter
from .functions.elementary import Arithmetic, expm1, log1p, splat
from .functions.power import constant_power, power, product_of
from .functions.trigonometric import arc_tangent, cosine, sine, tangent
from .processor import processor


class ExpandMath(Pass, name="wse-expand-math", anchor="func.func"):
    """Expands elementary functions of f32 scalars and vectors into arithmetic: no library is called in a loop.

    exp, exp2, expm1, log, log2, log10, log1p, sin, cos, tan, atan, tanh, erf, pow. Relative errors stay below 4e-7;
    infinities, NaN and denormal results are those of the C library. Sines of any size are reduced with all digits of
    2 / pi that it takes, in a branch that vectors of moderate numbers do not enter. x^y becomes products, a square root
    or a quotient where y is a constant up to 8 in size or 1/2. log1p and expm1 of f64 become forms of log and exp that
    keep all digits near 0, which LLVM would lose; its other functions of f64 are those of the C library.

    Integer powers (of any float type) become products when the exponent is a constant, else `math.powf`: LLVM has none
    with 64-bit exponents. A clamp becomes a minimum and a maximum, and these become comparisons that keep NaN, of one
    to three instructions. Conversions to integers of 8 and 16 bits go through i32, so that numbers out of range wrap as
    they do in PyTorch and C, and those of unsigned types, which have no type of their own here, are in range.
    Everything else is left alone.

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
            Pattern("math.log1p", expand_log1p_of_double),
            Pattern("math.expm1", expand_expm1_of_double),
            Pattern("math.clampf", expand_clamp),
            *(Pattern(f"arith.{name}", convert_through_i32) for name in ("fptosi", "fptoui")),
            Pattern("math.fpowi", expand_integer_power),
            Pattern("math.powf", _power_pattern(fma)),
            Pattern("arith.maximumf", expand_maximum),
            Pattern("arith.minimumf", expand_minimum),
        )
        run.count("functions expanded", sum(patterns.apply(op).values()))


_EXPANSIONS: dict[str, Callable[[Arithmetic, ir.Value], ir.Value]] = {
    "exp": Arithmetic.exp,
    "expm1": Arithmetic.expm1,
    "log": Arithmetic.log,
    "log1p": Arithmetic.log1p,
    "tanh": Arithmetic.tanh,
    "erf": Arithmetic.erf,
    "exp2": Arithmetic.exp2,
    "log2": Arithmetic.log2,
    "log10": Arithmetic.log10,
    "sin": sine,
    "cos": cosine,
    "tan": tangent,
    "atan": arc_tangent,
}


def _pattern(
    expand: Callable[[Arithmetic, ir.Value], ir.Value], fma: bool
) -> Callable[[Any, Rewriter], bool]:
    def rewrite(op: Any, rewriter: Rewriter) -> bool:
        kind = op.operation.results[0].type
        element = kind.element_type if isinstance(kind, ir.VectorType) else kind
        if not isinstance(element, ir.F32Type):
            return False
        rewriter.replace_op(op, [expand(Arithmetic(kind, fma), op.operation.operands[0])])
        return True

    rewrite.__name__ = f"expand_{getattr(expand, '__name__', 'function')}"
    return rewrite


def expand_log1p_of_double(op: Any, rewriter: Rewriter) -> bool:
    """A form of `math.log`."""
    return _replace_double(op, rewriter, lambda x: log1p(x, math.log))


def expand_expm1_of_double(op: Any, rewriter: Rewriter) -> bool:
    """A form of `math.exp`."""
    return _replace_double(op, rewriter, expm1)


def _replace_double(op: Any, rewriter: Rewriter, expand: Callable[[ir.Value], ir.Value]) -> bool:
    kind = op.operation.results[0].type
    if not isinstance(kind.element_type if isinstance(kind, ir.VectorType) else kind, ir.F64Type):
        return False
    rewriter.replace_op(op, [expand(op.operation.operands[0])])
    return True


def expand_clamp(op: Any, rewriter: Rewriter) -> bool:
    """The lesser of the greater: there is neither an instruction nor a library for it."""
    value, least, most = op.operation.operands
    rewriter.replace_op(op, [arith.minimumf(arith.maximumf(value, least), most)])
    return True


def convert_through_i32(op: Any, rewriter: Rewriter) -> bool:
    """To a narrower integer: to i32 first, whose low bits are kept."""
    source, kind = op.operation.operands[0], op.operation.results[0].type
    element = kind.element_type if isinstance(kind, ir.VectorType) else kind
    if not 1 < ir.IntegerType(element).width < 32:
        return False
    i32 = ir.IntegerType.get_signless(32)
    wide = ir.VectorType.get(list(kind.shape), i32) if isinstance(kind, ir.VectorType) else i32
    rewriter.replace_op(op, [arith.trunci(kind, arith.fptosi(wide, source))])
    return True


def expand_integer_power(op: Any, rewriter: Rewriter) -> bool:
    """x^n by repeated squaring for a constant n of at most 64 in size; x^n as `math.powf` otherwise."""
    base, exponent = op.operation.operands
    count = _constant_integer(exponent)
    if count is None or abs(count) > 64:
        rewriter.replace_op(op, [math.powf(base, arith.sitofp(base.type, exponent))])
        return True
    value = product_of(base, abs(count))
    element = base.type.element_type if isinstance(base.type, ir.VectorType) else base.type
    one = splat(base.type, ir.FloatAttr.get(element, 1.0))
    value = one if value is None else value
    rewriter.replace_op(op, [arith.divf(one, value) if count < 0 else value])
    return True


def _power_pattern(fma: bool) -> Callable[[Any, Rewriter], bool]:
    def expand_power(op: Any, rewriter: Rewriter) -> bool:
        base, exponent = op.operation.operands
        constant = _constant(exponent)
        value = None
        if isinstance(constant, ir.FloatAttr) and _is_float(base.type, ir.F32Type, ir.F64Type):
            value = constant_power(base, constant.value) if isfinite(constant.value) else None
        if value is None and _is_float(base.type, ir.F32Type):
            value = power(Arithmetic(base.type, fma), base, exponent)
        if value is None:
            return False
        rewriter.replace_op(op, [value])
        return True

    return expand_power


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
    constant = _constant(first)
    if constant is None and (_constant(second) is not None or isinstance(first.owner, ir.Block)):
        first, second = second, first  # what a loop carries comes second: fewer operations wait for it
        constant = _constant(first)
    value = arith.select(arith.cmpf(wins, first, second), first, second)
    if not isinstance(constant, ir.FloatAttr) or isnan(constant.value):
        value = arith.select(arith.cmpf(arith.CmpFPredicate.UNO, first, first), first, value)
    rewriter.replace_op(op, [value])
    return True


def _is_float(kind: ir.Type, *elements: type) -> bool:
    return isinstance(kind.element_type if isinstance(kind, ir.VectorType) else kind, elements)


def _constant(value: ir.Value) -> ir.Attribute | None:
    """The number that a constant has, in all lanes."""
    owner = value.owner
    if isinstance(owner, ir.Block) or not isinstance(owner.opview, arith.ConstantOp):
        return None
    attribute = owner.opview.value
    if isinstance(attribute, ir.DenseElementsAttr):
        return attribute.get_splat_value() if attribute.is_splat else None
    return attribute


def _constant_integer(value: ir.Value) -> int | None:
    attribute = _constant(value)
    return None if attribute is None else ir.IntegerAttr(attribute).value
