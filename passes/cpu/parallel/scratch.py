"""Buffers from outside of a nest that its iterations only use as scratch: each writes the same places of them.

Iterations are independent, so no value goes from one to another in such a buffer, nor to what follows the nest, which
may be using the buffer as its own scratch: the last rows of a matrix often do, in a copy of the loop's body.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ....dialects.host import ir, scf
from ...tensor.bufferization.lifetimes import VIEW_OPS, operations_below
from .nests import ParallelNest
from .shares import ParallelLoop
from .views import is_below

_STORES = frozenset(("memref.store", "vector.store", "vector.maskedstore", "vector.transfer_write"))
_BUFFERS = frozenset(("memref.alloc", "memref.alloca"))


def scratch_buffers(nest: ParallelNest) -> list[ir.Operation]:
    """The allocations before the nest whose buffers are its iterations' scratch, in the order of their first use."""
    found: list[ir.Operation] = []
    for loop in nest.loops:
        variables = list(_variables(loop))
        if not variables:
            continue
        for op in operations_below(loop.op.operation):
            for buffer in _written(op):
                maker = _allocation(buffer)
                if maker is None or maker in found or is_below(maker, loop.op.operation):
                    continue
                if not any(_depends(value, variables) for value in _place(op, buffer)):
                    found.append(maker)
    return found


def is_on_the_stack(op: ir.Operation) -> bool:
    """Whether an operation makes a buffer on the stack of a fixed size."""
    return op.name == "memref.alloca" and not list(op.operands)


def _variables(loop: ParallelLoop) -> Iterator[ir.Value]:
    """What tells the iterations of a loop apart; where it has only one, that of the loops in it."""
    if loop.trips != 1:
        yield loop.op.induction_variable
    else:
        for inner in loop.inner:
            yield from _variables(inner)


def _written(op: ir.Operation) -> list[ir.Value]:
    """Buffers that an operation writes."""
    buffers = [value for value in op.operands if isinstance(value.type, ir.MemRefType)]
    if op.name in _STORES:
        return buffers[-1:]
    if op.name == "memref.copy":
        return buffers[1:]
    if op.name.startswith("linalg."):
        outputs = list(ir.DenseI32ArrayAttr(op.attributes["operandSegmentSizes"]))[1]
        return list(op.operands)[-outputs:] if outputs else []
    return []


def _place(op: ir.Operation, buffer: ir.Value) -> Iterator[ir.Value]:
    """The indices, sizes and strides that say which elements of an allocation an operation writes."""
    yield from _indices(op)
    while isinstance(buffer, ir.OpResult) and buffer.owner.operation.name in VIEW_OPS:
        view = buffer.owner.operation
        yield from _indices(view)
        buffer = view.operands[0]


def _indices(op: ir.Operation) -> Iterator[ir.Value]:
    yield from (value for value in op.operands if isinstance(value.type, ir.IndexType))


def _allocation(buffer: ir.Value) -> ir.Operation | None:
    """What made the memory of a buffer, seen through views; None for an argument."""
    while isinstance(buffer, ir.OpResult):
        maker = buffer.owner.operation
        if maker.name not in VIEW_OPS:
            return maker if maker.name in _BUFFERS else None
        buffer = maker.operands[0]
    return None


def _depends(value: ir.Value, variables: Sequence[ir.Value]) -> bool:
    """Whether an index may differ between iterations; what is not understood may."""
    if any(value == variable for variable in variables):
        return True
    if isinstance(value, ir.BlockArgument):
        owner = value.owner.owner
        if owner.operation.name == "func.func":
            return False
        is_index = isinstance(owner, scf.ForOp) and value.arg_number == 0
        return not is_index or any(_depends(bound, variables) for bound in list(owner.operation.operands)[:3])
    maker = ir.OpResult(value).owner.operation
    if len(maker.regions) > 0 or maker.name in ("memref.load", "vector.load"):
        return True
    return any(_depends(operand, variables) for operand in _numbers(maker))


def _numbers(op: ir.Operation) -> Iterator[ir.Value]:
    """Operands that are no buffers: of a buffer, only the sizes can be an index."""
    yield from (value for value in op.operands if not isinstance(value.type, ir.MemRefType))
