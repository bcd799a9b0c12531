"""What an operation does with one element, apart from taking time: arithmetic, and traffic between core and SRAM."""

from __future__ import annotations

from collections.abc import Mapping

from ..footprint import indices_of
from ..instructions import DTYPE_BYTES, Access, Receive, Send, Transfer, Vector
from .cost import flops_per_element

WorkingOperation = Vector | Transfer


def work_per_element(op: WorkingOperation, dtypes: Mapping[str, str]) -> tuple[int, int]:
    """(arithmetic operations, bytes read from and written to SRAM) of one element.

    An accumulating operation reads and writes its destination; where its stride is 0 in the innermost loop, the
    destination stays in a register.

    Args:
        dtypes: element type by buffer.
    """
    if isinstance(op, Vector):
        sources = [s for s in op.srcs if isinstance(s, Access)]
        moved = sum(_bytes(access, dtypes) for access in (*sources, op.dst))
        moved += sum(_bytes(index.numbers, dtypes) for index in indices_of(op))
        if op.kind == "fma":
            moved += _bytes(op.dst, dtypes)
        return flops_per_element(op.kind), moved
    if isinstance(op, Send):
        return 0, _bytes(op.src, dtypes)
    if isinstance(op, Receive):
        combines = op.combine != "store"
        return int(combines), _bytes(op.dst, dtypes) * (2 if combines else 1)
    read, written = (_bytes(access, dtypes) if access else 0 for access in (op.own, op.dst))
    return int(op.own is not None and op.combine != "store"), read + written


def _bytes(access: Access, dtypes: Mapping[str, str]) -> int:
    """Bytes that an element of the walk is; none where the innermost loop stays with one element."""
    moved = any(index.numbers.strides[-1:] != (0,) for index in access.indices if access.strides)
    if access.strides and access.strides[-1] == 0 and not moved:
        return 0
    return DTYPE_BYTES[dtypes[access.buffer]]
