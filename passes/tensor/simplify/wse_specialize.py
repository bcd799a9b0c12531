"""`wse-specialize`: a `linalg.generic` that says what a named operation says becomes that operation."""

from __future__ import annotations

from typing import Any

from ....dialects.host import ir
from ....dialects.structured import Structured, hand_on_attributes, replace_op, structured
from ...infra.pass_base import Pass, PassRun
from ..traversal import collect
from .named_forms import match_contraction, match_elementwise, match_movement, match_reduction

_FORMS = (match_movement, match_elementwise, match_contraction, match_reduction)


class Specialize(Pass, name="wse-specialize", anchor="func.func"):
    """Turns `linalg.generic` into fill, copy, transpose, broadcast, elementwise, matmul-like and reduce operations.

    A match needs the named operation's body exactly, and its maps up to the order of the loops; a contraction with
    transposed operands becomes `linalg.matmul` or `linalg.batch_matmul` with `indexing_maps`.

        %0 = linalg.generic {maps = [(i, j, k) -> (i, k), (i, j, k) -> (k, j), (i, j, k) -> (i, j)]} ... { mulf, addf }
    becomes
        %0 = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%c : tensor<4x16xf32>) -> ...
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for generic in collect(op, lambda o: o.name == "linalg.generic"):
            view = structured(generic)
            named = None if view is None else specialize(view)
            if named is None:
                run.remark(generic, "no named operation has this body and these maps")
            else:
                run.count(f"{named.name} recognised")


def _operation_of(built: Any, view: Structured) -> ir.Operation:
    """The operation that a builder made before the generic; builders return its result, and nothing for buffers."""
    if isinstance(built, ir.OpResult):
        return built.owner.operation
    if isinstance(built, ir.OpView | ir.Operation):
        return built.operation
    before = list(view.op.operation.block)
    return before[[op.operation for op in before].index(view.op.operation) - 1].operation


def specialize(view: Structured) -> ir.Operation | None:
    """Replaces one generic by the named operation that means the same; None when there is none."""
    for match in _FORMS:
        build = match(view)
        if build is None:
            continue
        with view.op.location, ir.InsertionPoint(view.op):
            named = _operation_of(build(), view)
        hand_on_attributes(view.op, named)
        replace_op(view.op, named.results)
        return named
    return None
