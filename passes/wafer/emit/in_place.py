"""Results that take over the memory of what they change."""

from __future__ import annotations

from typing import Any

from ....dialects.host import ir
from ..shard.lowering import RESHAPES
from ..shard.main_function import arguments_named
from ..shard.nodes import analyse


def changed_in_place(op: Any, main: Any) -> ir.Value | None:
    """The operand whose tile becomes the result's, of an operation that changes some elements; None for a copy."""
    if op.operation.name == "tensor.insert_slice":
        return op.operands[1] if _may_change(op.operands[1], main) else None
    compute = analyse(op)
    if not compute.scatters:
        return None
    if any(use.owner.operation.name in RESHAPES for use in op.results[0].uses):  # whose memory has no rows
        return None
    init = compute.view.inits[0]
    return init if _may_change(init, main) else None


def _may_change(value: ir.Value, main: Any) -> bool:
    """Whether nothing else reads a value, made anew at each call, or a state, whose next value this may be."""
    owner = value.owner
    if isinstance(owner, ir.Block) or len(list(value.uses)) != 1:
        return False
    if owner.name in ("linalg.generic", "tensor.insert_slice"):
        return True
    if owner.name != "wse.scatter" or not isinstance(owner.operands[0].owner, ir.Block):
        return False
    return arguments_named(main)[ir.BlockArgument(owner.operands[0]).arg_number] in ("input", "state")
