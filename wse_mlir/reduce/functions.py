"""Functions as a reduction sees them: operations whose type is the attribute `function_type`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..dialects.host import ir, llvm
from .draft import Draft


@dataclass(frozen=True)
class SignatureEntry:
    """An argument or a result: its type, and which one it was before a change; None for one that is new."""

    type: ir.Type
    before: int | None = None


@dataclass(frozen=True)
class FunctionTypes:
    """What a function takes and returns.

    Attributes:
        native: whether it is one of LLVM's, which returns at most one value.
        variadic: whether C's `...` follows the arguments.
    """

    inputs: tuple[SignatureEntry, ...]
    results: tuple[SignatureEntry, ...]
    native: bool = False
    variadic: bool = False

    def without_input(self, index: int) -> FunctionTypes:
        return replace(self, inputs=self.inputs[:index] + self.inputs[index + 1 :])

    def without_result(self, index: int) -> FunctionTypes:
        return replace(self, results=self.results[:index] + self.results[index + 1 :])

    def with_input(self, type: ir.Type) -> FunctionTypes:
        return replace(self, inputs=(*self.inputs, SignatureEntry(type)))

    def with_results(self, types: Sequence[ir.Type]) -> FunctionTypes:
        return replace(self, results=tuple(map(SignatureEntry, types)))

    def to_type(self, context: ir.Context) -> ir.Type:
        inputs, results = [slot.type for slot in self.inputs], [slot.type for slot in self.results]
        if not self.native:
            return ir.FunctionType.get(inputs, results, context)
        result = results[0] if results else ir.Type.parse("!llvm.void", context)
        function: Any = llvm.FunctionType  # pyright: ignore[reportAttributeAccessIssue]: absent from its stub
        return function.get(result, inputs, is_var_arg=self.variadic)


def signature_of(op: ir.Operation) -> FunctionTypes | None:
    """What `func.func`, `llvm.func` and what is like them take and return; None for other operations."""
    if len(op.regions) != 1 or "function_type" not in op.attributes:
        return None
    value = ir.TypeAttr(op.attributes["function_type"]).value
    if isinstance(value, ir.FunctionType):
        return FunctionTypes(_slots(value.inputs), _slots(value.results))
    if str(value).startswith("!llvm.func<"):
        native: Any = value  # a class without a stub
        results = [] if str(native.return_type) == "!llvm.void" else [native.return_type]
        return FunctionTypes(_slots(native.inputs), _slots(results), native=True, variadic=native.is_var_arg)
    return None


def set_signature(op: ir.Operation, signature: FunctionTypes) -> None:
    """Changes a function's type and keeps its lists of attributes in step; not its body and its callers."""
    op.attributes["function_type"] = ir.TypeAttr.get(signature.to_type(op.context), op.context)
    for name, slots in (("arg_attrs", signature.inputs), ("res_attrs", signature.results)):
        if name in op.attributes:
            before = ir.ArrayAttr(op.attributes[name])
            none = ir.DictAttr.get({}, op.context)
            kept = [none if slot.before is None else before[slot.before] for slot in slots]
            op.attributes[name] = ir.ArrayAttr.get(kept, op.context)


def symbol_name(op: ir.Operation) -> str | None:
    """The name under which others may refer to the operation."""
    return ir.StringAttr(op.attributes["sym_name"]).value if "sym_name" in op.attributes else None


def has_users(op: ir.Operation, draft: Draft) -> bool:
    """Whether the function's name is mentioned elsewhere, so that its signature is not its own business."""
    return symbol_name(op) in draft.shared


def _slots(types: Sequence[ir.Type]) -> tuple[SignatureEntry, ...]:
    return tuple(SignatureEntry(type, index) for index, type in enumerate(types))
