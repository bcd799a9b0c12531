"""What readers of values would like to have: layouts that their options need, beside blocks along axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .....dialects.host import ir
from .....wse_target.layout.tensor_layout import TensorLayout
from ..nodes import Node
from .shape_options import is_blocks

_MOST = 12  # layouts of a value: those of its readers' cheapest options


class Wants:
    """Layouts by value, collected from the last operation to the first."""

    def __init__(self) -> None:
        self._cycles: dict[ir.Value, dict[TensorLayout, float]] = {}

    def note(self, node: Node) -> None:
        """Adds what a node's options need of its operands; parts that leave indices out where nobody else reads."""
        for option in node.options:
            for operand, needed in zip(node.op.operands, option.needs, strict=True):
                if needed is None or isinstance(operand.owner, ir.Block) or is_blocks(needed):
                    continue
                if _is_somewhere(needed):
                    continue
                if all(dim.has_all for dim in needed.dims) or len(list(operand.uses)) == 1:
                    known = self._cycles.setdefault(operand, {})
                    known[needed] = min(known.get(needed, option.cycles), option.cycles)

    def of_results(self, op: Any) -> Sequence[Sequence[TensorLayout]]:
        """For each result of an operation, the layouts that the cheapest ones of its readers' options need.

        None for what goes to the host, which takes every element from one PE.
        """
        return [[] if _is_returned(result) else self._of(result) for result in op.results]

    def _of(self, value: ir.Value) -> list[TensorLayout]:
        known = self._cycles.get(value, {})
        return sorted(known, key=lambda layout: known[layout])[:_MOST]


def _is_somewhere(layout: TensorLayout) -> bool:
    """Whether PEs have all of a dimension or nothing, as of a row that is put into others: that is for a copy to do.

    What is computed where its row will be is computed by few, and differently for each row.
    """
    return any(digit.pitch >= dim.size for dim in layout.dims for digit in dim.digits)


def _is_returned(value: ir.Value) -> bool:
    return any(use.owner.operation.name == "func.return" for use in value.uses)
