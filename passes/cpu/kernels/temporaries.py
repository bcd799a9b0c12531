"""Where the temporaries of a function are put: on the stack, or side by side in memory that the function is given."""

from __future__ import annotations

from collections.abc import Sequence

from ....dialects.host import arith, ir, memref
from ....dialects.structured import replace_op
from ...tensor.bufferization.arena import LiveInterval, buffer_bytes
from ...tensor.bufferization.lifetimes import (
    VIEW_OPS,
    allocations,
    ancestor_in,
    escapes,
    operations_below,
    parent_of,
    uses_of_buffer,
)

_SEQUENTIAL = frozenset({"scf.for", "scf.while", "scf.if"})


def plannable(function: ir.Operation) -> list[ir.Operation]:
    """Allocations of a size that is known, which do not leave the function and are not one per thread."""
    return [op for op in allocations(function) if _is_plannable(op)]


def _is_plannable(op: ir.Operation) -> bool:
    kind = ir.MemRefType(op.results[0].type)
    if not kind.has_static_shape or escapes(op.results[0]) or buffer_bytes(kind) == 0:
        return False
    parent = parent_of(op)
    while parent.name != "func.func":
        if parent.name not in _SEQUENTIAL:
            return False
        parent = parent_of(parent)
    return True


def lifetimes(function: ir.Operation, buffers: Sequence[ir.Operation]) -> list[LiveInterval]:
    """From the first to the last use of each buffer, as positions in the text; a loop counts as a whole."""
    order = list(operations_below(function))
    position = {op: k for k, op in enumerate(order)}
    ends = _ends(function, position)
    found = []
    for op in buffers:
        first, last = len(order), position[op]
        for user in uses_of_buffer(op.results[0]):
            if user.name == "memref.dealloc" or user.name in VIEW_OPS:
                continue
            here = ancestor_in(op.block, user)
            first = min(first, position[here])
            last = max(last, len(order) if _hands_on(user) else ends[here])
        found.append(LiveInterval(buffer_bytes(ir.MemRefType(op.results[0].type)), min(first, last), last))
    return found


def _ends(function: ir.Operation, position: dict[ir.Operation, int]) -> dict[ir.Operation, int]:
    """The position of the last operation inside each operation."""
    ends = dict(position)

    def visit(op: ir.Operation) -> int:
        for region in op.regions:
            for block in region.blocks:
                for inner in block.operations:
                    end = visit(inner.operation)
                    if op in ends:
                        ends[op] = max(ends[op], end)
        return ends.get(op, 0)

    visit(function)
    return ends


def _hands_on(user: ir.Operation) -> bool:
    """Whether the memory may be reached through a result of the operation, so that later uses cannot be seen."""
    if user.name.startswith("memref.extract"):
        return True
    plain = ir.IntegerType | ir.FloatType | ir.IndexType | ir.VectorType | ir.ComplexType
    return any(not isinstance(result.type, plain) for result in user.results)


def remove_deallocations(buffer: ir.Operation) -> None:
    """Erases what frees a buffer."""
    for user in list(uses_of_buffer(buffer.results[0])):
        if user.name == "memref.dealloc":
            user.erase()


def put_on_stack(function: ir.Operation, buffers: Sequence[ir.Operation]) -> None:
    """Allocates buffers once, on the stack, when the function is entered."""
    start = ir.InsertionPoint.at_block_begin(function.regions[0].blocks[0])
    places = []
    for op in buffers:
        kind, alignment = ir.MemRefType(op.results[0].type), op.attributes.get("alignment", None)
        with op.location, start:
            places.append(memref.AllocaOp(kind, [], [], alignment=alignment).result)
    for op, place in zip(buffers, places, strict=True):  # the insertion point may be one of them
        remove_deallocations(op)
        replace_op(op, [place])


def put_into(memory: ir.Value, buffers: Sequence[ir.Operation], offsets: Sequence[int]) -> None:
    """Makes buffers views of a memref of bytes; the views stand where the buffers were allocated."""
    for op, offset in zip(buffers, offsets, strict=True):
        remove_deallocations(op)
        with ir.InsertionPoint(op), op.location:
            shift = arith.constant(ir.IndexType.get(), offset)
            view = memref.ViewOp(op.results[0].type, memory, shift, []).result
        replace_op(op, [view])


def small_ones(buffers: Sequence[ir.Operation], limit: int) -> list[ir.Operation]:
    """The smallest buffers, as many as fit together into `limit` bytes, in the order of the function."""
    by_size = sorted(range(len(buffers)), key=lambda k: (_bytes(buffers[k]), k))
    chosen, total = set[int](), 0
    for k in by_size:
        total += -(-_bytes(buffers[k]) // 64) * 64
        if total > limit:
            break
        chosen.add(k)
    return [op for k, op in enumerate(buffers) if k in chosen]


def _bytes(op: ir.Operation) -> int:
    return buffer_bytes(ir.MemRefType(op.results[0].type))
