"""Tensors whose elements are all one scalar: splat constants, fills, splats."""

from __future__ import annotations

from typing import Any

from ...dialects.host import arith, ir, linalg, tensor
from ...dialects.structured import structured
from .sizes import sizes_of


def uniform_scalar(value: ir.Value) -> ir.Value | None:
    """The scalar that fills a tensor and is computed already (a fill's or a splat's operand, or what a body yields)."""
    owner: Any = value.owner
    if isinstance(owner, linalg.FillOp):
        return owner.operands[0]
    if isinstance(owner, tensor.SplatOp):
        return owner.operands[0]
    view = structured(owner) if isinstance(owner, linalg.GenericOp) else None
    if view is None or view.body_operations():
        return None
    given = view.yielded[list(view.op.results).index(value)]
    if given.owner != view.body:
        return given  # a scalar from outside
    source = view.operands[ir.BlockArgument(given).arg_number]
    return None if isinstance(source.type, ir.ShapedType) else source


def is_constant_scalar(value: ir.Value) -> bool:
    """Whether a value is a scalar `arith.constant`."""
    return isinstance(value.owner, arith.ConstantOp) and not isinstance(value.type, ir.ShapedType)


def underlying_empty(init: ir.Value) -> ir.Value | None:
    """The `tensor.empty` that a destination started from, if there is one of the same type."""
    value = init
    while not isinstance(value, ir.BlockArgument):
        owner: Any = value.owner
        if isinstance(owner, tensor.EmptyOp):
            return value if value.type == init.type else None
        if isinstance(owner, linalg.FillOp):
            value = owner.operands[1]
            continue
        view = structured(owner) if isinstance(owner, linalg.GenericOp) else None
        if view is None:
            return None
        value = view.inits[list(view.op.results).index(value)]
    return None


def empty_like(init: ir.Value) -> ir.Value:
    """A `tensor.empty` of a tensor's type; dynamic sizes are taken from the tensor. Needs an insertion point."""
    found = underlying_empty(init)
    if found is not None:
        return found
    kind = ir.RankedTensorType(init.type)
    return tensor.empty(sizes_of(init), kind.element_type, encoding=kind.encoding)
