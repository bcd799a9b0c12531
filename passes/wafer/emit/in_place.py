"""Results that take over the memory of what they change."""

from __future__ import annotations

from typing import Any

from ....dialects.host import ir
from ..shard.in_place import may_change
from ..shard.nodes import analyse


def changed_in_place(op: Any) -> ir.Value | None:
    """The operand whose tile becomes the result's, of an operation that changes some elements; None for a copy."""
    if op.operation.name == "tensor.insert_slice":
        return op.operands[1] if may_change(op.operands[1]) else None
    if op.operation.name != "linalg.generic":
        return None
    compute = analyse(op)
    init = compute.view.inits[0]
    return init if compute.scatters and may_change(init) else None
