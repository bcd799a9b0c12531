"""When buffers are needed: hoists allocations out of loops, removes unused ones, deallocates the rest."""

from __future__ import annotations

from collections.abc import Iterator

from ....dialects.host import ir, memref

VIEW_OPS = frozenset(
    {
        "memref.subview", "memref.cast", "memref.expand_shape", "memref.collapse_shape", "memref.reshape",
        "memref.reinterpret_cast", "memref.view",
    }
)  # fmt: skip
_SEQUENTIAL_LOOPS = frozenset({"scf.for", "scf.while"})


def operations_below(op: ir.Operation) -> Iterator[ir.Operation]:
    """All operations nested below `op`, in textual order."""
    for region in op.regions:
        for block in region.blocks:
            for inner in list(block.operations):
                yield inner.operation
                yield from operations_below(inner.operation)


def parent_of(op: ir.Operation) -> ir.Operation:
    """The operation around `op`, which is known to have one."""
    parent = op.parent
    if parent is None:
        raise ValueError(f"'{op.name}' is a top-level operation")
    return parent.operation


def allocations(function: ir.Operation) -> list[ir.Operation]:
    """The `memref.alloc` operations of a function, in textual order."""
    return [op for op in operations_below(function) if op.name == "memref.alloc"]


def uses_of_buffer(buffer: ir.Value) -> Iterator[ir.Operation]:
    """Every operation that uses the buffer or a view into it."""
    for use in buffer.uses:
        user = use.owner.operation
        yield user
        if user.name in VIEW_OPS:
            yield from uses_of_buffer(user.results[0])


def ancestor_in(block: ir.Block, op: ir.Operation) -> ir.Operation:
    """The operation of `block` that is `op` or contains it."""
    while op.block != block:
        op = parent_of(op)
    return op


def last_use(buffer: ir.Value, block: ir.Block) -> ir.Operation | None:
    """The last operation of `block` below which the buffer is used; None if it is never used."""
    last: ir.Operation | None = None
    for user in uses_of_buffer(buffer):
        here = ancestor_in(block, user)
        if last is None or last.is_before_in_block(here):
            last = here
    return last


def escapes(buffer: ir.Value) -> bool:
    """Whether the buffer is handed to the caller or to the parent of the region that it is made in."""
    return any(user.name in ("func.return", "scf.yield") for user in uses_of_buffer(buffer))


def remove_unused(function: ir.Operation) -> int:
    """Erases views, loads of constants and allocations that nothing uses; returns how many bytes-holders went."""
    removed = 0
    for op in reversed(list(operations_below(function))):
        idle = op.name in VIEW_OPS or op.name in ("memref.alloc", "memref.get_global", "memref.dim")
        if idle and not any(True for result in op.results for _ in result.uses):
            removed += op.name == "memref.alloc"
            op.erase()
    return removed


def hoist_allocations(function: ir.Operation) -> None:
    """Moves allocations of static size out of sequential loops: one buffer serves every iteration."""
    for op in allocations(function):
        if escapes(op.results[0]) or len(op.operands):
            continue
        target = op
        while parent_of(target).name in _SEQUENTIAL_LOOPS:
            target = parent_of(target)
        if target != op:
            op.move_before(target)


def deallocate(function: ir.Operation) -> None:
    """Inserts `memref.dealloc` after the last use of every buffer that does not leave its block."""
    for op in list(operations_below(function)):
        for result in op.results:
            if not _owns(op, result) or escapes(result) or _is_freed(result):
                continue
            last = last_use(result, op.block) or op
            with op.location:
                dealloc = memref.DeallocOp(result, ip=ir.InsertionPoint(op))
            if last.name.startswith("scf.") and not any(True for r in last.regions):
                dealloc.operation.move_before(last)  # a terminator
            else:
                dealloc.operation.move_after(last)


def _is_freed(buffer: ir.Value) -> bool:
    """Whether the program frees the buffer itself."""
    return any(user.name == "memref.dealloc" for user in uses_of_buffer(buffer))


def _owns(op: ir.Operation, result: ir.Value) -> bool:
    """Whether `result` is a buffer that its block has to free."""
    made = op.name in ("memref.alloc", "scf.if", "func.call")
    return made and isinstance(result.type, ir.MemRefType)
