"""A scalar of a `linalg.generic`'s body, computed by an operation of its own on the loops that it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ....dialects.affine.expressions import keep_dims
from ....dialects.affine.maps import compose_map, loops_inferable, map_dims
from ....dialects.host import ir, linalg
from ....dialects.structured import Structured, clone_into


@dataclass(frozen=True)
class Recomputed:
    """
    Attributes:
        operands / maps: the inputs of such an operation, which give all its trip counts.
        value: the scalar, from the operands' scalars; called inside of its body.
    """

    operands: Sequence[ir.Value]
    maps: Sequence[ir.AffineMap]
    value: Callable[..., ir.Value]


def slice_of(view: Structured, value: ir.Value) -> list[ir.Operation]:
    """The operations of a body that a value is computed by, in order."""
    needed = {value}
    found: list[ir.Operation] = []
    for op in reversed(view.body_operations()):
        if any(r in needed for r in op.operation.results):
            found.append(op.operation)
            needed.update(op.operation.operands)
    return found[::-1]


def recomputed(view: Structured, value: ir.Value) -> Recomputed:
    """How a value of a body is computed without the rest of it."""
    body = slice_of(view, value)
    scalars = list(view.body.arguments)
    read = {v for op in body for v in op.operands} | {value}
    inputs = [k for k, scalar in enumerate(scalars) if scalar in read]
    loops = set().union(*(map_dims(view.maps[k]) for k in inputs))
    loops |= {ir.IntegerAttr(op.attributes["dim"]).value for op in body if op.name == "linalg.index"}
    on_loops = keep_dims(sorted(loops), len(view.iterators))
    maps = [compose_map(view.maps[k], on_loops) for k in inputs]
    if not inputs or not loops_inferable(maps, len(loops)):
        loops = set(range(len(view.iterators)))
        maps = [view.maps[k] for k in inputs]
        inputs = list(range(len(view.operands)))
    places = {d: k for k, d in enumerate(sorted(loops))}

    def value_of(*values: ir.Value) -> ir.Value:
        mapping: dict[ir.Value, ir.Value] = {scalars[k]: v for k, v in zip(inputs, values, strict=True)}
        for op in body:
            if op.name == "linalg.index":
                place = places[ir.IntegerAttr(op.attributes["dim"]).value]
                mapping[op.results[0]] = linalg.IndexOp(place).result
            else:
                clone_into([op], mapping)
        return mapping.get(value, value)

    return Recomputed([view.operands[k] for k in inputs], maps, value_of)
