"""`wse-drop-unit-dims`: operations lose iterators of one iteration and operands dimensions of size one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....dialects.affine.expressions import constant_value, dim_position
from ....dialects.affine.maps import compose_map, loops_inferable
from ....dialects.host import arith, ir, linalg, tensor
from ....dialects.structured import (
    PARALLEL,
    Structured,
    clone_into,
    element_type,
    names_loops,
    rebuild_generic,
    structured,
)
from ...infra.pass_base import Pass, PassRun, option
from ..contraction.form import is_multiply_add
from ..traversal import tensor_blocks
from ..uniform import empty_like, uniform_scalar
from ..unit_reshape import unit_groups
from .reshapes.read_chain import shape_of
from .reshapes.reads import fresh_init
from .reshapes.views import expand, open_part


class DropUnitDims(Pass, name="wse-drop-unit-dims", anchor="func.func"):
    """Rewrites generics without what has size one: batches of one image, sums kept as columns, kernels of 1 x 1.

    Operations that differ in such dimensions only are then alike, and no reshapes stand between them.

        %r = linalg.generic {maps = [(b, i, j) -> (b, i, j), (b, i, j) -> (b, i, 0)],
                             iterators = [parallel, parallel, reduction]}
               ins(%x : tensor<1x5x7xf32>) outs(%z : tensor<1x5x1xf32>)
    becomes
        %y = tensor.collapse_shape %x [[0, 1], [2]] : tensor<1x5x7xf32> into tensor<5x7xf32>
        %s = linalg.generic {maps = [(i, j) -> (i, j), (i, j) -> (i)], iterators = [parallel, reduction]}
               ins(%y : tensor<5x7xf32>) outs(%w : tensor<5xf32>)
        %r = tensor.expand_shape %s [[0, 1, 2]] output_shape [1, 5, 1] : tensor<5xf32> into tensor<1x5x1xf32>

    A window that only starts at one place reads the slice that it covers. A sum of a single term adds its start, where
    that is a known scalar, to the term: a column times a row needs no filled result. Function arguments and results
    keep their types, and so do operations that name their loops (`wse.iterators`).
    """

    keep_products: bool = option(
        False,
        "leave products of arguments and those that are returned as they are: a wafer's host brings those as such",
    )

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for block in tensor_blocks(op):
            for inner in list(block.operations):
                view = structured(inner)
                if view is None or not len(view.op.results) or names_loops(inner):
                    continue
                if not (self.keep_products and _is_product_at_border(view)):
                    _drop(view, run)


def _is_product_at_border(view: Structured) -> bool:
    """Whether a product reads an argument that nothing else does, or nothing but the caller reads its result."""
    if not is_multiply_add(view) or not all(m.is_projected_permutation for m in view.maps):
        return False
    given = any(isinstance(v.owner, ir.Block) and len(list(v.uses)) == 1 for v in view.inputs)
    returned = all(use.owner.operation.name == "func.return" for use in view.op.results[0].uses)
    return given or returned


@dataclass(frozen=True)
class _Operand:
    """How an operand is seen afterwards: the dimensions that stay, the sizes of those that are cut, the new map."""

    kept: tuple[int, ...]
    cut: dict[int, int]
    access: ir.AffineMap


def _drop(view: Structured, run: PassRun) -> None:
    sizes = view.loop_sizes()
    kept = [i for i, size in enumerate(sizes) if size != 1]
    renamed = ir.AffineMap.get(
        len(kept),
        0,
        [
            ir.AffineExpr.get_dim(kept.index(i)) if i in kept else ir.AffineExpr.get_constant(0)
            for i in range(len(sizes))
        ],
    )
    operands = [
        _seen(value, access, renamed, [sizes[i] for i in kept])
        for value, access in zip(view.operands, view.maps, strict=True)
    ]
    shrinks = any(len(o.kept) < len(m.results) for o, m in zip(operands, view.maps, strict=True))
    if not shrinks and len(kept) == len(sizes):
        return
    maps = [o.access for o in operands]
    if not loops_inferable(maps, len(kept)) or any(o.cut for o in operands[len(view.inputs) :]):
        return
    _rebuild(view, operands, kept)
    run.count("operations rewritten")


def _seen(
    value: ir.Value, access: ir.AffineMap, renamed: ir.AffineMap, sizes: Sequence[int | None]
) -> _Operand:
    composed = list(compose_map(access, renamed).results)
    if not isinstance(value.type, ir.RankedTensorType):
        return _Operand(tuple(range(len(composed))), {}, ir.AffineMap.get(renamed.n_dims, 0, composed))
    shape = shape_of(value)
    kept = [d for d, size in enumerate(shape) if size != 1 or constant_value(composed[d]) != 0]
    cut: dict[int, int] = {}
    for d in kept:
        position = dim_position(composed[d])
        size = None if position is None else sizes[position]
        if size is not None and shape[d] is not None and shape[d] != size:
            cut[d] = size
    return _Operand(tuple(kept), cut, ir.AffineMap.get(renamed.n_dims, 0, [composed[d] for d in kept]))


def _rebuild(view: Structured, operands: Sequence[_Operand], kept: Sequence[int]) -> None:
    count = len(view.inputs)
    starts = _starts(view, kept)

    def body(*scalars: ir.Value) -> list[ir.Value]:
        return _body(view, [starts.get(k - count, s) for k, s in enumerate(scalars)], kept)

    with ir.InsertionPoint(view.op), view.op.location:
        inputs = [_narrow(v, o) for v, o in zip(view.inputs, operands, strict=False)]
        inits = [
            _narrow_init(empty_like(v) if k in starts else v, o, k not in starts and view.reads(count + k))
            for k, (v, o) in enumerate(zip(view.inits, operands[count:], strict=True))
        ]
        op = rebuild_generic(
            view, inputs, inits, [o.access for o in operands], [view.iterators[i] for i in kept], body
        )
        for old, new, operand in zip(view.op.results, op.results, operands[count:], strict=True):
            groups = unit_groups(operand.kept, ir.ShapedType(old.type).rank)
            old.replace_all_uses_with(_widen(new, groups, old))
    view.op.operation.erase()


def _starts(view: Structured, kept: Sequence[int]) -> dict[int, ir.Value]:
    """The scalars that sums of a single term start from, by the number of the result."""
    if view.is_parallel() or any(view.iterators[i] != PARALLEL for i in kept):
        return {}
    found = {k: uniform_scalar(init) for k, init in enumerate(view.inits)}
    return {k: scalar for k, scalar in found.items() if scalar is not None}


def _narrow(value: ir.Value, operand: _Operand) -> ir.Value:
    """The operand without its dimensions of size one, windows cut to what is read."""
    if not isinstance(value.type, ir.RankedTensorType):
        return value
    shape = shape_of(value)
    if len(operand.kept) < len(shape):
        open_size = ir.ShapedType.get_dynamic_size()
        sizes = [open_size if (s := shape[d]) is None else s for d in operand.kept]
        kind = ir.RankedTensorType.get(sizes, element_type(value.type))
        groups = unit_groups(operand.kept, len(shape))
        value = tensor.CollapseShapeOp(kind, value, groups).result
    return _cut(value, {operand.kept.index(d): size for d, size in operand.cut.items()})


def _cut(value: ir.Value, wanted: dict[int, int]) -> ir.Value:
    if not wanted:
        return value
    shape = shape_of(value)
    open_size = ir.ShapedType.get_dynamic_size()
    dynamic = [open_part(value, d, 1) for d, s in enumerate(shape) if s is None and d not in wanted]
    sizes = [wanted.get(d, open_size if s is None else s) for d, s in enumerate(shape)]
    kind = ir.RankedTensorType.get(sizes, element_type(value.type))
    rank = len(shape)
    return tensor.ExtractSliceOp(kind, value, [], dynamic, [], [0] * rank, sizes, [1] * rank).result


def _narrow_init(init: ir.Value, operand: _Operand, read: bool) -> ir.Value:
    shape = shape_of(init)
    if len(operand.kept) == len(shape):
        return init
    if read and uniform_scalar(init) is None:
        return _narrow(init, operand)
    sizes = [open_part(init, d, 1) if (s := shape[d]) is None else s for d in operand.kept]
    return fresh_init(init, sizes, read)


def _widen(value: ir.Value, groups: list[list[int]], old: ir.Value) -> ir.Value:
    if value.type == old.type:
        return value
    shape = shape_of(old)
    sizes: list[int | ir.Value] = []
    for number, group in enumerate(groups):
        sizes += [open_part(value, number, 1) if (s := shape[d]) is None else s for d in group]
    if not groups:  # from a single element
        return tensor.ExpandShapeOp(old.type, value, [], [], [1] * len(shape)).result
    return expand(value, groups, sizes)


def _body(view: Structured, scalars: Sequence[ir.Value], kept: Sequence[int]) -> list[ir.Value]:
    mapping: dict[ir.Value, Any] = dict(zip(view.body.arguments, scalars, strict=True))
    for op in view.body_operations():
        if op.operation.name == "linalg.index":
            i = ir.IntegerAttr(op.attributes["dim"]).value
            index = (
                linalg.IndexOp(kept.index(i)).result if i in kept else arith.constant(ir.IndexType.get(), 0)
            )
            mapping[op.result] = index
        else:
            clone_into([op], mapping)
    return [mapping.get(v, v) for v in view.yielded]
