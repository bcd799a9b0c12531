"""What index values of program texts are, on PEs whose coordinates are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from ...dialects.affine.expressions import evaluate_affine
from ...dialects.host import ir


@dataclass
class IndexValues:
    """Values of one program text.

    Attributes:
        tables: entries of each `wse.table`.
        coordinates: x and y of the PEs, as arrays of one shape.
    """

    tables: Mapping[str, np.ndarray]
    coordinates: tuple[np.ndarray, np.ndarray]
    _known: dict[ir.Value, Any] = field(default_factory=dict)

    def of(self, value: ir.Value) -> Any:
        """A number, or an array of one a PE; None where a loop's variable, or the host, decides."""
        if value not in self._known:
            self._known[value] = self._computed(value)
        return self._known[value]

    def _computed(self, value: ir.Value) -> Any:
        owner = value.owner
        if isinstance(owner, ir.Block):
            return self.coordinates[ir.BlockArgument(value).arg_number] if _is_coordinate(value) else None
        if owner.name == "arith.constant":
            return ir.IntegerAttr(owner.attributes["value"]).value
        operands = [self.of(operand) for operand in owner.operands]
        if any(operand is None for operand in operands):
            return None
        if owner.name == "arith.muli":
            return operands[0] * operands[1]
        if owner.name == "wse.lookup":
            return self.tables[ir.FlatSymbolRefAttr(owner.attributes["table"]).value][operands[0]]
        if owner.name not in _COMBINE:
            return None
        amap = ir.AffineMapAttr(owner.attributes["map"]).value
        dims, rest = operands[: amap.n_dims], operands[amap.n_dims :]

        def variable(expr: Any) -> Any:
            return (dims if isinstance(expr, ir.AffineDimExpr) else rest)[expr.position]

        return reduce(_COMBINE[owner.name], [evaluate_affine(result, variable) for result in amap.results])


_COMBINE = {"affine.apply": np.minimum, "affine.min": np.minimum, "affine.max": np.maximum}


def depends_on_place_alone(value: ir.Value) -> bool:
    """Whether each PE has one value for the whole program."""
    owner = value.owner
    if isinstance(owner, ir.Block):
        return _is_coordinate(value)
    return owner.name != "wse.get_scalar" and all(
        depends_on_place_alone(operand) for operand in owner.operands
    )


def place_number(op: Any) -> str:
    """What number an operation computes of the PE's place, as text; "" for none, or one that a loop decides."""
    results = op.operation.results
    if len(results) != 1 or not isinstance(results[0].type, ir.IndexType):
        return ""
    return _described(results[0]) if depends_on_place_alone(results[0]) else ""


def most_of(value: ir.Value) -> int | None:
    """The most that a number can be, where a text says so: a constant, or the least of several numbers."""
    owner = value.owner
    if isinstance(owner, ir.Block):
        return None
    if owner.name == "arith.constant":
        return ir.IntegerAttr(owner.attributes["value"]).value
    if owner.name != "affine.min":
        return None
    results = ir.AffineMapAttr(owner.attributes["map"]).value.results
    constants = [r.value for r in results if isinstance(r, ir.AffineConstantExpr)]
    return min(constants, default=None)


def _described(value: ir.Value) -> str:
    owner = value.owner
    if isinstance(owner, ir.Block):
        return f"%{ir.BlockArgument(value).arg_number}"
    what = " ".join(
        str(owner.attributes[name]) for name in ("map", "value", "table") if name in owner.attributes
    )
    return f"{owner.name} {what}({', '.join(map(_described, owner.operands))})"


def _is_coordinate(value: ir.Value) -> bool:
    """Whether a block's argument is x or y; further ones of a routine are variables of loops around its calls."""
    argument = ir.BlockArgument(value)
    return argument.owner.owner.operation.name == "func.func" and argument.arg_number < 2
