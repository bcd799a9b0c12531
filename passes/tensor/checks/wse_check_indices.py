"""`wse-check-indices`: indices that may be out of range are asserted, and made to fit."""

from __future__ import annotations

from typing import Any

from ....dialects.host import arith, ir
from ....dialects.provenance import read_location
from ....dialects.structured import Structured, replace_op, structured
from ...infra.pass_base import Pass, PassRun
from ..sizes import TensorSize, constant_index, size_of
from ..traversal import collect, made_by
from .index_checks import assert_in_range
from .ranges import Range, Ranges, is_integer
from .recomputed import recomputed, slice_of

# They take no negative indices. A `tm_tensor.scatter` does not say which operator it is of; its location does. Where
# that is not known, negative indices count from the end.
_FROM_FRONT_ALONE = frozenset(
    f"aten.{name}"
    for name in ("scatter", "scatter_add", "scatter_reduce", "index_add", "index_copy", "index_reduce")
)
_FROM_FLOATS = frozenset({"arith.fptosi", "arith.fptoui"})


class CheckIndices(Pass, name="wse-check-indices", anchor="func.func"):
    """Asserts that what is gathered and scattered is there, and keeps memory safe where it is not.

    * A position of a `tensor.extract` in the body of a `linalg.generic` that depends on data and is not proven to be in
      range is clamped, and asserted in front of the operation by one reduction over the indices (`wse-collect-checks`
      makes of assertions what a caller can read). Positions computed of floats are the operator's own: clamped only.
    * The indices of a `tm_tensor.scatter` are asserted; `wse-lower-tm-tensor` clamps them.
    * Assertions inside of bodies, which torch-mlir leaves for some operators, go: bodies stay free of side effects.

    Proven are constants, loop indices, results of argmax, sort and topk, remainders, clamped values, and what integer
    arithmetic makes of these. Before, for `x[i]`:

        %r = linalg.generic ins(%i : tensor<3xi64>) outs(%e : tensor<3xf32>) {
          %p = arith.index_cast %in : i64 to index
          %x = tensor.extract %t[%p] : tensor<10xf32>

    After:

        %g = linalg.generic ins(%i : tensor<3xi64>) outs(%zero : tensor<i64>) { arith.maxui }
        %ok = arith.cmpi ult, %greatest, %c10_i64 : i64
        cf.assert %ok, "index out of range" {wse.index_check = "front", wse.dimension = 0}
        %r = linalg.generic ins(%i : tensor<3xi64>) outs(%e : tensor<3xf32>) {
          %p = ...  // clamped to 0 .. 9
          %x = tensor.extract %t[%p] : tensor<10xf32>
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for check in collect(op, lambda o: o.name == "cf.assert", in_bodies=True):
            if structured(check.parent) is not None:
                check.erase()
        ranges = Ranges()
        for generic in collect(op, lambda o: o.name == "linalg.generic"):
            view = structured(generic)
            assert view is not None
            for inner in view.body_operations():
                if inner.operation.name == "tensor.extract":
                    _check_extract(view, inner.operation, ranges, run)
        for scatter in collect(op, lambda o: o.name == "tm_tensor.scatter"):
            _check_scatter(scatter, ranges, run)


# -- gathers ----------------------------------------------------------------------------------------------------


def _check_extract(view: Structured, extract: ir.Operation, ranges: Ranges, run: PassRun) -> None:
    source, *indices = extract.operands
    shaped = ir.RankedTensorType(source.type)
    for dimension, index in enumerate(indices):
        static = None if shaped.is_dynamic_dim(dimension) else shaped.get_dim_size(dimension)
        if static is not None and ranges.of(index) <= Range(0, static - 1):
            continue
        body = slice_of(view, index)
        if not _depends_on_data(view, body, index):
            continue
        if any(o.name in _FROM_FLOATS for o in body):
            run.count("indices clamped only")
        else:
            with ir.InsertionPoint(view.op), view.op.location:
                size = size_of(source, dimension)
                _assert_index(view, index, size, dimension)
            run.count("indices checked")
        with extract.location, ir.InsertionPoint(extract):
            extract.operands[dimension + 1] = _clamped(index, size_of(source, dimension))
    if 0 in shaped.shape:  # nothing to read, wherever the index is
        with extract.location, ir.InsertionPoint(extract):
            zero = arith.constant(shaped.element_type, 0 if is_integer(shaped) else 0.0)
        replace_op(extract, [zero])


def _clamped(index: ir.Value, size: TensorSize) -> ir.Value:
    """The nearest index that is there; 0 where an open size turns out to be 0."""
    if isinstance(size, int):
        return arith.minsi(arith.maxsi(index, constant_index(0)), constant_index(size - 1))
    return arith.maxsi(arith.minsi(index, arith.subi(size, constant_index(1))), constant_index(0))


def _depends_on_data(view: Structured, body: list[ir.Operation], index: ir.Value) -> bool:
    """Whether an index comes from tensors of integers that are given, and not from loops and what is known of sizes."""
    read = {v for op in body for v in op.operands} | {index}
    scalars = list(view.body.arguments)
    sources = [v for k, v in enumerate(view.operands) if scalars[k] in read]
    sources += [op.operands[0] for op in body if op.name == "tensor.extract"]
    sources += [v for v in read if v not in scalars and not any(v in op.results for op in body)]
    return any(_is_data(v) for v in sources)


def _is_data(value: ir.Value) -> bool:
    pending, seen = [value], {value}
    while pending:
        value = pending.pop()
        if isinstance(value.owner, ir.Block):
            owner = value.owner.owner
            if owner.operation.name == "scf.for" and ir.BlockArgument(value).arg_number == 0:
                continue
            return True
        op = value.owner.operation
        if op.name in ("tensor.dim", "tensor.empty"):
            continue
        if op.name == "arith.constant":
            if isinstance(value.type, ir.RankedTensorType) and is_integer(value.type):
                return True
            continue
        inside = (o for r in op.regions for b in r.blocks for o in b.operations)
        reached = [*op.operands, *(v for o in inside for v in o.operation.operands if _is_outside(v, op))]
        pending += [v for v in reached if v not in seen]
        seen.update(reached)
    return False


def _is_outside(value: ir.Value, op: ir.Operation) -> bool:
    owner = value.owner.owner if isinstance(value.owner, ir.Block) else value.owner.operation.parent
    return owner is not None and owner.operation != op


def _assert_index(view: Structured, index: ir.Value, size: TensorSize, dimension: int) -> None:
    wanted = _before_wrap(index, size, dimension)
    alone = recomputed(view, index if wanted is None else wanted)
    assert_in_range(
        alone.operands, alone.maps, size, alone.value, dimension=dimension, counts_from_end=wanted is not None
    )


def _before_wrap(index: ir.Value, size: TensorSize, dimension: int) -> ir.Value | None:
    """The index as it was given, where a negative one counts from the end: `select(i < 0, i + size, i)`."""
    while (cast := made_by(index)) is not None and cast.name in ("arith.index_cast", "arith.extsi"):
        index = cast.operands[0]
    op = made_by(index)
    if op is None or op.name != "arith.select":
        return None
    condition, wrapped, plain = op.operands
    added = made_by(wrapped)
    compared = made_by(condition)
    if added is None or added.name != "arith.addi" or compared is None or compared.name != "arith.cmpi":
        return None
    is_below = ir.IntegerAttr(compared.attributes["predicate"]).value == arith.CmpIPredicate.slt.value
    if not is_below or compared.operands[0] != plain or Ranges().of(compared.operands[1]) != Range(0, 0):
        return None
    terms = list(added.operands)
    if plain not in terms:
        return None
    terms.remove(plain)
    return plain if _is_size(terms[0], size, dimension) else None


def _is_size(value: ir.Value, size: TensorSize, dimension: int) -> bool:
    if isinstance(size, int):
        return Ranges().of(value) == Range(size, size)
    while (cast := made_by(value)) is not None and cast.name in (
        "arith.index_cast",
        "arith.extsi",
        "arith.trunci",
    ):
        value = cast.operands[0]
    told, op = made_by(size), made_by(value)
    if told is None or op is None or op.name != "tensor.dim":
        return False
    same = op.operands[0] == told.operands[0]
    return same and Ranges().of(op.operands[1]) == Range(dimension, dimension)


# -- scatters ---------------------------------------------------------------------------------------------------


def _check_scatter(op: ir.Operation, ranges: Ranges, run: PassRun) -> None:
    _updates, indices, target = op.operands
    from_end = read_location(op.location).operator.removesuffix("_") not in _FROM_FRONT_ALONE
    for column, dimension in enumerate(ir.DenseI64ArrayAttr(op.attributes["dimension_map"])):
        values, place = _column(indices, column)
        shaped = ir.RankedTensorType(target.type)
        static = None if shaped.is_dynamic_dim(dimension) else shaped.get_dim_size(dimension)
        if static is not None and ranges.of(values) <= Range(-static * from_end, static - 1):
            continue
        if not _is_data(values):
            continue
        amap = ir.AffineMap.get(1, 0, [ir.AffineDimExpr.get(0), ir.AffineConstantExpr.get(place)])
        with ir.InsertionPoint(op), op.location:
            assert_in_range(
                [values], [amap], size_of(target, dimension), lambda index: index,
                dimension=dimension, counts_from_end=from_end,
            )  # fmt: skip
        run.count("indices checked")
    if 0 in ir.RankedTensorType(target.type).shape:  # nothing to write, wherever the index is
        replace_op(op, [target])


def _column(indices: ir.Value, column: int) -> tuple[ir.Value, int]:
    """A tensor that holds a column of indices, and which of its columns that is."""
    op: Any = made_by(indices)
    while op is not None and op.name == "tensor.insert_slice":
        offsets = list(ir.DenseI64ArrayAttr(op.attributes["static_offsets"]))
        sizes = list(ir.DenseI64ArrayAttr(op.attributes["static_sizes"]))
        if len(offsets) != 2 or offsets[0] != 0 or min(offsets[1], sizes[1]) < 0:
            break
        source, target = op.operands[0], op.operands[1]
        rows = ir.RankedTensorType(source.type).shape[0] == ir.RankedTensorType(target.type).shape[0]
        if offsets[1] <= column < offsets[1] + sizes[1]:
            if not rows:
                break
            indices, column = source, column - offsets[1]
        else:
            indices = target
        op = made_by(indices)
    return indices, column


# -- building ---------------------------------------------------------------------------------------------------
