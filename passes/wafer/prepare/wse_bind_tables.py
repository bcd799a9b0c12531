"""The pass `wse-bind-tables`: tensors that bodies read at computed indices become operands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dialects.host import arith, ir
from ....dialects.structured import (
    Structured,
    inline_body,
    rebuild_generic,
    replace_op,
    structured,
)
from ...infra.pass_base import Pass, PassRun
from ..scalars.splat import scalar_constant, splat_of
from .tables import TABLE, extracts, is_plain, table_of


class BindTables(Pass, name="wse-bind-tables", anchor="func.func"):
    """Makes tensors that are read by `tensor.extract` in the body of a `linalg.generic` operands of it.

    The map of such an operand says which of its dimensions an iterator indexes as it is, along which it may be split
    with that iterator, or which constant does; elsewhere it is 0. `wse.table` on the read is the operand's position.
    A read that the map alone says the place of is the operand's own element, one of a table of equal numbers that
    number. Of a table that is longer than the iterator the front is taken.

        %r = linalg.generic {maps = [(i, j) -> (i), (i, j) -> (i, j)]} ins(%ids) outs(%e) {
          %id = arith.index_cast %in : i64 to index
          %j = linalg.index 1 : index
          %x = tensor.extract %table[%id, %j]
          linalg.yield %x
    becomes
        %r = linalg.generic {maps = [(i, j) -> (i), (i, j) -> (0, j), (i, j) -> (i, j)]} ins(%ids, %table) outs(%e) {
          ..
          %x = tensor.extract %table[%id, %j] {wse.table = 1 : i64}
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        bound = 0
        for block in op.regions[0].blocks:
            for inner in list(block.operations):
                view = structured(inner)
                if view is None:
                    continue
                for extract in extracts(inner):
                    _replace_known(extract)
                if any(table_of(e) is None for e in extracts(inner)):
                    bound += _bind(view)
        run.count("tables bound", bound)


def _replace_known(extract: Any) -> None:
    """Makes a read of a table whose elements are all one number that number: such a table is nowhere in memory."""
    number = splat_of(extract.operation.operands[0])
    if number is None:
        return
    element = extract.results[0].type
    with ir.InsertionPoint(extract), extract.location:
        replace_op(extract, [arith.constant(element, number)])


def _bind(view: Structured) -> int:
    """Rebuilds an operation with the tables that it reads as operands; returns how many were added."""
    inputs, maps = list(view.inputs), list(view.input_maps)
    places: list[int] = []
    with ir.InsertionPoint(view.op), view.op.location:
        for extract in extracts(view.op):
            value, amap = _operand(view, extract)
            known = [n for n, (v, m) in enumerate(zip(inputs, maps, strict=True)) if v == value and m == amap]
            if not known:
                inputs.append(value)
                maps.append(amap)
            places.append(known[0] if known else len(inputs) - 1)
        added = len(inputs) - len(view.inputs)

        def body(*arguments: ir.Value) -> Sequence[ir.Value]:
            kept = [*arguments[: len(view.inputs)], *arguments[len(inputs) :]]
            return inline_body(view.body, kept)

        new = rebuild_generic(view, inputs, maps=[*maps, *view.init_maps], body=body)
    bound = structured(new)
    assert bound is not None
    arguments = list(bound.body.arguments)
    for extract, place in zip(extracts(new), places, strict=True):
        indices = enumerate(list(extract.operation.operands)[1:])
        if all(is_plain(bound, place, dim, index) for dim, index in indices):
            replace_op(extract, [arguments[place]])
            continue
        extract.operation.operands[0] = inputs[place]
        extract.operation.attributes[TABLE] = ir.IntegerAttr.get(ir.IntegerType.get_signless(64), place)
    replace_op(view.op, new.results)
    return added


def _operand(view: Structured, extract: Any) -> tuple[ir.Value, ir.AffineMap]:
    """The table that a read wants as an operand, and its map."""
    table, *indices = extract.operation.operands
    sizes, loops = list(ir.RankedTensorType(table.type).shape), view.loop_sizes()
    front, results, seen = list(sizes), [], set()
    for dim, index in enumerate(indices):
        number = scalar_constant(index)
        if number is not None and 0 <= number < sizes[dim]:
            results.append(ir.AffineConstantExpr.get(int(number)))
            continue
        iterator = _iterator(index)
        trips = None if iterator is None else loops[iterator]
        if iterator is None or trips is None or iterator in seen or trips > sizes[dim]:
            results.append(ir.AffineConstantExpr.get(0))
            continue
        seen.add(iterator)
        front[dim] = trips
        results.append(ir.AffineDimExpr.get(iterator))
    amap = ir.AffineMap.get(len(view.iterators), 0, results)
    return (table if front == sizes else _front(table, front)), amap


def _iterator(index: ir.Value) -> int | None:
    """The iterator that an index is, as it stands."""
    owner = index.owner
    if isinstance(owner, ir.Block) or owner.name != "linalg.index":
        return None
    return ir.IntegerAttr(owner.attributes["dim"]).value


def _front(table: ir.Value, sizes: Sequence[int]) -> ir.Value:
    """The first elements of a table along each dimension."""
    kind = ir.RankedTensorType(table.type)
    arrays = {"offsets": [0] * kind.rank, "sizes": list(sizes), "strides": [1] * kind.rank}
    attributes: dict[str, ir.Attribute] = {
        f"static_{name}": ir.DenseI64ArrayAttr.get(values) for name, values in arrays.items()
    }
    attributes["operandSegmentSizes"] = ir.DenseI32ArrayAttr.get([1, 0, 0, 0])
    result = ir.RankedTensorType.get(list(sizes), kind.element_type)
    return ir.Operation.create(
        "tensor.extract_slice", results=[result], operands=[table], attributes=attributes
    ).result
