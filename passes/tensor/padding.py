"""Tensors with zeros around them."""

from __future__ import annotations

from typing import Any

from ...dialects.host import arith, ir
from .traversal import made_by


def is_zero_pad(value: ir.Value) -> bool:
    """Whether a tensor is another one with a known number of zeros, none negative, around it."""
    op = made_by(value)
    if op is None or op.name != "tensor.pad":
        return False
    pad: Any = op.opview
    if min((*pad.static_low, *pad.static_high)) < 0:
        return False  # known only at run time, or it cuts off
    end = list(pad.operation.regions[0].blocks[0].operations)[-1]
    owner: Any = end.operands[0].owner
    if isinstance(owner, ir.Block) or not isinstance(owner, arith.ConstantOp):
        return False
    kind = owner.result.type
    zero = ir.FloatAttr.get(kind, 0.0) if isinstance(kind, ir.FloatType) else ir.IntegerAttr.get(kind, 0)
    return owner.operation.attributes["value"] == zero
