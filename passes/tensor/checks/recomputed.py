"""A scalar of a `linalg.generic`'s body, computed by an operation of its own on the loops that it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ....dialects.host import ir, linalg
from ....dialects.structured import Structured, clone_into, loops_inferable, used_dims


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
    loops = {d for k in inputs for e in view.maps[k].results for d in used_dims(e)}
    loops |= {ir.IntegerAttr(op.attributes["dim"]).value for op in body if op.name == "linalg.index"}
    if not inputs or not _are_inferable([view.maps[k] for k in inputs], loops):
        loops = set(range(len(view.iterators)))
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

    maps = [_on_loops(view.maps[k], places) for k in inputs]
    return Recomputed([view.operands[k] for k in inputs], maps, value_of)


def _are_inferable(maps: Sequence[ir.AffineMap], loops: set[int]) -> bool:
    places = {d: k for k, d in enumerate(sorted(loops))}
    return loops_inferable([_on_loops(m, places) for m in maps], len(loops))


def _on_loops(amap: ir.AffineMap, places: dict[int, int]) -> ir.AffineMap:
    """A map from fewer loops: those that it does not read are left out."""
    unread = ir.AffineConstantExpr.get(0)
    dims = [ir.AffineDimExpr.get(places[d]) if d in places else unread for d in range(amap.n_dims)]
    inner = ir.AffineMap.get(len(places), 0, dims)
    return ir.AffineMap.get(len(places), 0, [e.compose(inner) for e in amap.results])
