"""Single operations of a program as programs of their own, on the very values that they have in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dialects.context import create_context
from ..dialects.host import func, ir
from ..dialects.provenance import describe_location
from ..dialects.structured import clone_into, structured
from ..frontend.call_interface import CallInterface
from ..frontend.interface import annotate_main, find_main, read_main
from .calls import Arrays, Calls
from .completion import main_signature, native_functions
from .isolation import Outcome, SendResult, isolated
from .trace import Snapshot, snapshot

# What is made anew beside an operation that reads it: it computes nothing.
_LEAVES = frozenset({"arith.constant", "tensor.empty", "linalg.fill"})
_VIEWS = frozenset(
    {f"tensor.{n}" for n in ("expand_shape", "collapse_shape", "extract_slice", "cast", "extract", "dim")}
)


@dataclass(frozen=True)
class Extract:
    """A small program with one call of it.

    Attributes:
        name: of the operation ("linalg.matmul"); origin: where it came from in the model.
        snapshot: the program, on tensors; calls: its arguments, all of them inputs.
        results: what upstream's passes compute; None where that is not known.
    """

    name: str
    origin: str
    snapshot: Snapshot
    calls: Calls
    results: Arrays | None = None


def extracts(program: Snapshot, calls: Calls) -> list[Extract]:
    """Every operation of @main that computes something, alone, with its values in the first call.

    Args:
        program: on tensors; values come from running it by upstream's passes.

    Returns:
        An empty list when the program cannot be run that way.
    """
    module = program.module(create_context())
    main = find_main(module)
    block = main.regions[0].blocks[0]
    watched = watched_values(module)
    values = _observe(program, calls)
    if values is None:
        return []
    arguments = list(block.arguments)
    known: dict[ir.Value, np.ndarray] = dict(zip(arguments, _first_call(calls), strict=True))
    known.update(zip(watched, values, strict=True))
    found = []
    for op in block.operations:
        if _computes(op):
            extract = _alone(op, known)
            found += [extract] if extract is not None else []
    return found


def _computes(op: Any) -> bool:
    """Whether an operation gives tensors and is more than a constant or another view of a value."""
    if _is_leaf(op) or op.operation.name in _VIEWS or not len(op.operation.results):
        return False
    return all(_is_static(v.type) for v in op.operation.results)


def _is_leaf(op: Any) -> bool:
    """Whether an operation is a constant, one number everywhere, or nothing yet."""
    if op.operation.name in _LEAVES:
        return True
    view = structured(op)
    return (
        view is not None
        and view.is_copy()
        and not any(isinstance(v.type, ir.ShapedType) for v in view.inputs)
    )


def _is_static(kind: ir.Type) -> bool:
    return isinstance(kind, ir.RankedTensorType) and kind.has_static_shape


def _first_call(calls: Calls) -> Arrays:
    inputs = iter(calls.inputs[0])
    return [
        next(inputs) if a.kind == "input" else calls.initial[i]
        for i, a in enumerate(calls.interface.arguments)
    ]


def _observe(program: Snapshot, calls: Calls) -> Arrays | None:
    """The values of all results of static shape in @main, in order."""

    def work(_: SendResult) -> Arrays:
        module = program.module(create_context())
        return_everything(module)
        function = native_functions(module, {"main": main_signature(module)})["main"]
        return function([a.copy() for a in _first_call(calls)])

    outcome: Outcome = isolated(work)
    return outcome.value if outcome.returned else None


def watched_values(module: ir.Module) -> list[ir.Value]:
    """The results in @main that say something: those of static shape that are more than a constant."""
    operations = [op.operation for op in find_main(module).regions[0].blocks[0].operations]
    return [v for op in operations if not _is_leaf(op) for v in op.results if _is_static(v.type)]


def return_everything(module: ir.Module) -> None:
    """Makes @main return all of its `watched_values`."""
    main = find_main(module)
    block = main.regions[0].blocks[0]
    values = watched_values(module)
    terminator = list(block.operations)[-1]
    with module.context, terminator.location:
        with ir.InsertionPoint(terminator):
            func.ReturnOp(values)
        terminator.operation.erase()
        kind = ir.FunctionType.get(list(main.type.inputs), [v.type for v in values])
        main.attributes["function_type"] = ir.TypeAttr.get(kind)
        if "res_attrs" in main.attributes:
            del main.attributes["res_attrs"]


def _alone(op: Any, known: dict[ir.Value, np.ndarray]) -> Extract | None:
    """The operation in a module of its own; None when a value that it needs is not known."""
    helpers, needed = _surroundings(op)
    if any(value not in known for value in needed):
        return None
    results = list(op.operation.results)
    with op.operation.context, op.location:
        module = ir.Module.create()
        kind = ir.FunctionType.get([v.type for v in needed], [v.type for v in results])
        with ir.InsertionPoint(module.body):
            function = func.FuncOp("main", kind)
        block = function.add_entry_block()
        with ir.InsertionPoint(block):
            mapping = clone_into([*helpers, op], dict(zip(needed, block.arguments, strict=True)))
            func.ReturnOp([mapping[v] for v in results])
    arrays = tuple(known[v] for v in needed)
    return Extract(
        op.operation.name,
        describe_location(op.location),
        snapshot(module),
        calls_for(module, arrays),
        [known[v] for v in results],
    )


def calls_for(module: ir.Module, arrays: Sequence[np.ndarray]) -> Calls:
    """One call of a module whose arguments are all inputs; they are marked as such."""
    arguments, results = read_main(module)
    annotate_main(module, arguments, results)
    return Calls(CallInterface(tuple(arguments), tuple(results)), tuple(arrays), (tuple(arrays),))


def _surroundings(op: Any) -> tuple[list[Any], list[ir.Value]]:
    """Operations to clone before `op`, in order, and the tensors that both of them need from outside."""
    helpers: list[Any] = []
    needed: list[ir.Value] = []

    def require(value: ir.Value) -> None:
        owner = value.owner
        is_scalar = not isinstance(value.type, ir.ShapedType)
        if not isinstance(owner, ir.Block) and (is_scalar or _is_leaf(owner)):
            if owner not in helpers:
                for operand in _values_from_outside(owner):
                    require(operand)
                helpers.append(owner)
        elif value not in needed:
            needed.append(value)

    for value in _values_from_outside(op):
        require(value)
    return helpers, needed


def _values_from_outside(op: Any) -> Iterator[ir.Value]:
    """Values that an operation, or what is in its regions, takes from around it."""
    found: list[ir.Value] = []
    inside: set[ir.Value] = set()

    def visit(inner: ir.Operation) -> ir.WalkResult:
        found.extend(inner.operands)
        inside.update(inner.results)
        for region in inner.regions:
            for block in region.blocks:
                inside.update(block.arguments)
        return ir.WalkResult.ADVANCE

    op.operation.walk(visit)
    return iter([v for v in dict.fromkeys(found) if v not in inside])
