"""Tables that may be spread over PEs: each one contributes what it owns, and a sum is what was asked for.

`out + select(index(r) == i and .., table[r, ..], 0)` over all r is the element at `i`. A PE does not go through its r:
it reads where numbers are places of its own. The sum is exact: of one element and negative zeros.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....dialects.affine.expressions import dim_position
from ....dialects.structured import PARALLEL, REDUCTION, Structured
from ..scalars.body import ending_in
from ..scalars.reduction_form import OWNED
from ..scalars.values import ElementaryOp, Immediate, Operand, ScalarBody, ScalarValue, Temp
from .cost import CostModel
from .dependencies import dependencies, iterators_of
from .indirect import gather_order, indirect_cycles
from .scatters import compared


def with_owned(view: Structured, body: ScalarBody) -> ScalarBody:
    """The body with a sum over the places of a table as one read; as it is where it is none."""
    found = _owned(view, body)
    return body if found is None else ending_in(body, found)


def _owned(view: Structured, body: ScalarBody) -> ElementaryOp | None:
    """Operands: out, the table, and for each of its dimensions an index, or 0 where an iterator says the place."""
    if len(view.inits) != 1 or not isinstance(body.yielded[0], Temp):
        return None
    out, total = Operand(len(view.inputs)), body.ops[body.yielded[0].index]
    if f"owned {total.kind}" not in OWNED or out not in total.operands:
        return None
    part = total.operands[1] if total.operands[0] == out else total.operands[0]
    chosen = body.ops[part.index] if isinstance(part, Temp) else None
    if chosen is None or chosen.kind != "select" or chosen.operands[2] != Immediate(0):
        return None
    places, table = compared(body, chosen.operands[0]), chosen.operands[1]
    reductions = {i for i, kind in enumerate(view.iterators) if kind == REDUCTION}
    if places is None or set(places) != reductions or not isinstance(table, Operand) or table == out:
        return None
    dims = [dim_position(e) for e in view.maps[table.position].results]
    depends = dependencies(view, body)
    moved = frozenset().union(*(iterators_of(view, v, depends) for v in places.values()))
    if moved & reductions or not reductions <= set(dims):
        return None
    indices = tuple(Immediate(0) if d is None else places.get(d, Immediate(0)) for d in dims)
    return ElementaryOp(f"owned {total.kind}", (out, table, *indices), total.dtype)


def owned_indices(view: Structured, op: ElementaryOp) -> dict[int, ScalarValue]:
    """Of each dimension of the table that numbers decide, these."""
    table = op.operands[1]
    assert isinstance(table, Operand)
    dims = [dim_position(e) for e in view.maps[table.position].results]
    pairs = enumerate(zip(dims, op.operands[2:], strict=True))
    return {n: value for n, (d, value) in pairs if d is not None and view.iterators[d] == REDUCTION}


def owned_loops(
    view: Structured, op: ElementaryOp, depends: Sequence[frozenset[int]]
) -> tuple[list[int], list[int]]:
    """The loops that move numbers, and those of a row; none of the table's own places."""
    numbers = owned_indices(view, op).values()
    moved = frozenset().union(*(iterators_of(view, value, depends) for value in numbers))
    loops = gather_order([i for i, kind in enumerate(view.iterators) if kind == PARALLEL], moved)
    return [i for i in loops if i in moved], [i for i in loops if i not in moved]


def owned_cycles(
    cost: CostModel,
    view: Structured,
    op: ElementaryOp,
    depends: Sequence[frozenset[int]],
    tiles: Sequence[int],
) -> float:
    """Cycles of a read; what another PE owns costs as much."""
    before, within = ([tiles[i] for i in loops] for loops in owned_loops(view, op, depends))
    return indirect_cycles(cost, "copy", op.dtype, before, within, len(owned_indices(view, op)))
