"""`wse-form-kernels`: operations that belong together become functions, and equal functions are compiled once."""

from __future__ import annotations

from collections.abc import Iterator

from ....dialects.host import ir
from ...infra.pass_base import Pass, PassRun
from ...tensor.bufferization.lifetimes import deallocate, operations_below, remove_unused
from .facts import facts_of
from .grouping import Grouping
from .outline import KERNEL_MARK, Outliner


class FormKernels(Pass, name="wse-form-kernels", anchor="builtin.module"):
    """Moves groups of `linalg.generic`s on buffers out of functions, into kernel functions.

    A group is a product with what fills its accumulators and what works on its results point by point; the parts of
    a softmax, of a normalisation or of attention; or a single operation. Buffers that only a group uses are allocated
    in its kernel. Kernels with the same text are one, so that equal layers of a network are compiled once; slices
    come as memrefs with an open offset for that reason. Tiny operations stay where they are.

    Before:

        func.func @main(%x: memref<8x64xf32>, %w: memref<64x32xf32>, %b: memref<32xf32>, %out: memref<8x32xf32>) {
          %t = memref.alloc() : memref<8x32xf32>
          linalg.generic {fill} outs(%t : ...)
          linalg.generic {matmul} ins(%x, %w : ...) outs(%t : ...)
          linalg.generic {add bias} ins(%t, %b : ...) outs(%out : ...)

    After:

        func.func @main(...) {
          call @kernel_0(%x, %w, %b, %out)

        func.func private @kernel_0(...) attributes {wse.kernel, passthrough = ["noinline"]} {
          %t = memref.alloc() : memref<8x32xf32>
          ... the three operations
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        outliner = Outliner(op)
        for function in _functions(op):
            if KERNEL_MARK in function.attributes:
                continue
            freed = _remove_deallocations(function)
            before = len(outliner.functions)
            for block in _blocks(function):
                _form(block, outliner)
            remove_unused(function)
            for owner in (function, *outliner.functions[before:]) if freed else ():
                deallocate(owner)
        run.count("kernels", len(outliner.functions))
        run.count("calls of kernels", outliner.calls)


def _functions(module: ir.Operation) -> list[ir.Operation]:
    return [o.operation for o in module.regions[0].blocks[0].operations if o.operation.name == "func.func"]


def _remove_deallocations(function: ir.Operation) -> bool:
    """Lifetimes change with the order of operations; whether there were any deallocations."""
    found = [op for op in operations_below(function) if op.name == "memref.dealloc"]
    for op in found:
        op.erase()
    return bool(found)


def _blocks(op: ir.Operation) -> Iterator[ir.Block]:
    """The blocks below an operation that are carried out one operation after the other, innermost first."""
    for region in op.regions:
        for block in region.blocks:
            for inner in list(block.operations):
                if not inner.operation.name.startswith("linalg."):
                    yield from _blocks(inner.operation)
            yield block


def _form(block: ir.Block, outliner: Outliner) -> None:
    """Brings a block's operations into an order in which groups are together, and makes functions of groups."""
    grouping = Grouping(block)
    groups = grouping.groups()
    end = list(block.operations)[-1].operation
    for op in (op for group in groups for op in group):
        op.move_before(end)
    chosen = [(group, _location(group)) for group in groups if grouping.is_worth_a_call(group)]
    for group, location in chosen:
        outliner.outline(group, location)


def _location(group: list[ir.Operation]) -> ir.Location:
    """The location of the operation that takes longest."""
    costs = [facts.cost if (facts := facts_of(op)) is not None else 0 for op in group]
    return group[costs.index(max(costs))].location
