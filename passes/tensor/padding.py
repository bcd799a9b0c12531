"""Tensors with zeros around them."""

from __future__ import annotations

from typing import Any

from ...dialects.constants import constant_attribute
from ...dialects.host import ir
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
    number = constant_attribute(end.operands[0])
    if not isinstance(number, (ir.FloatAttr, ir.IntegerAttr)):
        return False
    make: Any = type(number).get
    return number == make(number.type, 0)
