"""Views of buffers on the stack move to where they are used, so that each chunk of a nest can have its own buffer."""

from __future__ import annotations

from collections.abc import Sequence

from ....dialects.host import ir
from ...tensor.bufferization.lifetimes import VIEW_OPS


def sink_views(loops: Sequence[ir.Operation]) -> None:
    """Moves views of stack buffers that only the loops use into the loops, users before what they view."""
    first = loops[0]
    before = [op.operation for op in first.block.operations if op.operation.is_before_in_block(first)]
    for op in reversed(before):
        if op.name in VIEW_OPS and _is_on_the_stack(op):
            _sink(op, loops)


def _is_on_the_stack(op: ir.Operation) -> bool:
    """Whether an operation is a view, or a view of a view, of an `alloca`."""
    source = op.operands[0]
    maker = source.owner.operation if isinstance(source, ir.OpResult) else None
    if maker is None:
        return False
    return maker.name == "memref.alloca" or (maker.name in VIEW_OPS and _is_on_the_stack(maker))


def _sink(op: ir.Operation, loops: Sequence[ir.Operation]) -> None:
    users = [use.owner.operation for use in op.results[0].uses]
    homes = [next((k for k, loop in enumerate(loops) if is_below(user, loop)), None) for user in users]
    if not users or None in homes:
        return
    for k in sorted({home for home in homes if home is not None}):
        clone = op.clone(ir.InsertionPoint.at_block_begin(loops[k].regions[0].blocks[0]))
        for user, home in zip(users, homes, strict=True):
            if home == k:
                user.replace_uses_of_with(op.results[0], clone.results[0])
    op.erase()


def is_below(op: ir.Operation, ancestor: ir.Operation) -> bool:
    """Whether an operation stands inside of another one."""
    current = op.parent
    while current is not None:
        if current.operation == ancestor:
            return True
        current = current.operation.parent
    return False
