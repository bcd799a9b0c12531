"""Conversions of f16 and bf16 that are no instructions."""

from collections.abc import Callable
from typing import Any

from ....dialects.constants import splat_number
from ....dialects.host import arith, ir
from ...infra.pass_base import Pass, PassRun, option
from ...infra.patterns import Pattern, PatternSet, Rewriter
from ...tensor.approximations.lanes import shaped
from ..processor import processor

_UGE, _UGT = arith.CmpIPredicate.uge, arith.CmpIPredicate.ugt


class ExpandHalf(Pass, name="wse-expand-half", anchor="func.func"):
    """Expands conversions between f16 and f32, scalars and vectors; exact, ties to even, NaN stays NaN.

    LLVM calls a library for them where the processor has no instruction, and there is no library here. Between f64
    and f16 or bf16 no processor has one: these go through f32, as PyTorch's do (and round twice, as PyTorch's do).

        %y = arith.extf %x : f16 to f32
    becomes
        %bits = arith.bitcast %x : f16 to i16 ... arith.shli ... arith.mulf ... %y = arith.select
    """

    always: bool = option(False, "also where the processor has instructions for it")
    cpu: str = option("", "LLVM's name of the processor that code is for; this machine's when empty")
    features: str = option("", "LLVM's processor features on top of that, '+avx2,-avx512f'")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        patterns = [
            Pattern("arith.extf", extend_through_f32),
            Pattern("arith.truncf", truncate_through_f32),
        ]
        if self.always or not processor(self.cpu, self.features).converts_half:
            patterns += [Pattern("arith.extf", expand_extension), Pattern("arith.truncf", expand_truncation)]
        run.count("conversions expanded", sum(PatternSet(*patterns).apply(op).values()))


class _Integers:
    """Builds i32 arithmetic of the shape of a scalar or vector type."""

    def __init__(self, like: ir.Type) -> None:
        self._like = like
        self.i32 = shaped(like, ir.IntegerType.get_signless(32))
        self.i16 = shaped(like, ir.IntegerType.get_signless(16))
        self.f32 = shaped(like, ir.F32Type.get())

    def constant(self, value: int) -> ir.Value:
        return splat_number(self.i32, value)

    def real(self, bits: int) -> ir.Value:
        """The f32 with these bits."""
        return arith.bitcast(self.f32, self.constant(bits))


def extend_through_f32(op: Any, rewriter: Rewriter) -> bool:
    """f16 or bf16 -> f32 -> f64."""
    source, result = op.operation.operands[0], op.operation.results[0].type
    return _in_two_steps(
        op, rewriter, source.type, result, lambda f32: arith.extf(result, arith.extf(f32, source))
    )


def truncate_through_f32(op: Any, rewriter: Rewriter) -> bool:
    """f64 -> f32 -> f16 or bf16."""
    source, result = op.operation.operands[0], op.operation.results[0].type
    return _in_two_steps(
        op, rewriter, result, source.type, lambda f32: arith.truncf(result, arith.truncf(f32, source))
    )


def _in_two_steps(
    op: Any, rewriter: Rewriter, narrow: ir.Type, wide: ir.Type, convert: Callable[[ir.Type], ir.Value]
) -> bool:
    is_narrow = _element(narrow) in (ir.F16Type.get(), ir.BF16Type.get())
    if not is_narrow or _element(wide) != ir.F64Type.get():
        return False
    rewriter.replace_op(op, [convert(_Integers(wide).f32)])
    return True


def expand_extension(op: Any, rewriter: Rewriter) -> bool:
    """Moves exponent and mantissa into place and rescales by 2^112, which makes denormals normal as well."""
    source, result = op.operation.operands[0], op.operation.results[0].type
    if _element(source.type) != ir.F16Type.get() or _element(result) != ir.F32Type.get():
        return False
    e = _Integers(result)
    bits = arith.extui(e.i32, arith.bitcast(e.i16, source))
    size = arith.andi(bits, e.constant(0x7FFF))
    sign = arith.shli(arith.andi(bits, e.constant(0x8000)), e.constant(16))
    moved = arith.shli(size, e.constant(13))
    finite = arith.bitcast(e.i32, arith.mulf(arith.bitcast(e.f32, moved), e.real(0x77800000)))
    special = arith.ori(moved, e.constant(0x7F800000))
    is_special = arith.cmpi(_UGE, size, e.constant(0x7C00))
    value = arith.ori(arith.select(is_special, special, finite), sign)
    rewriter.replace_op(op, [arith.bitcast(result, value)])
    return True


def expand_truncation(op: Any, rewriter: Rewriter) -> bool:
    """Rounds to nearest even by an integer addition; adding 0.5 aligns the bits of what becomes denormal."""
    source, result = op.operation.operands[0], op.operation.results[0].type
    if _element(source.type) != ir.F32Type.get() or _element(result) != ir.F16Type.get():
        return False
    e = _Integers(result)
    bits = arith.bitcast(e.i32, source)
    size = arith.andi(bits, e.constant(0x7FFFFFFF))
    sign = arith.andi(arith.shrui(bits, e.constant(16)), e.constant(0x8000))
    odd = arith.andi(arith.shrui(size, e.constant(13)), e.constant(1))
    rebiased = arith.addi(size, e.constant(((15 - 127) << 23) + 0xFFF))
    normal = arith.shrui(arith.addi(rebiased, odd), e.constant(13))
    aligned = arith.addf(arith.bitcast(e.f32, size), e.real(0x3F000000))
    denormal = arith.subi(arith.bitcast(e.i32, aligned), e.constant(0x3F000000))
    is_nan = arith.cmpi(_UGT, size, e.constant(0x7F800000))
    special = arith.select(is_nan, e.constant(0x7E00), e.constant(0x7C00))
    value = arith.select(arith.cmpi(_UGT, e.constant(0x38800000), size), denormal, normal)
    value = arith.select(arith.cmpi(_UGE, size, e.constant(0x47800000)), special, value)
    narrow = arith.trunci(e.i16, arith.ori(value, sign))
    rewriter.replace_op(op, [arith.bitcast(result, narrow)])
    return True


def _element(kind: ir.Type) -> ir.Type:
    return kind.element_type if isinstance(kind, ir.VectorType) else kind
