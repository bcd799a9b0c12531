"""The pass `wse-share-text`: what a class's text has several times is in memory once, where memory is short."""

from __future__ import annotations

from ...dialects.host import ir
from ..infra.pass_base import Pass, PassRun, option
from ..tensor.traversal import collect
from .executable import ENTERS, LEAVES
from .wse_plan_memory import Memory


class ShareText(Pass, name="wse-share-text", anchor="builtin.module"):
    """Makes calls of the routines that `wse-emit-programs` marked, or takes the marks away if programs fit without.

    A call costs a branch there and one back; what calls differ in, descriptors alone, they bring along in a record.

        wse.control "branch" x 0 {wse.enters = "shared_0"}           wse.control "branch" x 1 {..}
        wse.vector "add" %a, %b, %c                                  wse.vector "add" %a, %b, %c
        wse.control "branch" x 0 {wse.leaves = "shared_0"}     ->    wse.control "branch" x 1 {..}
        wse.control "branch" x 0 {wse.enters = "shared_0", ..}       wse.control "branch" x 1 {..}
        wse.vector "add" %d, %e, %f                                  wse.vector "add" %d, %e, %f
        wse.control "branch" x 0 {wse.leaves = "shared_0"}           wse.control "branch" x 1 {..}
    """

    always: bool = option(False, "whether calls are made even if the program fits without")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        marks = collect(op, lambda o: ENTERS in o.attributes or LEAVES in o.attributes)
        if not marks:
            return
        if self.always or not Memory.of(op, shares_text=False).fits:
            once = ir.AffineMapAttr.get(ir.AffineMap.get_constant(1))
            for mark in marks:
                mark.attributes["count"] = once
            run.count("calls of routines", sum(ENTERS in mark.attributes for mark in marks))
            return
        for mark in marks:
            mark.erase()
