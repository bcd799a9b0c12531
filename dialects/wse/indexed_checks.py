"""Checks of `wse.indexed`, and of the operations that take what it gives."""

from collections.abc import Iterator
from typing import Any

from ..host import ir
from .access_checks import check_access, check_bounds, check_number
from .checks import flag, integer
from .dialect import Invalid, require

NUMBERS = ("i8", "i16", "i32", "i64")


def check_indexed(op: Any) -> None:
    """Everything about a `wse.indexed` on its own."""
    symbols = len(op.symbols)
    check_access(op.map, op.map.value.n_dims, symbols, op.numbers.type, "map")
    check_bounds(ir.ArrayAttr.get([op.size]), symbols, "size")
    check_number(op.origin, symbols, "origin")
    flag(op.partial, "partial")
    stride = integer(op.stride, "stride")
    require(stride > 0, f"has stride {stride}; expected 1 and up, elements from one position to the next")
    element = str(ir.MemRefType(op.numbers.type).element_type)
    require(element in NUMBERS, f"is moved by numbers of {element}; expected one of {', '.join(NUMBERS)}")
    check_unmoved(op.numbers)
    require(op.result.type == op.buffer.type, f"gives {op.result.type} of a buffer of {op.buffer.type}")


def check_unmoved(value: ir.Value) -> None:
    """Only the operands of `wse.vector` are moved by numbers."""
    if indexed_of(value) is not None:
        raise Invalid("takes a buffer that numbers in memory move; expected one as it is (gather it first)")


def indexed_of(value: ir.Value) -> Any | None:
    """The `wse.indexed` that gives a memref, None for other memrefs."""
    owner = value.owner
    return None if isinstance(owner, ir.Block) or owner.name != "wse.indexed" else owner.opview


def indexed_chain(value: ir.Value) -> Iterator[Any]:
    """All that moves a memref, the last one first."""
    while (op := indexed_of(value)) is not None:
        yield op
        value = op.buffer


def unmoved(value: ir.Value) -> ir.Value:
    """The memref that is moved."""
    for op in indexed_chain(value):
        value = op.buffer
    return value
