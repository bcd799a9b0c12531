"""Replaces functions that are not instructions by arithmetic that vector units have."""

from collections.abc import Callable
from typing import Any

from ...dialects.host import arith, ir, math
from ..infra.pass_base import Pass, PassRun, option
from ..infra.patterns import Pattern, PatternSet, Rewriter
from .elementary_functions import Arithmetic, expm1, log1p, splat
from .processor import processor


class ExpandMath(Pass, name="wse-expand-math", anchor="func.func"):
    """Expands exp, expm1, log, log1p, tanh and erf on f32 scalars and vectors into polynomials.

    Relative errors stay below 2e-7 for exp and log and 4e-7 for the others; infinities, NaN and denormal results
    are those of the C library. log1p and expm1 of f64 become forms of log and exp that keep all digits near 0,
    which LLVM would lose. Integer powers (of any float type) become products when the exponent is a constant,
    else `math.powf`: LLVM has none with 64-bit exponents. A clamp becomes a minimum and a maximum. Conversions to
    integers of 8 and 16 bits go through i32, so that numbers out of range wrap as they do in PyTorch and C, and those
    of unsigned types, which have no type of their own here, are in range. Everything else is left alone.

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
        )
        run.count("functions expanded", sum(patterns.apply(op).values()))


_EXPANSIONS: dict[str, Callable[[Arithmetic, ir.Value], ir.Value]] = {
    "exp": Arithmetic.exp,
    "expm1": Arithmetic.expm1,
    "log": Arithmetic.log,
    "log1p": Arithmetic.log1p,
    "tanh": Arithmetic.tanh,
    "erf": Arithmetic.erf,
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
    one = splat(base.type, ir.FloatAttr.get(element, 1.0))
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
