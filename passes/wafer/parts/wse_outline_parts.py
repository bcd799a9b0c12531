"""The pass `wse-outline-parts`: programs in parts, for the CPU what the wafer has no lowering for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dialects.element_types import TORCH_NAMES
from ....dialects.host import arith, func, ir, tensor
from ....dialects.provenance import describe_location, read_location
from ....dialects.structured import clone_into, outer_operands
from ...infra.diagnostics import PassFailure
from ...infra.pass_base import Pass, PassRun, option
from ..shard.lowering import require_lowering
from ..shard.main_function import find_main, require_interface, write_slices
from .interfaces import PartInterface, interfaces_of
from .sequence import Part, parts_in_order
from .sides import SidedOperation, steps_of
from .turns import in_turns

PART = "wse.part"


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
            _Outliner(main, parts).run()
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


class _Outliner:
    """Writes parts as functions, and calls of them."""

    def __init__(self, main: Any, parts: Sequence[Part]) -> None:
        self.main = main
        self.parts = parts
        self.interfaces = interfaces_of(main, parts)

    def run(self) -> None:
        block = self.main.body.blocks[0]
        *old, terminator = block.operations
        present: dict[ir.Value, ir.Value] = {a: a for a in block.arguments}
        for number, (part, interface) in enumerate(zip(self.parts, self.interfaces, strict=True)):
            name = _name(number, part)
            self.write(name, part, interface)
            with ir.InsertionPoint(terminator), self.main.location:
                types = [_travelling(v.type) for v in interface.made]
                made = func.CallOp(types, name, [present[v] for v in interface.taken]).results
            present.update(zip(interface.made, made, strict=True))
        for position, value in enumerate(terminator.operands):
            terminator.operation.operands[position] = present[value]
        for op in reversed(old):
            op.operation.erase()

    def write(self, name: str, part: Part, interface: PartInterface) -> None:
        """Writes a part's function in front of `@main`."""
        for value in interface.made:
            _require_travels(value)
        taken, made = ([_travelling(v.type) for v in values] for values in (interface.taken, interface.made))
        with ir.InsertionPoint(self.main), self.main.location:
            function = func.FuncOp(name, (taken, made), visibility="private")
        function.attributes[PART] = ir.StringAttr.get(part.side)
        described = zip(interface.kinds, interface.names, strict=True)
        function.attributes["arg_attrs"] = ir.ArrayAttr.get([_described(k, n) for k, n in described])
        outputs = len(made) - len(interface.states)
        results = [("output", str(k)) for k in range(outputs)] + [("state", n) for n in interface.states]
        function.attributes["res_attrs"] = ir.ArrayAttr.get([_described(k, n) for k, n in results])
        block = function.add_entry_block([_location(v) for v in interface.taken])
        copied: dict[ir.Value, ir.Value] = {}
        with ir.InsertionPoint(block), self.main.location:
            for value, argument in zip(interface.taken, block.arguments, strict=True):
                copied[value] = _arrived(argument, value.type)
            for step in part.steps:
                _copy(step.op.operation, copied)
            for value in interface.made:
                if value not in copied:
                    _copy(value.owner, copied)
            func.ReturnOp([_departing(copied[value]) for value in interface.made])


def _copy(op: Any, copied: dict[ir.Value, ir.Value]) -> None:
    """Copies an operation, and before it the constants that it needs."""
    for value in outer_operands(op):
        if value not in copied:
            _copy(value.owner, copied)
    clone_into([op], copied)


def _travelling(kind: ir.Type) -> ir.Type:
    """The tensor that a value travels between parts as."""
    if isinstance(kind, ir.RankedTensorType):
        return kind
    element = ir.IntegerType.get_signless(64) if isinstance(kind, ir.IndexType) else kind
    return ir.RankedTensorType.get([], element)


def _arrived(argument: ir.Value, kind: ir.Type) -> ir.Value:
    """A value of another part as its readers want it, of the tensor that it travelled as."""
    if argument.type == kind:
        return argument
    number = tensor.extract(argument, [])
    return arith.index_cast(kind, number) if isinstance(kind, ir.IndexType) else number


def _departing(value: ir.Value) -> ir.Value:
    """The tensor that a value travels as."""
    kind = _travelling(value.type)
    if kind == value.type:
        return value
    number = value
    if isinstance(value.type, ir.IndexType):
        number = arith.index_cast(ir.IntegerType.get_signless(64), value)
    return tensor.from_elements(kind, [number])


def _require_travels(value: ir.Value) -> None:
    """Raises `PassFailure` for a value of elements that no array has."""
    element = ir.RankedTensorType(_travelling(value.type)).element_type
    if str(element) not in TORCH_NAMES:
        raise PassFailure(
            value.owner,  # type: ignore[arg-type]
            f"a value of type {value.type} would have to travel between the wafer and the CPU, and no array has such "
            "elements",
            hint="use target='cpu'",
        )


def _location(value: ir.Value) -> ir.Location:
    return value.owner.location if not isinstance(value.owner, ir.Block) else value.location


def _described(kind: str, name: str) -> ir.Attribute:
    return ir.DictAttr.get({"wse.kind": ir.StringAttr.get(kind), "wse.name": ir.StringAttr.get(name)})
