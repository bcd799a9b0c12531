"""`wse-dce`: what nothing needs goes: operations, results and inputs of generics, private functions."""

from __future__ import annotations

from typing import Any

from ....dialects.affine.maps import loops_inferable
from ....dialects.host import func, ir
from ....dialects.structured import (
    Structured,
    clone_into,
    rebuild_generic,
    structured,
)
from ...infra.pass_base import Pass, PassRun
from ..effects import has_no_effect, is_dead, is_used
from .symbols import referenced_symbols


class DeadCode(Pass, name="wse-dce"):
    """Erases what has no effect and no user.

    * operations without effects whose results nobody uses, users before producers, inside nested regions too;
    * results of a `linalg.generic` that nobody uses, with the part of the body that computed them and their inits;
    * inputs of a `linalg.generic` that the body does not read, unless they give a trip count, or it reads some input at
      places of its own, which may be known by its number;
    * on a module: private functions that nothing reachable from a public one refers to.

        %v:2 = linalg.generic ins(%x) outs(%a, %b) { max, index of max }    // %v#1 is not used
    becomes
        %v = linalg.generic ins(%x) outs(%a) { max }
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        operation = op.operation
        if operation.name == "builtin.module":
            _erase_private_functions(operation, run)
        for region in operation.regions:
            for block in region.blocks:
                _clean_block(block, run)


def _clean_block(block: ir.Block, run: PassRun) -> None:
    for op in reversed(list(block.operations)):
        operation = op.operation
        if is_dead(operation):
            operation.erase()
            run.count("operations erased")
            continue
        view = structured(op)
        if view is not None:
            _shrink(view, run)
        elif not operation.name.startswith("linalg."):
            for region in operation.regions:
                for inner in region.blocks:
                    _clean_block(inner, run)


# -- results and inputs of generics ---------------------------------------------------------------------------


def _shrink(view: Structured, run: PassRun) -> None:
    """Rebuilds a generic without the results and inputs that nobody needs."""
    if not len(view.op.results):
        return
    kept_results, needed = _kept_results(view)
    inputs = len(view.inputs)
    arguments = list(view.body.arguments)
    reads_places = any(value in needed for value in view.inputs)
    kept_inputs = [k for k in range(inputs) if reads_places or arguments[k] in needed]
    init_maps = [view.init_maps[k] for k in kept_results]
    if not loops_inferable([*(view.maps[k] for k in kept_inputs), *init_maps], len(view.iterators)):
        kept_inputs = list(range(inputs))
        if not loops_inferable([*view.input_maps, *init_maps], len(view.iterators)):
            return
    if len(kept_inputs) == inputs and len(kept_results) == len(view.inits):
        return
    run.count("inputs dropped", inputs - len(kept_inputs))
    run.count("results dropped", len(view.inits) - len(kept_results))
    _rebuild(view, kept_inputs, kept_results, needed)


def _kept_results(view: Structured) -> tuple[list[int], set[ir.Value]]:
    """Results that somebody uses or another result's computation reads, and all scalars that they need."""
    yielded = view.yielded
    inits = list(view.body.arguments)[len(view.inputs) :]
    kept = {k for k, result in enumerate(view.op.results) if is_used(result)}
    while True:
        needed = _needed_scalars(view, [yielded[k] for k in sorted(kept)])
        more = {k for k, argument in enumerate(inits) if argument in needed} - kept
        if not more:
            return sorted(kept), needed
        kept |= more


def _needed_scalars(view: Structured, wanted: list[ir.Value]) -> set[ir.Value]:
    needed = set(wanted)
    for op in reversed(view.body_operations()):
        if not has_no_effect(op.operation) or any(r in needed for r in op.operation.results):
            needed.update(op.operation.operands)
            for region in op.operation.regions:  # values used inside a nested region
                needed.update(v for b in region.blocks for o in b.operations for v in o.operation.operands)
    return needed


def _rebuild(view: Structured, inputs: list[int], results: list[int], needed: set[ir.Value]) -> None:
    operands = [*inputs, *(len(view.inputs) + k for k in results)]
    old = [view.body.arguments[k] for k in operands]
    kept = [
        op
        for op in view.body_operations()
        if not has_no_effect(op.operation) or any(r in needed for r in op.operation.results)
    ]

    def body(*scalars: ir.Value) -> list[ir.Value]:
        mapping = clone_into(kept, dict(zip(old, scalars, strict=True)))
        return [mapping.get(v, v) for v in (view.yielded[k] for k in results)]

    with ir.InsertionPoint(view.op):
        made = rebuild_generic(
            view,
            [view.inputs[k] for k in inputs],
            [view.inits[k] for k in results],
            [view.maps[k] for k in operands],
            body=body,
        )
    for k, replacement in zip(results, made.results, strict=True):
        view.op.results[k].replace_all_uses_with(replacement)
    view.op.operation.erase()


# -- functions ------------------------------------------------------------------------------------------------


def _erase_private_functions(module: ir.Operation, run: PassRun) -> None:
    operations = [op for block in module.regions[0].blocks for op in block.operations]
    functions = {ir.StringAttr(op.attributes["sym_name"]).value: op for op in operations if _is_private(op)}
    pending = [op.operation for op in operations if not _is_private(op)]
    while pending:
        for name in referenced_symbols(pending.pop()):
            if name in functions:
                pending.append(functions.pop(name).operation)
    for unused in functions.values():
        unused.operation.erase()
        run.count("private functions erased")


def _is_private(op: Any) -> bool:
    visibility = op.attributes.get("sym_visibility", None)
    return (
        isinstance(op, func.FuncOp)
        and visibility is not None
        and ir.StringAttr(visibility).value == "private"
    )
