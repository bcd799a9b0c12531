"""The pass `wse-separate-reads`: what reads a large table and computes besides becomes two operations."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ....dialects.affine.maps import map_dims
from ....dialects.host import ir, tensor
from ....dialects.structured import (
    Structured,
    build_generic,
    clone_into,
    rebuild_generic,
    replace_op,
    structured,
)
from ....wse_target.instructions import DTYPE_BYTES
from ...infra.pass_base import Pass, PassRun
from ..scalars.splat import scalar_constant
from ..shard.nodes import dtype_of
from .tables import extracts

_LARGE = 4096  # bytes of the places that numbers choose among, which every PE would have to hold


class SeparateReads(Pass, name="wse-separate-reads", anchor="func.func"):
    """Makes reads of large tables at indices from data operations that do nothing else.

    PEs can share a table whose elements are all that an operation asks for (see `wse-own-tables`); one that goes on
    with them would need the table whole.

        %r = linalg.generic ins(%ids, %p) outs(%e) {
          %x = tensor.extract %table[%id, %j]
          %y = arith.addf %x, %in
          linalg.yield %y
    becomes
        %t = linalg.generic ins(%ids) outs(%f) {
          %x = tensor.extract %table[%id, %j]
          linalg.yield %x
        %r = linalg.generic ins(%ids, %p, %t) outs(%e) {
          %y = arith.addf %read, %in
          linalg.yield %y
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        count = 0
        for block in op.regions[0].blocks:
            for inner in list(block.operations):
                view = structured(inner)
                while view is not None and (extract := _separable(view)) is not None:
                    view = _separate(view, extract)
                    count += 1
        run.count("reads separated", count)


def _separable(view: Structured) -> Any | None:
    """A read of a large table that all loops move, in an operation that does more than that."""
    if not view.is_parallel() or any(size is None for size in view.loop_sizes()):
        return None
    for extract in extracts(view.op):
        is_all = len(view.inits) == 1 and view.yielded[0] == extract.results[0]
        reads_out = _arguments(view, _needed(extract)) & set(range(len(view.inputs), len(view.operands)))
        if not is_all and not reads_out and _chosen_among(extract) > _LARGE and _moved(view, extract):
            return extract
    return None


def _needed(extract: Any) -> list[Any]:
    """The operations of a body that a read needs, in order, itself the last."""
    needed, pending = {extract.operation}, [extract.operation]
    while pending:
        for value in pending.pop().operands:
            if isinstance(value.owner, ir.Block):
                continue
            owner = value.owner.operation
            if owner.block == extract.operation.block and owner not in needed:
                needed.add(owner)
                pending.append(owner)
    return [op for op in extract.operation.block.operations if op.operation in needed]


def _arguments(view: Structured, operations: Sequence[Any]) -> set[int]:
    """The operands whose elements some operations use."""
    used = {value for op in operations for value in op.operation.operands}
    return {k for k, argument in enumerate(view.body.arguments) if argument in used}


def _chosen_among(extract: Any) -> int:
    """Bytes of the elements that one row of a table has in all places that numbers may choose."""
    table, *indices = extract.operation.operands
    kind = ir.RankedTensorType(table.type)
    chosen = [
        size
        for size, index in zip(kind.shape, indices, strict=True)
        if scalar_constant(index) is None and _loop_of(index) is None
    ]
    return prod(chosen) * DTYPE_BYTES[dtype_of(table)] if chosen else 0


def _loop_of(index: ir.Value) -> int | None:
    owner = index.owner
    if isinstance(owner, ir.Block) or owner.name != "linalg.index":
        return None
    return ir.IntegerAttr(owner.attributes["dim"]).value


def _moved(view: Structured, extract: Any) -> bool:
    """Whether what is read differs from iteration to iteration of every loop that has several."""
    operations = _needed(extract)
    moved = {
        dim for op in operations for result in op.operation.results if (dim := _loop_of(result)) is not None
    }
    for position in _arguments(view, operations):
        moved |= map_dims(view.maps[position])
    return all(dim in moved or size == 1 for dim, size in enumerate(view.fixed_sizes()))


def _separate(view: Structured, extract: Any) -> Structured | None:
    """The operation that is left, which takes what another one has read."""
    operations = _needed(extract)
    used = sorted(_arguments(view, operations))
    sizes, rank = view.fixed_sizes(), len(view.iterators)
    identity = ir.AffineMap.get_identity(rank)

    def read(*arguments: ir.Value) -> Sequence[ir.Value]:
        known = dict(zip((view.body.arguments[k] for k in used), arguments[:-1], strict=True))
        return [clone_into(operations, known)[extract.results[0]]]

    def rest(*arguments: ir.Value) -> Sequence[ir.Value]:
        count = len(view.inputs)
        kept = [*arguments[:count], *arguments[count + 1 :]]
        mapping: dict[ir.Value, ir.Value] = dict(zip(view.body.arguments, kept, strict=True))
        mapping[extract.results[0]] = arguments[count]
        others = [op for op in view.body_operations() if op.operation != extract.operation]
        clone_into(others, mapping)
        return [mapping.get(value, value) for value in view.yielded]

    with ir.InsertionPoint(view.op), view.op.location:
        inputs, maps = [view.inputs[k] for k in used], [view.maps[k] for k in used]
        empty = tensor.EmptyOp(sizes, extract.results[0].type).result
        read_op = build_generic(inputs, [empty], [*maps, identity], view.iterators, read)
        everything, all_maps = [*view.inputs, read_op.results[0]], [*view.input_maps, identity]
        new = rebuild_generic(view, everything, maps=[*all_maps, *view.init_maps], body=rest)
    replace_op(view.op, new.results)
    return structured(new)
