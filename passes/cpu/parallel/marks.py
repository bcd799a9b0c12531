"""Marks of loops whose iterations are independent of each other, which `wse-parallelize` may give to threads.

    scf.for ... {wse.parallel = 3 : i64, wse.cost = 786432 : i64}

Loops with the same number in a function are the parts of one nest (whole tiles and edges) and independent of each
other as well. The cost is an estimate of the loop's scalar operations, with a typical size in place of an open one.
"""

from typing import Any

from ....dialects.host import ir

PARALLEL_MARK = "wse.parallel"
COST_MARK = "wse.cost"
_LARGEST = 2**62


def mark_parallel(loop: Any, nest: int, cost: int) -> None:
    """Marks an `scf.for` as part of nest `nest`, of `cost` operations in all of its iterations."""
    i64 = ir.IntegerType.get_signless(64)
    loop.operation.attributes[PARALLEL_MARK] = ir.IntegerAttr.get(i64, nest)
    loop.operation.attributes[COST_MARK] = ir.IntegerAttr.get(i64, min(max(1, int(cost)), _LARGEST))


def next_nest(function: ir.Operation) -> int:
    """A nest number that no loop of the function has yet."""
    highest = -1

    def visit(op: ir.Operation) -> ir.WalkResult:
        nonlocal highest
        if PARALLEL_MARK in op.attributes:
            highest = max(highest, ir.IntegerAttr(op.attributes[PARALLEL_MARK]).value)
        return ir.WalkResult.ADVANCE

    function.walk(visit)
    return highest + 1
