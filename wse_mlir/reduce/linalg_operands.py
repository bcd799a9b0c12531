"""Removes what `linalg.generic` reads but does not use."""

from __future__ import annotations

from collections.abc import Sequence

from ..dialects.host import ir
from ..dialects.structured import replace_op
from .draft import Base, Draft
from .recreate import recreate
from .stand_ins import is_used
from .strategy import Edits

GenericInput = tuple[int, int]  # a linalg.generic's number, and which of its inputs

_SEGMENTS = "operandSegmentSizes"


class RemoveLinalgInputs(Edits[GenericInput]):
    """Removes inputs whose elements the body does not use, with their indexing maps."""

    name = "inputs of linalg.generic"

    def targets(self, base: Base) -> Sequence[GenericInput]:
        return [
            (n, i)
            for n, op in enumerate(base.operations)
            if op.name == "linalg.generic"
            for i in range(ir.DenseI32ArrayAttr(op.attributes[_SEGMENTS])[0])
            if not is_used(op.regions[0].blocks[0].arguments[i])
        ]

    def edit(self, draft: Draft, target: GenericInput) -> None:
        number, index = target
        op = draft.operations[number]
        inputs, outputs = ir.DenseI32ArrayAttr(op.attributes[_SEGMENTS])
        maps = list(ir.ArrayAttr(op.attributes["indexing_maps"]))
        with op.context:
            attributes = {
                _SEGMENTS: ir.DenseI32ArrayAttr.get([inputs - 1, outputs]),
                "indexing_maps": ir.ArrayAttr.get(maps[:index] + maps[index + 1 :]),
            }
        new = recreate(
            op, operands=[v for i, v in enumerate(op.operands) if i != index], attributes=attributes
        )
        new.regions[0].blocks[0].erase_argument(index)
        replace_op(op, new.results)
        draft.operations[number] = new
