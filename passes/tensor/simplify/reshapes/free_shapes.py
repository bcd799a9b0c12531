"""Tensors that can be had in any shape: undefined ones, and those of one scalar throughout."""

from __future__ import annotations

from collections.abc import Sequence

from .....dialects.constants import splat, splat_attribute
from .....dialects.host import ir, tensor
from .....dialects.structured import element_type, structured
from ...uniform import uniform_scalar
from .reads import fill

_RESHAPES = tensor.ExpandShapeOp | tensor.CollapseShapeOp


def is_free_of_shape(value: ir.Value) -> bool:
    """Whether a tensor, or what it was before reshapes, is undefined or one scalar throughout."""
    source = _source(value)
    is_undefined = isinstance(source.owner, tensor.EmptyOp)
    return is_undefined or splat_attribute(source) is not None or _filler(source) is not None


def in_shape(value: ir.Value, shape: Sequence[int]) -> ir.Value | None:
    """A tensor of that kind in a shape; None for another one."""
    source = _source(value)
    element, scalar = splat_attribute(source), _filler(source)
    if element is not None:
        return splat(ir.RankedTensorType.get(shape, element_type(value.type)), element)
    if scalar is not None:
        return fill(scalar, shape)
    return (
        tensor.empty(list(shape), element_type(value.type))
        if isinstance(source.owner, tensor.EmptyOp)
        else None
    )


def _source(value: ir.Value) -> ir.Value:
    while isinstance(value.owner, _RESHAPES):
        value = value.owner.src
    return value


def _filler(value: ir.Value) -> ir.Value | None:
    """The scalar that fills a tensor, which a body may also have from outside."""
    view = None if isinstance(value.owner, ir.Block) else structured(value.owner)
    if view is not None and not view.body_operations():
        found = view.yielded[list(view.op.results).index(value)]
        if found not in list(view.body.arguments):
            return found
    return uniform_scalar(value)
