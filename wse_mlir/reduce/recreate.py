"""Operations with other operands or results: MLIR changes those only by making a new operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..dialects.host import ir
from ..dialects.structured import replace_op


def recreate(
    op: ir.Operation,
    *,
    operands: Sequence[ir.Value] | None = None,
    results: Sequence[ir.Type] | None = None,
    attributes: Mapping[str, ir.Attribute] | None = None,
) -> ir.Operation:
    """A new operation before `op` that has taken its regions and differs in what is given; `op` is still there."""
    with op.context, op.location:
        new = ir.Operation.create(
            op.name,
            results=[r.type for r in op.results] if results is None else list(results),
            operands=list(op.operands) if operands is None else list(operands),
            attributes={name: op.attributes[name] for name in op.attributes} | dict(attributes or {}),
            successors=list(op.successors),
            regions=len(op.regions),
            ip=ir.InsertionPoint(op),
        )
    for old_region, new_region in zip(op.regions, new.regions, strict=True):
        for block in list(old_region.blocks):
            block.append_to(new_region)
    return new


def recreate_without(op: ir.Operation, *, operand: int) -> None:
    """Replaces an operation by one with an operand less."""
    operands = [value for i, value in enumerate(op.operands) if i != operand]
    new = recreate(op, operands=operands)
    replace_op(op, new.results)
