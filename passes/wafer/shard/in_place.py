"""Whether a result may take over the memory of a value that it changes."""

from __future__ import annotations

from typing import Any

from ....dialects.host import ir
from .interface_attributes import arguments_named


def may_change(value: ir.Value) -> bool:
    """Whether nothing else reads a value, made anew at each call, or a state, whose next value this may be."""
    owner: Any = value.owner
    if len(list(value.uses)) != 1:
        return False
    if not isinstance(owner, ir.Block) and owner.name == "wse.scatter":
        value = owner.operands[0]
        owner = value.owner
    if isinstance(owner, ir.Block):
        kinds = arguments_named(owner.owner.opview)
        return kinds[ir.BlockArgument(value).arg_number] in ("input", "state")
    return owner.name in ("linalg.generic", "tensor.insert_slice")
