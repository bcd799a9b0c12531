"""The pass `wse-expand-collectives`: collectives in terms of those that PEs carry out directly."""

from typing import Any

from ...dialects.host import ir
from ...dialects.wse import build, read
from ..infra.pass_base import Pass, PassRun
from .layout_rules import redistribution
from .main_function import find_main


class ExpandCollectives(Pass, name="wse-expand-collectives", anchor="builtin.module"):
    """Rewrites redistributions; other collectives are the library's as they stand.

    A redistribution becomes all-gathers of what has to be whole, and redistributions that only slice: every PE
    keeps a part of what it holds. Slices come first where the axis is free, for they make what follows smaller.

        %1 = wse.redistribute %0 from [-, x:4/2] to [y:4/2, -]
    becomes
        %a = wse.redistribute %0 from [-, x:4/2] to [y:4/2, x:4/2]
        %1 = wse.all_gather %a {axis = "x", dim = 1}
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        main = find_main(op)
        for inner in list(main.body.blocks[0].operations):
            if inner.operation.name != "wse.redistribute":
                continue
            with ir.InsertionPoint(inner), inner.location:
                value = _redistribute(inner)
            inner.result.replace_all_uses_with(value)
            inner.operation.erase()
            run.count("redistributions expanded")


def _redistribute(op: Any) -> ir.Value:
    here, target = read.layout(op.source_layout, op.input.type), read.layout(op.layout, op.input.type)
    value = op.input
    for step in redistribution(here, target):
        if step.kind == "gather":
            value = build.all_gather(value, step.axis, step.dim, here, step.layout)
        else:
            value = build.redistribute(value, here, step.layout)
        here = step.layout
    return value
