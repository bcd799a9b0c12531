"""Rewrites what torch-mlir leaves behind into forms that every later pass handles.

* `tensor.concat` -> `tensor.insert_slice` into an empty tensor (it has no destination to be bufferized into).
* `cf.assert` about nothing but sizes of tensors (those of two batches are equal) -> removed, where the exporter has
  proven it for all sizes that a call may have. It proves nothing of sizes below two (`open_sizes.py`).
* `arith.truncf` of an f64 constant -> the rounded constant.
* Results of a `linalg.generic` that nobody reads (the position of a maximum) -> removed with what computes them.
* `ml_program` globals that nobody reads (a random seed) -> removed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..dialects.host import arith, ir, tensor
from ..dialects.structured import build_generic, clone_into, replace_op, structured
from ..passes.tensor.sizes import TensorSize, constant_index, size_of
from ..passes.tensor.traversal import collect, made_by
from .open_sizes import TOO_SMALL

_ORDERED = ("EQ", "GT", "GE", "LT", "LE")


def clean_up(module: ir.Module, *, sizes_agree: bool = False) -> None:
    """Applies the rewrites above to a module in place.

    Args:
        sizes_agree: the model was exported: what it asserts about sizes was proven then, or is checked at each call.
    """
    for op in _named(module, "tensor.concat"):
        _expand_concat(op)
    for op in _named(module, "cf.assert"):
        told = TOO_SMALL in ir.StringAttr(op.attributes["msg"]).value
        if sizes_agree and not told and _depends_on_sizes_only(op.operands[0]):
            op.erase()
    for op in _named(module, "arith.truncf"):
        _round_constant(op)
    for op in reversed(_named(module, "linalg.generic")):
        _drop_unread_results(op)
    _remove_unused_globals(module)


def order_comparisons(module: ir.Module) -> None:
    """Makes comparisons of Python numbers false for NaN, but inequality; torch-mlir makes them all true."""
    predicates = arith.CmpFPredicate
    ordered = {getattr(predicates, f"U{kind}").value: getattr(predicates, f"O{kind}") for kind in _ORDERED}
    for op in _named(module, "arith.cmpf"):
        predicate = ir.IntegerAttr(op.attributes["predicate"])
        of_numbers = op.parent is not None and op.parent.name == "func.func"
        if of_numbers and predicate.value in ordered:
            op.attributes["predicate"] = ir.IntegerAttr.get(predicate.type, ordered[predicate.value].value)


def _named(module: ir.Module, name: str) -> list[ir.Operation]:
    return collect(module.operation, lambda op: op.name == name, in_bodies=True)


def _replace(op: ir.Operation, build: Callable[[], ir.Value]) -> None:
    with op.location, ir.InsertionPoint(op):
        new = build()
    replace_op(op, [new])


def _expand_concat(op: ir.Operation) -> None:
    axis = ir.IntegerAttr(op.attributes["dim"]).value
    result = ir.RankedTensorType(op.results[0].type)
    unknown = ir.ShapedType.get_dynamic_stride_or_offset()
    dynamic_size = ir.ShapedType.get_dynamic_size()

    def build() -> ir.Value:
        offsets: list[TensorSize] = [0]
        for part in op.operands:
            offsets.append(_sum(offsets[-1], size_of(part, axis)))
        sizes = [offsets[-1] if d == axis else size_of(op.operands[0], d) for d in range(result.rank)]
        target: ir.Value = tensor.EmptyOp(sizes, result.element_type).result
        for part, offset in zip(op.operands, offsets[:-1], strict=True):
            extents = [size_of(part, d) for d in range(result.rank)]
            at: list[Any] = [offset if d == axis else 0 for d in range(result.rank)]
            target = tensor.insert_slice(
                part,
                target,
                [o for o in at if not isinstance(o, int)],
                [e for e in extents if not isinstance(e, int)],
                [],
                [o if isinstance(o, int) else unknown for o in at],
                [e if isinstance(e, int) else dynamic_size for e in extents],
                [1] * result.rank,
            )
        return target if target.type == result else tensor.cast(result, target)

    _replace(op, build)


def _sum(left: TensorSize, right: TensorSize) -> TensorSize:
    if isinstance(left, int) and isinstance(right, int):
        return left + right
    left, right = (constant_index(v) if isinstance(v, int) else v for v in (left, right))
    return arith.addi(left, right)


def _depends_on_sizes_only(value: ir.Value) -> bool:
    """Whether a value is computed of sizes of tensors and constants."""
    op = made_by(value)
    if op is None:
        return False
    if op.name == "tensor.dim":
        return True
    is_arithmetic = op.name.startswith("arith.") or op.name == "affine.apply"
    return is_arithmetic and all(_depends_on_sizes_only(operand) for operand in op.operands)


def _round_constant(op: ir.Operation) -> None:
    producer = made_by(op.operands[0])
    if producer is None or producer.name != "arith.constant":
        return
    value = producer.attributes["value"]
    target = op.results[0].type
    if (
        isinstance(value, ir.FloatAttr)
        and isinstance(value.type, ir.F64Type)
        and isinstance(target, ir.F32Type)
    ):
        _replace(op, lambda: arith.constant(target, value.value))


def _drop_unread_results(op: ir.Operation) -> None:
    view = structured(op)
    unread = [k for k, result in enumerate(op.results) if not list(result.uses)]
    if view is None or not unread or len(unread) == len(op.results):
        return
    kept = [k for k in range(len(view.inits)) if k not in unread]
    terminator = list(view.body.operations)[-1]
    needed, arguments = _backward_slice(view.body, [terminator.operands[k] for k in kept])
    if any(len(view.inputs) + k in arguments for k in unread):
        return
    body = [o for o in list(view.body.operations)[:-1] if o.operation in needed]
    scalars = list(view.body.arguments)

    def rebuild(*new: ir.Value) -> list[ir.Value]:
        positions = [*range(len(view.inputs)), *(len(view.inputs) + k for k in kept)]
        mapping: dict[ir.Value, ir.Value] = {}
        mapping.update((scalars[p], value) for p, value in zip(positions, new, strict=True))
        clone_into(body, mapping)
        yielded: list[ir.Value] = [terminator.operands[k] for k in kept]
        return [mapping.get(value, value) for value in yielded]

    maps = [*view.input_maps, *(view.init_maps[k] for k in kept)]
    with op.location, ir.InsertionPoint(op):
        new = build_generic(view.inputs, [view.inits[k] for k in kept], maps, view.iterators, rebuild)
    for k, result in zip(kept, new.results, strict=True):
        op.results[k].replace_all_uses_with(result)
    op.erase()


def _backward_slice(block: ir.Block, values: list[ir.Value]) -> tuple[list[ir.Operation], set[int]]:
    """Operations of a block that `values` are computed from, and the positions of its arguments they read."""
    operations: list[ir.Operation] = []
    arguments: set[int] = set()
    pending = list(values)
    while pending:
        value = pending.pop()
        producer = made_by(value)
        if value in block.arguments:
            arguments.add(ir.BlockArgument(value).arg_number)
        elif producer is not None and producer.block == block and producer not in operations:
            operations.append(producer)
            pending.extend(producer.operands)
    return operations, arguments


def _remove_unused_globals(module: ir.Module) -> None:
    uses = _named(module, "ml_program.global_load") + _named(module, "ml_program.global_store")
    used = {ir.FlatSymbolRefAttr(op.attributes["global"]).value for op in uses}
    for op in _named(module, "ml_program.global"):
        if ir.StringAttr(op.attributes["sym_name"]).value not in used:
            op.erase()
