"""Walks that stay valid while a pass rewrites: operations and blocks are collected first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...dialects.host import ir

# Bodies of these hold scalar code only.
_SCALAR_BODIES = "linalg."


def collect(root: ir.Operation, wanted: Callable[[ir.Operation], bool]) -> list[ir.Operation]:
    """Operations nested in `root` that are wanted, in program order, scalar bodies of linalg not entered."""
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        if wanted(op):
            found.append(op)
        return ir.WalkResult.SKIP if op.name.startswith(_SCALAR_BODIES) else ir.WalkResult.ADVANCE

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
