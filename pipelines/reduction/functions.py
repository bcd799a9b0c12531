"""Functions as a reduction sees them: operations whose type is the attribute `function_type`."""

from __future__ import annotations

from collections.abc import Sequence

from ...dialects.host import ir
from .draft import Draft

_OF_EACH_VALUE = {"arg_attrs": "inputs", "res_attrs": "results"}


def function_type(op: ir.Operation) -> ir.FunctionType | None:
    """The type of `func.func` and what is like it; None for other operations and for LLVM's own functions."""
    if len(op.regions) != 1 or "function_type" not in op.attributes:
        return None
    value = ir.TypeAttr(op.attributes["function_type"]).value
    return value if isinstance(value, ir.FunctionType) else None


def symbol_name(op: ir.Operation) -> str | None:
    """The name under which others may refer to the operation."""
    if "sym_name" not in op.attributes:
        return None
    return ir.StringAttr(op.attributes["sym_name"]).value


def has_users(op: ir.Operation, draft: Draft) -> bool:
    """Whether the function's name is mentioned elsewhere, so that its signature is not its own business."""
    return symbol_name(op) in draft.shared


def set_signature(
    op: ir.Operation,
    inputs: Sequence[ir.Type],
    results: Sequence[ir.Type],
    *,
    keep: dict[str, list[int | None]],
) -> None:
    """Changes a function's type and keeps its lists of attributes in step.

    Args:
        keep: for "inputs" and "results", where each one was before; None for one that is new.
    """
    with op.context:
        op.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(list(inputs), list(results)))
        for name, side in _OF_EACH_VALUE.items():
            if name in op.attributes:
                before = ir.ArrayAttr(op.attributes[name])
                none = ir.DictAttr.get({})
                op.attributes[name] = ir.ArrayAttr.get([none if i is None else before[i] for i in keep[side]])


def add_argument(op: ir.Operation, type: ir.Type, location: ir.Location) -> ir.Value:
    """Gives a function with a body one more argument and returns it."""
    before = function_type(op)
    assert before is not None
    inputs, results = list(before.inputs), list(before.results)
    keep: dict[str, list[int | None]] = {
        "inputs": [*range(len(inputs)), None],
        "results": list(range(len(results))),
    }
    set_signature(op, [*inputs, type], results, keep=keep)
    return op.regions[0].blocks[0].add_argument(type, location)
