"""`wse-inline-masks`: conditions are evaluated where they are asked for, not kept as bits in memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ....dialects.affine.expressions import dim_position
from ....dialects.affine.maps import loops_inferable
from ....dialects.host import arith, ir, linalg
from ....dialects.structured import (
    Structured,
    clone_into,
    element_type,
    rebuild_generic,
    replace_op,
    structured,
)
from ...infra.pass_base import Pass, PassRun, option
from ...tensor.effects import is_dead
from ...tensor.fuse.cluster import Cluster, Member, producer_loops
from ...tensor.fuse.fusion_cost import is_cheap, is_movable
from ...tensor.traversal import tensor_blocks
from .lanes import compare_in_32_bits


class InlineMasks(Pass, name="wse-inline-masks", anchor="func.func"):
    """Moves the computation of masks into the operations that read them.

    A tensor of single bits is read bit by bit, while comparing numbers takes one instruction a vector: a causal mask is
    `column <= row`. Constants that count (0, 1, 2, ...) become indices, which cost nothing.

        %m = linalg.generic {maps = [(i, j) -> (j), (i, j) -> (i), ...]} ins(%iota, %positions) { cmpi sle }
        %r = linalg.generic {maps = [(i, j) -> (i, j), ...]} ins(%m, %x) { select }
    becomes
        %r = linalg.generic {maps = [(i, j) -> (i), ...]} ins(%positions, %x) { index, cmpi, select }

    Distances between places and masks of numbers, 0 or -infinity, are evaluated where they are read, too, if what they
    are made of is smaller than they are. Places are compared in 32 bits where they fit. Masks that are expensive, or
    whose elements are results of sums, stay.
    """

    most_ops: int = option(
        8, "most scalar operations that are evaluated again for each reader of a mask", least=0
    )

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for block in tensor_blocks(op):
            for view in _generics(block):
                self._inline(view, run)
            for inner in reversed(list(block.operations)):
                if is_dead(inner.operation):
                    inner.operation.erase()
            for view in _generics(block):
                compare_in_32_bits(view)

    def _inline(self, view: Structured, run: PassRun) -> None:
        """Inlines the masks that an operation reads, and what counts in it."""
        cluster = Cluster(view, 1)
        for read in list(cluster.leaves):
            value, access = read
            producer = self._mask(value)
            loops = None if producer is None else producer_loops(producer, 0, access)
            if producer is None or loops is None:
                continue
            member = Member(producer, loops, 0)
            leaves = cluster.without([read], [member])
            if leaves is not None:
                cluster.absorb([member], leaves)
        if len(cluster.members) > 1:
            run.count("masks inlined", len(cluster.members) - 1)
            fused = cluster.emit(list(view.inits))
            replace_op(view.op, fused.results)
            view = structured(fused) or view
        _index_counts(view, run)

    def _mask(self, value: ir.Value) -> Structured | None:
        """The operation that computes a mask, if it may be evaluated elsewhere."""
        if not isinstance(value.type, ir.RankedTensorType) or isinstance(value.owner, ir.Block):
            return None
        view = structured(value.owner)
        if view is None or len(view.inits) != 1 or not view.is_elementwise() or view.reads(len(view.inputs)):
            return None
        body = view.body_operations()
        if not body or not is_movable(body) or not is_cheap(body, self.most_ops):
            return None
        return view if _is_bits(value) or _is_mask_of_numbers(view) else None


def _generics(block: ir.Block) -> Iterator[Structured]:
    """The operations on tensors of a block, each as it is when its turn comes; it may be replaced meanwhile."""
    for op in list(block.operations):
        view = structured(op)
        if view is not None and len(view.op.results):
            yield view


def _is_bits(value: ir.Value) -> bool:
    return str(element_type(value.type)) == "i1"


def _is_mask_of_numbers(view: Structured) -> bool:
    """Whether an operation makes integers, or floats by comparing integers, of less than it makes."""
    rank = len(view.iterators)
    if not all(len(used) < rank for used in map(_plain, view.input_maps)):
        return False
    compares = any(op.operation.name == "arith.cmpi" for op in view.body_operations())
    return compares or isinstance(element_type(view.inits[0].type), ir.IntegerType)


def _plain(access: ir.AffineMap) -> set[int | None]:
    return {dim_position(e) for e in access.results} - {None}


def _index_counts(view: Structured, run: PassRun) -> None:
    """Replaces inputs that are constants 0, 1, 2, ... along one iterator by that iterator's index."""
    counts: dict[int, tuple[int, int]] = {}
    for k, (value, access) in enumerate(zip(view.inputs, view.input_maps, strict=True)):
        found = _count(value)
        position = dim_position(access.results[found[0]]) if found is not None else None
        if found is not None and position is not None:
            counts[k] = (position, found[1])
    kept = [k for k in range(len(view.operands)) if k not in counts]
    if not counts or not loops_inferable([view.maps[k] for k in kept], len(view.iterators)):
        return
    inputs = [view.inputs[k] for k in kept if k < len(view.inputs)]

    def body(*scalars: ir.Value) -> list[ir.Value]:
        arguments = list(view.body.arguments)
        mapping: dict[ir.Value, Any] = {arguments[k]: s for k, s in zip(kept, scalars, strict=True)}
        for k, (iterator, start) in counts.items():
            kind = element_type(view.inputs[k].type)
            index = arith.index_cast(kind, linalg.IndexOp(iterator).result)
            if start:
                index = arith.addi(index, arith.constant(kind, start))
            mapping[arguments[k]] = index
        clone_into(view.body_operations(), mapping)
        return [mapping.get(v, v) for v in view.yielded]

    with ir.InsertionPoint(view.op), view.op.location:
        op = rebuild_generic(view, inputs, maps=[view.maps[k] for k in kept], body=body)
    replace_op(view.op, op.results)
    run.count("counting constants", len(counts))


def _count(value: ir.Value) -> tuple[int, int] | None:
    """(dimension, first number) of a constant of integers that grow by one along one dimension, others being one."""
    owner: Any = value.owner
    if isinstance(owner, ir.Block) or not isinstance(owner, arith.ConstantOp):
        return None
    if not isinstance(value.type, ir.RankedTensorType):
        return None
    dense = owner.attributes["value"]
    long = [d for d, size in enumerate(value.type.shape) if size != 1]
    width = isinstance(value.type.element_type, ir.IntegerType) and value.type.element_type.width
    if len(long) != 1 or width not in (32, 64) or not isinstance(dense, ir.DenseIntElementsAttr):
        return None
    elements: Any = ir.DenseIntElementsAttr(dense)
    numbers: list[int] = list(elements)
    grows = all(b - a == 1 for a, b in pairwise(numbers))
    return (long[0], numbers[0]) if len(numbers) > 1 and grows else None
