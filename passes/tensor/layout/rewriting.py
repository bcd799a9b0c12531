"""Rebuilds a function on tensors whose dimensions lie in the chosen orders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ....dialects.host import arith, ir
from ...infra.pass_base import PassRun
from .assignment import LayoutAssignment
from .conversion import Conversions
from .order import Order, identity, is_identity, permuted

LayoutHandler = Callable[["LayoutRewriter", Any], list[ir.Value]]

# name of an operation -> what builds it on reordered tensors and returns its new results
HANDLERS: dict[str, LayoutHandler] = {}


def reorders(*names: str) -> Callable[[LayoutHandler], LayoutHandler]:
    """Registers how operations are rebuilt."""

    def register(handler: LayoutHandler) -> LayoutHandler:
        for name in names:
            HANDLERS[name] = handler
        return handler

    return register


@dataclass
class LayoutRewriter:
    """Rewrites one function as its assignment says, in program order.

    Old operations stay until the end: they are the names of the tensors, and bodies that mention them can be
    cloned and corrected.
    """

    assignment: LayoutAssignment
    run: PassRun
    _dead: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tensors = Conversions(self.assignment, self.run)

    def rewrite(self) -> None:
        """Does all of it."""
        for region in self.assignment.function.regions:
            for block in region.blocks:
                self._block(block)
        for op in reversed(self._dead):
            op.operation.erase()

    def order(self, value: ir.Value) -> Order:
        """The order chosen for a ranked tensor; empty for anything else."""
        return self.assignment.order(value) if isinstance(value.type, ir.RankedTensorType) else ()

    def correct(self, op: Any) -> None:
        """Hands an operation that stays the tensors in the order that it knows, and what is nested in it."""
        with ir.InsertionPoint(op), op.location:
            if op.operation.name == "tensor.extract" and self._is_affected(op):
                source, *indices = op.operands
                for k, index in enumerate(permuted(indices, self.order(source))):
                    op.operands[k + 1] = index
                op.operands[0] = self.tensors.current(source)
            elif not (op.operation.name == "tensor.dim" and self._is_affected(op) and self._correct_dim(op)):
                for k, value in enumerate(op.operands):
                    if isinstance(value.type, ir.RankedTensorType):
                        op.operands[k] = self.tensors.get(value, identity(value.type.rank))
        for region in op.regions:
            for block in region.blocks:
                self._block(block)

    def _correct_dim(self, op: Any) -> bool:
        """Asks a reordered tensor for the size of a dimension that is known by number."""
        source, index = op.operands
        number = None if isinstance(index.owner, ir.Block) else index.owner.operation
        if number is None or number.name != "arith.constant":
            return False
        position = self.order(source).index(ir.IntegerAttr(number.attributes["value"]).value)
        op.operands[0] = self.tensors.current(source)
        op.operands[1] = arith.constant(ir.IndexType.get(), position)
        return True

    def _block(self, block: ir.Block) -> None:
        for op in list(block.operations):
            handler = HANDLERS.get(op.operation.name)
            if handler is None or not self._is_affected(op):
                self.correct(op)
                continue
            with ir.InsertionPoint(op), op.location:
                results = handler(self, op)
            for old, new in zip(op.results, results, strict=True):
                self.tensors.define(old, new)
            self._dead.append(op)
            self.run.count("operations on reordered tensors")

    def _is_affected(self, op: Any) -> bool:
        """Whether an operation reads, makes or mentions a tensor that lies in another order."""
        if any(not is_identity(self.order(v)) for v in (*op.operands, *op.results)):
            return True
        if len(op.results) and op.results[0] in self.assignment.convolutions:
            return True
        nested = (inner for region in op.regions for block in region.blocks for inner in block.operations)
        return any(self._is_affected(inner) for inner in nested)
