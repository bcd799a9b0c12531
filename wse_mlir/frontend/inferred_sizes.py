"""Sizes that are written as -1, computed where a dimension of open size is split.

torch-mlir makes `tensor.reshape` of such a split and hands it the -1, which a later `tensor.dim` then reads from it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..dialects.host import ir
from ..passes.tensor.traversal import collect

_SPLIT = "torch.aten.unflatten.int"
_CONSTANT = "torch.constant.int"


def compute_inferred_sizes(module: ir.Module) -> None:
    """Replaces the -1 among the sizes of `torch.aten.unflatten.int` by the size divided by all others; in place."""
    for op in collect(module.operation, lambda op: op.name == _SPLIT):
        sizes = list(op.operands[2].owner.operands)
        inferred = [k for k, size in enumerate(sizes) if _known(size) == -1]
        if len(inferred) == 1:
            with op.location, ir.InsertionPoint(op):
                others = sizes[: inferred[0]] + sizes[inferred[0] + 1 :]
                sizes[inferred[0]] = _quotient(op.operands[0], op.operands[1], others)
                op.operands[2] = _create("torch.prim.ListConstruct", sizes, op.operands[2].type)


def _known(size: ir.Value) -> int | None:
    owner = size.owner
    if isinstance(owner, ir.Block) or owner.name != _CONSTANT:
        return None
    return ir.IntegerAttr(owner.attributes["value"]).value


def _quotient(tensor: ir.Value, dim: ir.Value, others: Sequence[ir.Value]) -> ir.Value:
    """The size of a dimension divided by other sizes."""
    size = _create("torch.aten.size.int", [tensor, dim], dim.type)
    for other in others:
        size = _create("torch.aten.floordiv.int", [size, other], dim.type)
    return size


def _create(name: str, operands: Sequence[ir.Value], kind: ir.Type) -> ir.Value:
    return ir.Operation.create(name, [kind], operands).result
