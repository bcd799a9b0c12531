"""Tensors whose elements are all one known number: they need no memory and no layout."""

from ....dialects.constants import constant_number
from ....dialects.host import ir
from ....dialects.structured import structured

_SHAPE_ONLY = ("tensor.expand_shape", "tensor.collapse_shape", "tensor.cast", "tensor.extract_slice")


def splat_of(value: ir.Value) -> float | int | None:
    """The number every element of `value` is, None when elements differ or are not known."""
    owner = value.owner
    if isinstance(owner, ir.Block):
        return None
    if owner.name in _SHAPE_ONLY:
        return splat_of(owner.operands[0])
    if not isinstance(value.type, ir.ShapedType):
        return scalar_constant(value)
    if owner.name == "arith.constant":
        return constant_number(value)
    if owner.name == "linalg.fill":
        return scalar_constant(owner.operands[0])
    view = structured(owner)
    if view is None or len(list(view.body.operations)) != 1:
        return None
    yielded = view.yielded[list(view.op.results).index(value)]
    number = scalar_constant(yielded)
    if number is not None or not isinstance(yielded.owner, ir.Block):
        return number
    position = ir.BlockArgument(yielded).arg_number
    return splat_of(view.operands[position])


def is_undefined(value: ir.Value) -> bool:
    """Whether nothing is known of the elements, as of `tensor.empty` and its parts: nobody has to hold them."""
    owner = value.owner
    if isinstance(owner, ir.Block):
        return False
    return owner.name == "tensor.empty" or (owner.name in _SHAPE_ONLY and is_undefined(owner.operands[0]))


def made_of(value: ir.Value) -> float | int | None:
    """The number that a PE may write where `value` is wanted: `splat_of`, and 0 where nothing is known."""
    return 0 if is_undefined(value) else splat_of(value)


def scalar_constant(value: ir.Value) -> float | int | None:
    """The number that a scalar `arith.constant` holds, else None."""
    return None if isinstance(value.type, ir.ShapedType) else constant_number(value)
