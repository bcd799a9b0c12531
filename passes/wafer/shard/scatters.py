"""Writes at indices that are data: a body that changes an element of the result where indices hit it.

`select(index(d) == i and .., new, out)` says for every element which numbers hit it. A PE goes the other way round: it
writes its elements at the numbers that hit one of them, in the order of the reduction's loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ....dialects.affine.expressions import dim_position
from ....dialects.structured import PARALLEL, Structured
from ..scalars.body import ending_in
from ..scalars.values import ElementaryOp, IteratorValue, Operand, ScalarBody, ScalarValue, Temp
from .cost import CostModel
from .dependencies import dependencies, iterators_of
from .indirect import indirect_cycles

# `out` becomes the value, or is combined with it. Operands: out, the value, and for each dimension of the result an
# index; its own iterator where the write goes along with it.
SCATTERS = {f"scatter {kind}": kind for kind in ("copy", "add", "mul", "max", "min", "and", "or")}


def with_scatter(view: Structured, body: ScalarBody) -> ScalarBody:
    """The body with its last operation as a scatter; as it is where it is none."""
    found = _scatter(view, body)
    return body if found is None else ending_in(body, found)


def _scatter(view: Structured, body: ScalarBody) -> ElementaryOp | None:
    if len(view.inits) != 1 or not isinstance(body.yielded[0], Temp):
        return None
    out, chosen = Operand(len(view.inputs)), body.ops[body.yielded[0].index]
    places = [dim_position(e) for e in view.init_maps[0].results]
    if chosen.kind != "select" or chosen.operands[2] != out or None in places:
        return None
    found = compared(body, chosen.operands[0])
    if found is None:
        return None
    combined = _combined(body, chosen.operands[1], out)
    kind, value = ("copy", chosen.operands[1]) if combined is None else combined
    depends = dependencies(view, body)
    parallel = all(view.iterators[d] == PARALLEL and d in places for d in found)
    moved = frozenset().union(*(iterators_of(view, v, depends) for v in (value, *found.values())))
    if not parallel or moved & frozenset(found) or _reads(body, value, out):
        return None
    if any(_reads(body, index, out) for index in found.values()):
        return None
    indices = tuple(found.get(p, IteratorValue(p)) for p in places if p is not None)
    return ElementaryOp(f"scatter {kind}", (out, value, *indices), chosen.dtype)


def compared(body: ScalarBody, condition: ScalarValue) -> dict[int, ScalarValue] | None:
    """The number that each iterator is compared with; None for any other condition."""
    if not isinstance(condition, Temp):
        return None
    op = body.ops[condition.index]
    if op.kind == "and":
        first, second = (compared(body, operand) for operand in op.operands)
        if first is None or second is None or first.keys() & second.keys():
            return None
        return {**first, **second}
    if op.kind != "eq":
        return None
    left, right = op.operands
    for this, other in ((left, right), (right, left)):
        iterator = _iterator(body, this)
        if iterator is not None:
            return {iterator: other}
    return None


def _iterator(body: ScalarBody, value: ScalarValue) -> int | None:
    """The iterator that a value is, in an integer type of as many numbers."""
    if isinstance(value, Temp) and body.ops[value.index].kind == "convert":
        wide = body.ops[value.index].dtype in ("i32", "i64")
        value = body.ops[value.index].operands[0] if wide else value
    return value.dim if isinstance(value, IteratorValue) else None


def _combined(body: ScalarBody, new: ScalarValue, out: Operand) -> tuple[str, ScalarValue] | None:
    """How `out` is combined with which value."""
    if not isinstance(new, Temp):
        return None
    op = body.ops[new.index]
    if f"scatter {op.kind}" not in SCATTERS or out not in op.operands or len(op.operands) != 2:
        return None
    return op.kind, op.operands[1] if op.operands[0] == out else op.operands[0]


def _reads(body: ScalarBody, value: ScalarValue, wanted: ScalarValue) -> bool:
    """Whether a value is computed from another one."""
    if value == wanted:
        return True
    return isinstance(value, Temp) and any(_reads(body, o, wanted) for o in body.ops[value.index].operands)


@dataclass(frozen=True)
class Scatter:
    """A scatter's parts.

    Attributes:
        kind: how an element is changed; "copy" when it is written.
        indices: of each dimension of the result that data decides, where.
    """

    kind: str
    value: ScalarValue
    indices: dict[int, ScalarValue]


def scatter_of(view: Structured, op: ElementaryOp) -> Scatter | None:
    """The parts of an operation that is a scatter."""
    if op.kind not in SCATTERS:
        return None
    places = [dim_position(e) for e in view.init_maps[0].results]
    indices = {
        d: o
        for d, (p, o) in enumerate(zip(places, op.operands[2:], strict=True))
        if o != IteratorValue(p or 0)
    }
    return Scatter(SCATTERS[op.kind], op.operands[1], indices)


def scatter_loops(
    view: Structured, scatter: Scatter, depends: Sequence[frozenset[int]]
) -> tuple[list[int], list[int]]:
    """The loops of a scatter, outermost first: those that keep their order or move indices, and those of a row.

    The loops of a reduction keep their order, for the last of several writes stays.
    """
    places = [dim_position(e) for e in view.init_maps[0].results]
    decided = {places[d] for d in scatter.indices}
    loops = [i for i in range(len(view.iterators)) if i not in decided]
    moved = frozenset().union(*(iterators_of(view, v, depends) for v in scatter.indices.values()))
    outer = [i for i in loops if view.iterators[i] == PARALLEL and i in moved]
    outer += [i for i in loops if view.iterators[i] != PARALLEL]
    return outer, [i for i in loops if i not in outer]


def scatter_cycles(
    cost: CostModel,
    view: Structured,
    op: ElementaryOp,
    depends: Sequence[frozenset[int]],
    tiles: Sequence[int],
) -> float:
    """Cycles of a scatter; `tiles`: trips of each iterator on a PE. What another PE owns costs as much."""
    scatter = scatter_of(view, op)
    assert scatter is not None
    outer, row = scatter_loops(view, scatter, depends)
    before, within = ([tiles[i] for i in loops] for loops in (outer, row))
    return indirect_cycles(cost, scatter.kind, op.dtype, before, within, len(scatter.indices))


def written_indices(view: Structured, op: ElementaryOp) -> tuple[ScalarValue, ...]:
    """What an operation reads as numbers; of a scatter, not the iterators that it goes along with."""
    scatter = scatter_of(view, op)
    return op.operands if scatter is None else (scatter.value, *scatter.indices.values())
