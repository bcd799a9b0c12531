"""The pass `wse-outline-regions`: parts of a program that are on the wafer at a time, side by side."""

from __future__ import annotations

from math import prod
from typing import Any

from ....dialects.host import ir
from ....dialects.structured import structured
from ....dialects.wse import build
from ...infra.diagnostics import PassFailure
from ...infra.pass_base import Pass, PassRun, option
from ..shard.lowering import require_lowering
from ..shard.main_function import find_main, require_interface, write_slices
from .interfaces import region_interfaces
from .outliner import PartOutliner
from .sequence import Part
from .sides import SidedOperation, steps_of
from .turns import evenly_cut

WORK = "wse.work"


class OutlineRegions(Pass, name="wse-outline-regions", anchor="builtin.module"):
    """Makes of `@main` a sequence of calls of functions, one for each region, which have about the same work.

    What a region reads of earlier ones comes from its neighbour, and what only later ones read goes through it: those
    arguments and results have the kind "stream". `wse.work` counts the scalar operations of a region.

        func.func @main(%x: tensor<8xf32>, %w: tensor<8xf32>) -> tensor<8xf32> {
          %a = linalg.generic {exp} ins(%x) ..
          %b = linalg.generic {mul} ins(%a, %w) ..
          return %b
    becomes
        func.func private @region_0(%x: tensor<8xf32>) -> (tensor<8xf32> {wse.kind = "stream", wse.name = "0"}) { .. }
        func.func private @region_1(%a: tensor<8xf32> {wse.kind = "stream", ..}, %w: tensor<8xf32>) -> .. { .. }
        func.func @main(%x: tensor<8xf32>, %w: tensor<8xf32>) -> tensor<8xf32> {
          %a = call @region_0(%x)
          %b = call @region_1(%a, %w)
          return %b
    """

    regions: int = option(
        2, "how many regions there are to be; fewer where there are fewer operations", least=1
    )

    def run(self, op: ir.Operation, run: PassRun) -> None:
        main = find_main(op)
        require_interface(main)
        with op.context:
            write_slices(main)
            steps = steps_of(main)
            for step in reversed(steps):
                require_lowering(step.op)
            if not steps:
                raise PassFailure(main, "@main computes nothing that regions could share")
            count = min(self.regions, len(steps))
            parts = [Part("wafer", cut) for cut in evenly_cut(steps, count, work_of)]
            work = [sum(map(work_of, part.steps)) for part in parts]
            names = [f"region_{number}" for number in range(count)]
            outliner = PartOutliner(main, parts, region_interfaces(main, parts), names)
            outliner.run()
            for function, own in zip(outliner.functions, work, strict=True):
                function.attributes[WORK] = build.i64(own)
        run.count("regions", count)


def work_of(step: SidedOperation) -> int:
    """About how many scalar operations a step takes; moving an element counts as one."""
    view = structured(step.op)
    if view is None:
        return sum(prod(kind.shape) for kind in _tensors(step.op))
    inner = (op for region in step.op.operation.regions for block in region.blocks for op in block.operations)
    return prod(view.fixed_sizes()) * max(1, sum(1 for _ in inner) - 1)  # what yields is none


def _tensors(op: Any) -> list[ir.RankedTensorType]:
    types = [ir.RankedTensorType(r.type) for r in op.results if isinstance(r.type, ir.RankedTensorType)]
    return [kind for kind in types if kind.has_static_shape]
