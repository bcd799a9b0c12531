"""Where a maximum or minimum is, when NaN is among the elements: PyTorch takes NaN for the greatest and the least.

torch-mlir compares by `ogt` and `olt`, which hold for no NaN, and so reports a place of another element. A position
moves to an element that is NaN where none was before; in a window of a pooling, to the last NaN, as in PyTorch. What
pads an image is no element of it, and is not where the maximum of a window is that has nothing but -inf.
"""

from __future__ import annotations

from typing import Any

from ..dialects.host import arith, ir, tensor
from ..dialects.structured import Structured, replace_op, structured
from ..passes.tensor.traversal import collect

_STRICT = {arith.CmpFPredicate.OGT: arith.CmpFPredicate.UGT, arith.CmpFPredicate.OLT: arith.CmpFPredicate.ULT}
_EXTREMES = ("arith.maximumf", "arith.minimumf")


def find_unordered(module: ir.Module) -> None:
    """Repairs the comparisons of all positions of extremes in a module in place."""
    for op in collect(module.operation, lambda op: op.name == "linalg.generic"):
        view = structured(op)
        if view is not None and not view.is_parallel():
            for inner in view.body_operations():
                if inner.operation.name == "arith.cmpf" and not _repair_running(view, inner.operation):
                    _repair_window(view, inner.operation)


def _repair_running(view: Structured, compare: ir.Operation) -> bool:
    """`element > best`, where the body goes on with the greater of both."""
    predicate = arith.CmpFPredicate(ir.IntegerAttr(compare.attributes["predicate"]).value)
    element, best = compare.operands
    running: list[Any] = list(view.body.arguments)[len(view.inputs) :]
    if predicate not in _STRICT or best not in running:
        return False
    kept = view.yielded[running.index(best)].owner
    if isinstance(kept, ir.Block) or kept.name not in _EXTREMES or set(kept.operands) != {element, best}:
        return False
    with compare.location, ir.InsertionPoint(compare):
        above = arith.cmpf(_STRICT[predicate], element, best)
        ordered = arith.cmpf(arith.CmpFPredicate.ORD, best, best)
        found = arith.andi(above, ordered)
    replace_op(compare, [found])
    return True


def _repair_window(view: Structured, compare: ir.Operation) -> None:
    """`element == extreme`, which decides whether a position that is still -1 becomes the element's."""
    predicate = arith.CmpFPredicate(ir.IntegerAttr(compare.attributes["predicate"]).value)
    element, extreme = compare.operands
    if predicate != arith.CmpFPredicate.OEQ or len(view.inits) != 1 or not view.yielded:
        return
    last: Any = view.yielded[0].owner
    taken = compare.results[0]
    chosen = [u.owner.operation for u in taken.uses]
    if isinstance(last, ir.Block) or last.name != "arith.select" or len(chosen) != 1:
        return
    inner = chosen[0]
    best = view.body.arguments[-1]
    # select(best == -1, select(element == extreme, position, best), best)
    if inner.name != "arith.select" or list(last.operands)[1:] != [inner.results[0], best]:
        return
    if (
        inner.operands[2] != best
        or isinstance(element.owner, ir.Block)
        or extreme not in list(view.body.arguments)
    ):
        return
    _keep_inside(compare, element.owner.operation)
    with last.location, ir.InsertionPoint(last):
        both = arith.andi(
            arith.cmpf(arith.CmpFPredicate.UNO, element, element),
            arith.cmpf(arith.CmpFPredicate.UNO, extreme, extreme),
        )
        repaired = arith.select(both, inner.operands[1], last.results[0])
        repaired.owner.move_after(last)
    list(view.body.operations)[-1].operands[0] = repaired


def _keep_inside(compare: ir.Operation, extract: ir.Operation) -> None:
    """Makes the comparison with an element of a padded image false in the padding."""
    if extract.name != "tensor.extract" or isinstance(extract.operands[0].owner, ir.Block):
        return
    pad: Any = extract.operands[0].owner.opview
    if not isinstance(pad, tensor.PadOp):
        return
    low, high = list(pad.static_low), list(pad.static_high)
    index = ir.IndexType.get()
    taken = compare.results[0]
    users = [use.owner.operation for use in taken.uses]
    with compare.location, ir.InsertionPoint(users[0]):
        inside = taken
        for d, (before, after) in enumerate(zip(low, high, strict=True)):
            if before == 0 and after == 0:
                continue
            place = arith.subi(extract.operands[1 + d], arith.constant(index, before))
            size = tensor.dim(pad.source, arith.constant(index, d))
            inside = arith.andi(inside, arith.cmpi(arith.CmpIPredicate.ult, place, size))
    for user in users:
        for k, operand in enumerate(user.operands):
            if operand == taken:
                user.operands[k] = inside
