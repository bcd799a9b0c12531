"""Walks that stay valid while a pass rewrites: operations and blocks are collected first.

And the step back, from a value to the operation that makes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...dialects.host import ir

# Bodies of these hold scalar code only.
_SCALAR_BODIES = "linalg."


def collect(
    root: ir.Operation, wanted: Callable[[ir.Operation], bool], *, in_bodies: bool = False
) -> list[ir.Operation]:
    """`root` and operations nested in it that are wanted, in program order, outer ones first.

    Args:
        in_bodies: enter scalar bodies of linalg, too.
    """
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        if wanted(op):
            found.append(op)
        is_entered = in_bodies or not op.name.startswith(_SCALAR_BODIES)
        return ir.WalkResult.ADVANCE if is_entered else ir.WalkResult.SKIP

    root.operation.walk(visit, ir.WalkOrder.PRE_ORDER)
    return found


def tensor_blocks(root: ir.Operation) -> list[ir.Block]:
    """Blocks nested in `root` that hold tensor or control code, innermost first; scalar bodies left out."""
    blocks: list[ir.Block] = []

    def visit(op: Any) -> None:
        for region in op.regions:
            for block in region.blocks:
                for inner in block.operations:
                    if len(inner.regions) and not inner.operation.name.startswith(_SCALAR_BODIES):
                        visit(inner.operation)
                blocks.append(block)

    visit(root)
    return blocks


def made_by(value: ir.Value) -> ir.Operation | None:
    """The operation that a value is a result of; None for an argument of a block."""
    return None if isinstance(value.owner, ir.Block) else value.owner.operation
