"""`wse-lower-tm-tensor`: scatter, scan, sort and top-k become linalg, scf and tensor operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....dialects.host import arith, ir, tensor
from ....dialects.structured import inline_body
from ...infra.diagnostics import PassFailure
from ...infra.pass_base import Pass, PassRun
from ..sizes import constant_index, size_value
from ..traversal import collect
from .scan_loops import ScanParts, loop_nest, scan_loops
from .scans import running_values
from .sorting import lower_sort, lower_topk

Lowering = Callable[[ir.Operation], list[ir.Value]]


class LowerTmTensor(Pass, name="wse-lower-tm-tensor", anchor="func.func"):
    """Lowers torch-mlir's `tm_tensor` operations on tensors.

    * `scatter` that overwrites with slices becomes a loop of `tensor.insert_slice`; with a combining body, or
      element by element, a loop nest of `tensor.extract` and `tensor.insert`. A negative index
      counts from the end; one out of range is clamped, so that the slice lies inside of the destination.
    * `scan` that sums or multiplies becomes a `linalg.generic` that takes the steps of its reduction in their order
      (`scans.py`), of which the CPU makes loops (`wse-expand-scans`); any other becomes these loops here.
    * `sort` and `topk` count how many elements go before each one (its rank, by a reduction over all pairs) and
      move each element to its rank: stable, parallel, quadratic in the sorted dimension. NaN is greater than any
      other number, which makes it the last of an ascending line and the first of a descending one (see `sorting.py`).

    Before:

        %r = tm_tensor.scatter {dimension_map = array<i64: 0>} unique_indices(true)
               ins(%row, %index : tensor<1x1x4xf32>, tensor<1x1xi64>) outs(%cache : tensor<5x4xf32>) {...}

    After:

        %r = scf.for %i = %c0 to %c1 step %c1 iter_args(%t = %cache) -> (tensor<5x4xf32>) {
          %p = ...  // the index, clamped
          %s = tensor.insert_slice %slice into %t[%p, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<5x4xf32>
          scf.yield %s : tensor<5x4xf32>
        }
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for found in collect(op, _is_lowered):
            lowering = _LOWERINGS.get(found.name)
            if lowering is None:
                raise PassFailure(
                    found,
                    f"'{found.name}' has no lowering to linalg and scf",
                    hint="write the operator out with matmul, softmax and elementwise operators",
                )
            with found.location, ir.InsertionPoint(found):
                replacements = lowering(found)
            for old, new in zip(found.results, replacements, strict=True):
                old.replace_all_uses_with(new)
            run.count(f"{found.name} lowered")
            found.erase()


def _is_lowered(op: ir.Operation) -> bool:
    return op.name.startswith("tm_tensor.") and op.name != "tm_tensor.yield"


# ----------------------------------------------------------------------------------------------- scatter


def _lower_scatter(op: ir.Operation) -> list[ir.Value]:
    updates, indices, original = op.operands
    body = op.regions[0].blocks[0]
    overwrites = list(body.operations)[-1].operands[0] == body.arguments[0]
    update_type, target_type = ir.RankedTensorType(updates.type), ir.RankedTensorType(original.type)
    dimensions = [int(d) for d in ir.DenseI64ArrayAttr(op.attributes["dimension_map"])]
    # An update's dimensions after the first are the last ones of the destination.
    missing = target_type.rank - (update_type.rank - 1)
    extents = [constant_index(1)] * missing + [size_value(updates, d) for d in range(1, update_type.rank)]

    def target_position(update: ir.Value) -> list[ir.Value]:
        position = [constant_index(0)] * target_type.rank
        for column, dimension in enumerate(dimensions):
            element = tensor.extract(indices, [update, constant_index(column)])
            wanted = _from_the_end(
                arith.index_cast(ir.IndexType.get(), element), size_value(original, dimension)
            )
            limit = arith.subi(size_value(original, dimension), extents[dimension])
            position[dimension] = arith.minsi(arith.maxsi(wanted, constant_index(0)), limit)
        return position

    def insert_slice(ivs: Sequence[ir.Value], carried: Sequence[ir.Value]) -> list[ir.Value]:
        position = target_position(ivs[0])
        return [_copy_slice(updates, ivs[0], carried[0], position, missing)]

    def combine_elements(ivs: Sequence[ir.Value], carried: Sequence[ir.Value]) -> list[ir.Value]:
        position = target_position(ivs[0])
        for offset, iv in enumerate(ivs[1:], start=missing):
            position[offset] = arith.addi(position[offset], iv)
        update, old = tensor.extract(updates, list(ivs)), tensor.extract(carried[0], position)
        return [tensor.insert(inline_body(body, [update, old])[0], carried[0], position)]

    is_slice = update_type.rank > 1 and any(size != 1 for size in update_type.shape[1:])
    count = _none_into_nothing(size_value(updates, 0), original, dimensions)
    if overwrites and is_slice:
        return loop_nest([count], [original], insert_slice)
    within = [size_value(updates, d) for d in range(1, update_type.rank)]
    return loop_nest([count, *within], [original], combine_elements)


def _none_into_nothing(count: ir.Value, target: ir.Value, dimensions: Sequence[int]) -> ir.Value:
    """How many updates there are; none where an indexed dimension of open size turns out to have no elements."""
    for dimension in dimensions:
        if ir.RankedTensorType(target.type).is_dynamic_dim(dimension):
            is_empty = arith.cmpi(arith.CmpIPredicate.eq, size_value(target, dimension), constant_index(0))
            count = arith.select(is_empty, constant_index(0), count)
    return count


def _from_the_end(index: ir.Value, size: ir.Value) -> ir.Value:
    """A negative index counts from the end, as in PyTorch."""
    is_negative = arith.cmpi(arith.CmpIPredicate.slt, index, constant_index(0))
    return arith.select(is_negative, arith.addi(index, size), index)


def _copy_slice(
    updates: ir.Value, row: ir.Value, target: ir.Value, position: Sequence[ir.Value], missing: int
) -> ir.Value:
    """Inserts `updates[row, ...]` into `target` at `position`; its first `missing` dimensions have extent 1."""
    shape = list(ir.RankedTensorType(updates.type).shape)[1:]
    dynamic = ir.ShapedType.get_dynamic_size()
    sizes = [size_value(updates, d) for d, size in enumerate(shape, start=1) if size == dynamic]
    slice_type = ir.RankedTensorType.get(shape, ir.RankedTensorType(updates.type).element_type)
    zeros, ones = [0] * len(shape), [1] * len(shape)
    offset = ir.ShapedType.get_dynamic_stride_or_offset()
    piece = tensor.extract_slice(
        slice_type, updates, [row], sizes, [], [offset, *zeros], [1, *shape], [1, *ones]
    )
    rank = missing + len(shape)
    return tensor.insert_slice(
        piece, target, list(position), sizes, [], [offset] * rank, [1] * missing + shape, [1] * rank
    )


# -------------------------------------------------------------------------------------------------- scan


def _lower_scan(op: ir.Operation) -> list[ir.Value]:
    return running_values(op) or scan_loops(ScanParts.of_tm_tensor(op))


_LOWERINGS: dict[str, Lowering] = {
    "tm_tensor.scatter": _lower_scatter,
    "tm_tensor.scan": _lower_scan,
    "tm_tensor.sort": lower_sort,
    "tm_tensor.topk": lower_topk,
}
