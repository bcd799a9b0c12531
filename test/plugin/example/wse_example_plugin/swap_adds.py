"""`example-swap-adds`."""

from wse_mlir import Pass
from wse_mlir.dialects.host import arith, ir
from wse_mlir.passes.infra.pass_base import PassRun
from wse_mlir.passes.infra.patterns import Pattern, PatternSet


def swap(op, rewriter) -> bool:
    if "swapped" in op.attributes:
        return False
    swapped = arith.AddIOp(op.rhs, op.lhs)
    swapped.attributes["swapped"] = ir.UnitAttr.get()
    rewriter.replace_op(op, swapped)
    return True


class SwapAdds(Pass, name="example-swap-adds", anchor="func.func"):
    """Swaps the operands of integer additions, once.

    Before: `arith.addi %a, %b`, after: `arith.addi %b, %a {swapped}`.
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        applied = PatternSet(Pattern("arith.addi", swap)).apply(op)
        run.count("additions swapped", applied["swap"])
