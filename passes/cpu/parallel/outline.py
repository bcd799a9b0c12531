"""A nest of loops as a function that computes one chunk of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ....dialects.host import arith, func, ir, scf
from ...tensor.traversal import collect, made_by
from .division import divide
from .marks import COST_MARK, PARALLEL_MARK
from .nests import ParallelNest, is_effect_free
from .scratch import is_on_the_stack, scratch_buffers
from .shares import Cuts, ParallelLoop
from .views import sink_views

FORK = "wse.fork"  # the function of one chunk: calls of it may run at the same time, in any order
CHUNKS = "wse.chunks"  # how many there are
THREADS = "wse.threads"  # that may work on them
_CONSTANTS = ("arith.constant", "memref.get_global", "ub.poison", "vector.constant_mask", "vector.step")
_VIEWS = frozenset(
    f"memref.{name}"
    for name in (
        "cast",
        "collapse_shape",
        "expand_shape",
        "extract_strided_metadata",
        "reinterpret_cast",
        "subview",
    )
)


@dataclass
class _Captures:
    """Values from outside that the loops of a nest use.

    Attributes:
        passed: become arguments, in the order of their first use.
        remade: constants, views of buffers, and buffers that are scratch or that nothing outside of the nest uses,
            in the order in which they depend on each other: each chunk has its own.
        users: operations of the nest that use one of them.
    """

    passed: list[ir.Value] = field(default_factory=list)
    remade: list[ir.Operation] = field(default_factory=list)
    users: list[tuple[ir.Operation, ir.Value]] = field(default_factory=list)


def outline(nest: ParallelNest, cuts: Cuts, name: str, chunks: int, threads: int) -> None:
    """Replaces a nest by the call of a function that goes through its chunks.

    The function `name` calls `{name}_chunk` for each of them; its attributes tell that any order will do.

    Args:
        cuts: where the nest's loops are cut into `chunks` parts.
    """
    loops = [loop.op.operation for loop in nest.loops]
    _gather(loops)
    sink_views(loops)
    captures = _capture(loops, scratch_buffers(nest))
    types = [value.type for value in captures.passed]
    with loops[0].location:
        with ir.InsertionPoint(loops[0]):
            func.CallOp([], ir.FlatSymbolRefAttr.get(name), captures.passed)
        with ir.InsertionPoint(_function_of(loops[0])):
            chunk = _private_function(f"{name}_chunk", [ir.IndexType.get(), *types])
            fork = _private_function(name, types)
        _go_through_chunks(fork, f"{name}_chunk", chunks, threads)
    entry = chunk.regions[0].blocks[0]
    _move(loops, captures, entry)
    for loop in nest.loops:
        _unmark(loop)
    divide(cuts, entry.arguments[0], chunks)


def _gather(loops: Sequence[ir.Operation]) -> None:
    """Brings the loops together; what is between them has no effects and uses no loop."""
    between = [
        op.operation
        for op in loops[0].block.operations
        if loops[0].is_before_in_block(op.operation) and op.operation.is_before_in_block(loops[-1])
    ]
    for op in between:
        if is_effect_free(op):
            op.move_before(loops[0])


def _capture(loops: Sequence[ir.Operation], scratch: Sequence[ir.Operation]) -> _Captures:
    inside: set[ir.Value] = set()
    seen: set[ir.Value] = set()
    members: list[ir.Operation] = []
    captures = _Captures()

    def take(value: ir.Value) -> None:
        if value in seen:
            return
        seen.add(value)
        maker = made_by(value)
        if maker is not None and maker.name in _VIEWS:
            for operand in maker.operands:
                take(operand)
        if maker is None or not (maker.name in (*_CONSTANTS, *_VIEWS) or is_on_the_stack(maker)):
            captures.passed.append(value)
        elif not any(maker == known for known in captures.remade):
            captures.remade.append(maker)

    def visit(op: ir.Operation) -> ir.WalkResult:
        members.append(op)
        for value in op.operands:
            if value not in inside:
                captures.users.append((op, value))
                take(value)
        inside.update(op.results)
        for region in op.regions:
            for block in region.blocks:
                inside.update(block.arguments)
        return ir.WalkResult.ADVANCE

    for loop in loops:
        loop.walk(visit, ir.WalkOrder.PRE_ORDER)
    _share_used_elsewhere(captures, members, scratch)
    return captures


def _share_used_elsewhere(
    captures: _Captures, members: Sequence[ir.Operation], scratch: Sequence[ir.Operation]
) -> None:
    """Passes buffers on that operations outside of the nest use, perhaps through a view, unless they are scratch."""
    own = {*members, *(maker for maker in captures.remade if maker.name in _VIEWS)}

    def is_private(value: ir.Value) -> bool:
        owners: list[Any] = [use.owner for use in value.uses]
        return all(
            owner.operation in own
            and (owner.operation.name not in _VIEWS or all(map(is_private, owner.operation.results)))
            for owner in owners
        )

    for maker in [m for m in captures.remade if is_on_the_stack(m) and m not in scratch]:
        if not is_private(maker.results[0]):
            captures.remade.remove(maker)
            captures.passed.append(maker.results[0])


def _function_of(op: ir.Operation) -> ir.Operation:
    while op.name != "func.func":
        parent: Any = op.parent
        op = parent.operation
    return op


def _private_function(name: str, types: Sequence[ir.Type]) -> ir.Operation:
    function = func.FuncOp(name, (list(types), []), visibility="private")
    with ir.InsertionPoint(function.add_entry_block()):
        func.ReturnOp([])
    return function.operation


def _go_through_chunks(fork: ir.Operation, chunk: str, chunks: int, threads: int) -> None:
    i64 = ir.IntegerType.get_signless(64)
    callee = ir.FlatSymbolRefAttr.get(chunk)
    fork.attributes[FORK] = callee
    fork.attributes[CHUNKS] = ir.IntegerAttr.get(i64, chunks)
    fork.attributes[THREADS] = ir.IntegerAttr.get(i64, threads)
    body = fork.regions[0].blocks[0]
    with ir.InsertionPoint.at_block_begin(body):
        loop = scf.ForOp(_constant(0), _constant(chunks), _constant(1))
        with ir.InsertionPoint(loop.body):
            func.CallOp([], callee, [loop.induction_variable, *body.arguments])
            scf.YieldOp([])


def _move(loops: Sequence[ir.Operation], captures: _Captures, entry: ir.Block) -> None:
    """Moves the loops into the function of a chunk, where they use its values."""
    end = entry.operations[0].operation
    values: dict[ir.Value, ir.Value] = dict(zip(captures.passed, list(entry.arguments)[1:], strict=True))
    with ir.InsertionPoint(end):
        for maker in captures.remade:
            copy = maker.clone()
            for operand in maker.operands:
                copy.operation.replace_uses_of_with(operand, values[operand])
            for result, copied in zip(maker.results, copy.operation.results, strict=True):
                values[result] = copied
    for loop in loops:
        loop.move_before(end)
    for op, value in captures.users:
        op.replace_uses_of_with(value, values[value])
    for maker in reversed(captures.remade):
        if not any(True for result in maker.results for _ in result.uses):
            maker.erase()
    for loop in loops:
        for buffer in _buffers_in(loop):
            buffer.move_before(entry.operations[0].operation)


def _buffers_in(loop: ir.Operation) -> list[ir.Operation]:
    """Buffers on the stack of a fixed size; made in a loop, they would take new memory in each iteration."""
    return collect(loop, is_on_the_stack)


def _unmark(loop: ParallelLoop) -> None:
    for mark in (PARALLEL_MARK, COST_MARK):
        if mark in loop.op.operation.attributes:
            del loop.op.operation.attributes[mark]
    for inner in loop.inner:
        _unmark(inner)


def _constant(value: int) -> ir.Value:
    return arith.constant(ir.IndexType.get(), value)
