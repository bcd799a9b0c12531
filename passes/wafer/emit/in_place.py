"""Results that take over the memory of what they change."""

from __future__ import annotations

from typing import Any

from ....dialects.host import ir
from ..main_function import arguments_named
from ..nodes import analyse
from ..plan import RESHAPES


def changed_in_place(op: Any, main: Any) -> ir.Value | None:
    """The init whose tile becomes the result's, of an operation that changes some of its elements; None for a copy.

    Nothing else reads it, and it is made anew at each call, or is a state, whose next value this may be.
    """
    compute = analyse(op)
    if not compute.scatters:
        return None
    init = compute.view.inits[0]
    owner = init.owner
    if isinstance(owner, ir.Block) or len(list(init.uses)) != 1:
        return None
    if any(use.owner.operation.name in RESHAPES for use in op.results[0].uses):  # whose memory has no rows
        return None
    if owner.name == "linalg.generic":
        return init
    if owner.name != "wse.scatter" or not isinstance(owner.operands[0].owner, ir.Block):
        return None
    kind = arguments_named(main)[ir.BlockArgument(owner.operands[0]).arg_number]
    return init if kind in ("input", "state") else None
