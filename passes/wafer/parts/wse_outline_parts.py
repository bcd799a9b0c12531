"""The pass `wse-outline-parts`: programs in parts, for the CPU what the wafer has no lowering for."""

from __future__ import annotations

from ....dialects.host import ir
from ....dialects.provenance import describe_location, read_location
from ...infra.pass_base import Pass, PassRun, option
from ..shard.lowering import require_lowering
from ..shard.main_function import find_main, require_interface, write_slices
from .interfaces import interfaces_of
from .outliner import PartOutliner
from .sequence import Part, parts_in_order
from .sides import SidedOperation, steps_of
from .turns import in_turns


class OutlineParts(Pass, name="wse-outline-parts", anchor="builtin.module"):
    """Makes of `@main` a sequence of calls of functions for the wafer and, with all else, for the CPU.

    `wse.part` on a function says which. A program that the wafer can run as a whole stays as it is, unless `programs`
    asks for several that take turns on it, about as long as each other. Values that travel
    between parts are tensors; a number travels as a tensor of rank 0, an index as an `i64`. Constants are made in each
    part that needs them. A state is one of its function if nothing else reads or makes it, and no other part is for the
    wafer. Remarks say what the CPU runs, and why.

        func.func @main(%x: tensor<8xf32>, %i: tensor<i64>) -> tensor<2xf32> {
          %y = linalg.generic {exp} ins(%x) ..
          %n = tensor.extract %i[] : tensor<i64>
          %at = arith.index_cast %n : i64 to index
          %z = tensor.extract_slice %y[%at] [2] [1] : tensor<8xf32> to tensor<2xf32>
          return %z
    becomes
        func.func private @wafer_0(%x: tensor<8xf32>) -> tensor<8xf32> attributes {wse.part = "wafer"} { .. }
        func.func private @cpu_1(%y: tensor<8xf32>, %i: tensor<i64>) -> tensor<2xf32> attributes {wse.part = "cpu"} {..}
        func.func @main(%x: tensor<8xf32>, %i: tensor<i64>) -> tensor<2xf32> {
          %y = call @wafer_0(%x)
          %z = call @cpu_1(%y, %i)
          return %z
    """

    programs: int = option(1, "for how many programs the wafer's part is, which take turns on it", least=1)
    fallback: bool = option(True, "give the CPU what has no lowering to the wafer; refused otherwise")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        main = find_main(op)
        require_interface(main)
        with op.context:
            write_slices(main)
            steps = steps_of(main)
            for step in reversed(steps):
                if step.refusal and not self.fallback:
                    require_lowering(step.op)
            parts = in_turns(parts_in_order(steps), self.programs)
            if [part.side for part in parts] in ([], ["wafer"]):
                return
            for number, part in enumerate(parts):
                if part.side == "cpu":
                    _explain(part, _name(number, part), run)
            names = [_name(number, part) for number, part in enumerate(parts)]
            PartOutliner(main, parts, interfaces_of(main, parts), names).run()
        run.count("parts", len(parts))


def _name(number: int, part: Part) -> str:
    return f"{part.side}_{number}"


def _explain(part: Part, name: str, run: PassRun) -> None:
    """A remark on each place of the model that a part for the CPU is from: on the step there that tells most."""
    steps: dict[str, SidedOperation] = {}
    for step in part.steps:
        place = describe_location(step.op.location)
        steps[place] = max(steps.get(place, step), step, key=_telling)
    for place, step in steps.items():
        reason = step.refusal or "it is small, and beside what runs there"
        operator = read_location(step.op.location).operator or step.op.operation.name
        run.remark(
            step.op, f"runs on the CPU: {reason}", part=name, operator=operator, where=place, reason=reason
        )


def _telling(step: SidedOperation) -> tuple[bool, bool]:
    """What has no lowering tells more than what goes along, a tensor more than the numbers that it needs."""
    return step.refusal != "", any(isinstance(r.type, ir.RankedTensorType) for r in step.results)
