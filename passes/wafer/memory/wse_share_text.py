"""The pass `wse-share-text`: what a class's text has several times is in memory once, where memory is short."""

from __future__ import annotations

from ....dialects.host import ir
from ...infra.pass_base import Pass, PassRun, option
from ...tensor.traversal import collect
from ..executable import mark_of
from .wse_plan_memory import MemoryPlan, saved_by_call


class ShareText(Pass, name="wse-share-text", anchor="builtin.module"):
    """Makes calls of as many routines that `wse-emit-programs` marked as programs need to fit; other marks go.

    A call costs a branch there and one back; what calls differ in, descriptors alone, they bring along in a record.

        wse.control "branch" x 0 {wse.enters = "shared_0"}           wse.control "branch" x 1 {..}
        wse.vector "add" %a, %b, %c                                  wse.vector "add" %a, %b, %c
        wse.control "branch" x 0 {wse.leaves = "shared_0"}     ->    wse.control "branch" x 1 {..}
        wse.control "branch" x 0 {wse.enters = "shared_0", ..}       wse.control "branch" x 1 {..}
        wse.vector "add" %d, %e, %f                                  wse.vector "add" %d, %e, %f
        wse.control "branch" x 0 {wse.leaves = "shared_0"}           wse.control "branch" x 1 {..}
    """

    always: bool = option(False, "whether all calls are made even if the program fits without")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        marks = collect(op, lambda o: bool(mark_of(o)[0]))
        if not marks:
            return
        routines = {mark_of(mark)[0] for mark in marks} if self.always else _needed(op)
        once = ir.AffineMapAttr.get(ir.AffineMap.get_constant(1))
        for mark in marks:
            if mark_of(mark)[0] in routines:
                mark.attributes["count"] = once
            else:
                mark.erase()
        run.count("routines", len(routines))


def _needed(module: ir.Operation) -> set[str]:
    """The fewest routines with which the program fits, those first that save most for a call; all if none suffice."""
    saved = saved_by_call(module)
    order = sorted(saved, key=lambda name: (-saved[name], name))
    memory = MemoryPlan.of(module, ())
    too_few, enough = -1, 0 if memory.fits else len(order)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if memory.with_routines(module, order[:middle]).fits:
            enough = middle
        else:
            too_few = middle
    return set(order[:enough])
