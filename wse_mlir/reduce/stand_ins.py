"""Values that take the place of a removed operation's results."""

from __future__ import annotations

from collections.abc import Iterator

from ..dialects.host import ir
from .draft import Draft, around
from .functions import has_users, set_signature, signature_of
from .size import STAND_IN_OPERATIONS


def stand_in(value_type: ir.Type, at: ir.Operation, draft: Draft) -> ir.Value:
    """A value of the type that may be used wherever `at`'s results are.

    The first of these that there is: an operand of `at`, an argument of a block around it, a zero, a new argument
    of the function, a cast from nothing.
    """
    for value in _around(at):
        if value.type == value_type:
            return value
    zero = _zero(value_type, at)
    if zero is not None:
        return zero
    return new_argument(value_type, at, draft) or _leaf(
        "builtin.unrealized_conversion_cast", {}, value_type, at
    )


def replace_results(op: ir.Operation, draft: Draft) -> None:
    """Lets nobody use the results of `op` any more."""
    for result in op.results:
        if is_used(result):
            result.replace_all_uses_with(stand_in(result.type, op, draft))


def is_used(value: ir.Value) -> bool:
    return next(iter(value.uses), None) is not None


def new_argument(value_type: ir.Type, at: ir.Operation, draft: Draft) -> ir.Value | None:
    """A further argument of the function around `at`; None if there is none, or others call it."""
    function = _isolated_around(at)
    signature = signature_of(function)
    if signature is None or has_users(function, draft):
        return None
    set_signature(function, signature.with_input(value_type))
    return function.regions[0].blocks[0].add_argument(value_type, at.location)


def _around(at: ir.Operation) -> Iterator[ir.Value]:
    """Values that are there before `at`: its operands, then arguments of blocks, the innermost first."""
    yield from at.operands
    op = at
    while not op.has_trait(ir.IsIsolatedFromAboveTrait) or op == at:
        block = op.block
        if block is None:
            return
        yield from block.arguments
        first = block.region.blocks[0]
        if first != block:
            yield from first.arguments
        op = around(op)


def _isolated_around(at: ir.Operation) -> ir.Operation:
    op = around(at)
    while not op.has_trait(ir.IsIsolatedFromAboveTrait) and op.parent is not None:
        op = around(op)
    return op


def _zero(value_type: ir.Type, at: ir.Operation) -> ir.Value | None:
    """The constant zero at the start of the function around `at`."""
    if str(value_type).startswith("!llvm.") or _isolated_around(at).name.startswith("llvm."):
        return _leaf("llvm.mlir.zero", {}, value_type, at)
    with at.context, at.location:
        value = zero_attribute(value_type)
    return None if value is None else _leaf("arith.constant", {"value": value}, value_type, at)


def zero_attribute(value_type: ir.Type) -> ir.Attribute | None:
    """Zero of a scalar type, or of a vector or tensor of static shape; None for other types."""
    if isinstance(value_type, ir.IntegerType | ir.IndexType):
        return ir.IntegerAttr.get(value_type, 0)
    if isinstance(value_type, ir.FloatType):
        return ir.FloatAttr.get(value_type, 0.0)
    if isinstance(value_type, ir.VectorType | ir.RankedTensorType) and value_type.has_static_shape:
        element = zero_attribute(value_type.element_type)
        return None if element is None else ir.DenseElementsAttr.get_splat(value_type, element)
    return None


def _leaf(name: str, attributes: dict[str, ir.Attribute], value_type: ir.Type, at: ir.Operation) -> ir.Value:
    """The result of an operation without operands among the first of the function around `at`, where all see it."""
    op = at
    while op.parent is not None and not op.parent.operation.has_trait(ir.IsIsolatedFromAboveTrait):
        op = op.parent.operation
    block = op.block.region.blocks[0]
    for first in block:
        if first.operation.name not in STAND_IN_OPERATIONS or first.operation == at:
            break
        same = first.operation.name == name and first.operation.results[0].type == value_type
        if same and all(first.operation.attributes[key] == value for key, value in attributes.items()):
            return first.operation.results[0]
    with at.context, at.location, ir.InsertionPoint.at_block_begin(block):
        return ir.Operation.create(name, results=[value_type], attributes=attributes).results[0]
