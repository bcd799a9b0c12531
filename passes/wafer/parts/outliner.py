"""Parts of a program as functions, and calls of them in `@main`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dialects.element_types import TORCH_NAMES
from ....dialects.host import arith, func, ir, tensor
from ....dialects.structured import clone_into, outer_operands
from ...infra.diagnostics import PassFailure
from .interfaces import STREAM, PartInterface
from .sequence import Part

PART = "wse.part"


class PartOutliner:
    """Writes parts as functions, and calls of them."""

    def __init__(
        self, main: Any, parts: Sequence[Part], interfaces: Sequence[PartInterface], names: Sequence[str]
    ) -> None:
        self.main = main
        self.parts = parts
        self.interfaces = interfaces
        self.names = names
        self.functions: list[Any] = []

    def run(self) -> None:
        block = self.main.body.blocks[0]
        *old, terminator = block.operations
        present: dict[ir.Value, ir.Value] = {a: a for a in block.arguments}
        handed_on: dict[ir.Value, ir.Value] = {}
        for name, part, interface in zip(self.names, self.parts, self.interfaces, strict=True):
            self.write(name, part, interface)
            with ir.InsertionPoint(terminator), self.main.location:
                types = [_travelling(v.type) for v in interface.made]
                arguments = zip(interface.taken, interface.kinds, strict=True)
                given = [(handed_on if kind == STREAM else present)[v] for v, kind in arguments]
                made = func.CallOp(types, name, given).results
            for value, (kind, _), result in zip(interface.made, interface.results, made, strict=True):
                (handed_on if kind == STREAM else present)[value] = result
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
        self.functions.append(function)
        function.attributes[PART] = ir.StringAttr.get(part.side)
        described = zip(interface.kinds, interface.names, strict=True)
        function.attributes["arg_attrs"] = ir.ArrayAttr.get([_described(k, n) for k, n in described])
        function.attributes["res_attrs"] = ir.ArrayAttr.get([_described(k, n) for k, n in interface.results])
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
