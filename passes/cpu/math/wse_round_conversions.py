"""The pass `wse-round-conversions`: integers become half floats by way of f32, and are rounded."""

from typing import Any

from ....dialects.host import arith, ir
from ...infra.pass_base import Pass, PassRun
from ...infra.patterns import Pattern, PatternSet, Rewriter
from ...tensor.approximations.lanes import shaped


class RoundConversions(Pass, name="wse-round-conversions", anchor="func.func"):
    """Rounds what is converted from integers to f16 and bf16, however it is used.

    Arithmetic in these types is done in f32, and a result that only other arithmetic reads may keep its precision
    (upstream's `arith-emulate-unsupported-floats` marks its roundings `contract`). A conversion is asked for by the
    model: 70000 is infinite in f16, and whoever divides by it sees that. It goes through f32, as PyTorch's does.

        %y = arith.sitofp %x : i64 to f16
    becomes
        %w = arith.sitofp %x : i64 to f32
        %y = arith.truncf %w : f32 to f16
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        patterns = PatternSet(
            Pattern("arith.sitofp", _convert_through_f32), Pattern("arith.uitofp", _convert_through_f32)
        )
        run.count("conversions rounded", sum(patterns.apply(op).values()))


def _convert_through_f32(op: Any, rewriter: Rewriter) -> bool:
    source, result = op.operation.operands[0], op.operation.results[0].type
    element = result.element_type if isinstance(result, ir.ShapedType) else result
    if element not in (ir.F16Type.get(), ir.BF16Type.get()):
        return False
    convert = arith.sitofp if op.operation.name == "arith.sitofp" else arith.uitofp
    rewriter.replace_op(op, [arith.truncf(result, convert(shaped(result, ir.F32Type.get()), source))])
    return True
