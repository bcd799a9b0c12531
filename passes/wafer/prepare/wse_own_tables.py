"""The pass `wse-own-tables`: what is read at indices becomes a sum over a table's places, which PEs can share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from ....dialects.constants import splat
from ....dialects.host import arith, ir, linalg
from ....dialects.structured import (
    REDUCTION,
    Structured,
    clone_into,
    rebuild_generic,
    replace_op,
    structured,
)
from ...infra.pass_base import Pass, PassRun
from .tables import extracts, is_plain, table_of


class OwnTables(Pass, name="wse-own-tables", anchor="func.func"):
    """Makes an operation that only reads a table at indices a reduction over the places of the table.

    Such a reduction can be split as others can: each PE then reads what it owns, and contributes negative zeros
    elsewhere, by which the sum is the element itself. A table that is whole on each PE is read as before.

        %r = linalg.generic {maps = [(i, j) -> (i), (i, j) -> (0, j), (i, j) -> (i, j)]} ins(%ids, %table) outs(%e) {
          %x = tensor.extract %table[%id, %j] {wse.table = 1 : i64}
          linalg.yield %x
    becomes
        %r = linalg.generic {maps = [(i, j, r) -> (i), (i, j, r) -> (r, j), (i, j, r) -> (i, j)]}
            ins(%ids, %table) outs(-0.0) {
          %hit = arith.cmpi eq, linalg.index 2, %id
          %part = arith.select %hit, %in_table, -0.0
          %x = arith.addf %out, %part
          linalg.yield %x
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        count = 0
        for block in op.regions[0].blocks:
            for inner in list(block.operations):
                view = structured(inner)
                read = None if view is None else _lone_read(view)
                if view is not None and read is not None:
                    _rewrite(view, read)
                    count += 1
        run.count("tables that can be shared", count)


@dataclass(frozen=True)
class _Read:
    """A read of a table.

    Attributes:
        table: the operand that it is.
        decided: the index along each of its dimensions that numbers decide.
    """

    extract: Any
    table: int
    decided: dict[int, ir.Value]


def _lone_read(view: Structured) -> _Read | None:
    """The read that is all that an operation does; None for other operations."""
    if not view.is_parallel() or len(view.inits) != 1 or view.reads(len(view.inputs)):
        return None
    reads = extracts(view.op)
    extract = next((e for e in reads if e.results[0] == view.yielded[0]), None)
    table = None if extract is None else table_of(extract)
    if extract is None or table is None or sum(table_of(e) == table for e in reads) != 1 or view.reads(table):
        return None
    indices = enumerate(list(extract.operation.operands)[1:])
    decided = {dim: index for dim, index in indices if not is_plain(view, table, dim, index)}
    return _Read(extract, table, decided) if decided else None


def _rewrite(view: Structured, read: _Read) -> None:
    loops = len(view.iterators)
    kind = ir.RankedTensorType(view.inits[0].type)
    element, neutral = kind.element_type, _neutral(kind.element_type)
    count = loops + len(read.decided)
    maps = [_extended(amap, count, {}) for amap in view.maps]
    places = {dim: loops + n for n, dim in enumerate(read.decided)}
    maps[read.table] = _extended(view.maps[read.table], count, places)

    def body(*arguments: ir.Value) -> Sequence[ir.Value]:
        mapping: dict[ir.Value, ir.Value] = dict(zip(view.body.arguments, arguments, strict=True))
        kept = [op for op in view.body_operations() if op.operation != read.extract.operation]
        clone_into(kept, mapping)
        hits = []
        for dim, index in read.decided.items():
            here = linalg.IndexOp(places[dim]).result
            hits.append(arith.cmpi(arith.CmpIPredicate.eq, here, mapping.get(index, index)))
        zero = splat(element, neutral)
        part = arith.select(reduce(arith.andi, hits), arguments[read.table], zero)
        combine = arith.addf if isinstance(element, ir.FloatType) else arith.addi
        combine = arith.ori if str(element) == "i1" else combine
        return [combine(arguments[-1], part)]

    with ir.InsertionPoint(view.op), view.op.location:
        start = splat(kind, neutral)
        kinds = [*view.iterators, *[REDUCTION] * len(read.decided)]
        new = rebuild_generic(view, inits=[start], maps=maps, iterators=kinds, body=body)
    replace_op(view.op, new.results)


def _neutral(element: ir.Type) -> ir.Attribute:
    """What changes no number that it is added to, negative zero included."""
    if isinstance(element, ir.FloatType):
        return ir.FloatAttr.get(element, -0.0)
    return ir.IntegerAttr.get(element, 0)


def _extended(amap: ir.AffineMap, count: int, changed: dict[int, int]) -> ir.AffineMap:
    """A map of more iterators, some of its dimensions being one of them."""
    results = [
        ir.AffineDimExpr.get(changed[dim]) if dim in changed else expr
        for dim, expr in enumerate(amap.results)
    ]
    return ir.AffineMap.get(count, 0, results)
