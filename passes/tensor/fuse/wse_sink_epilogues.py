"""`wse-sink-epilogues`: what all readers of a product do to it first is done once, where it is produced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....dialects.affine.expressions import dim_position, used_dims
from ....dialects.affine.maps import compose_map, identity_maps, loops_inferable
from ....dialects.host import ir, tensor
from ....dialects.structured import (
    Structured,
    build_generic,
    clone_into,
    element_type,
    rebuild_generic,
    replace_op,
    structured,
)
from ...infra.pass_base import Pass, PassRun
from ..contraction.form import contraction_form
from ..sizes import sizes_of
from ..traversal import tensor_blocks
from .fusion_cost import is_cheap


class SinkEpilogues(Pass, name="wse-sink-epilogues", anchor="func.func"):
    """Moves the elementwise operation that all readers of a product begin with into one behind the product.

    Fusion evaluates cheap operations in each of their readers. A product's results pass through registers anyway, and
    there they cost nothing: the mask of attention is evaluated once, not for the maximum and for the exponential.

        %s = linalg.generic {product} ...
        %m = linalg.generic {maximum of each row} ins(%s) { select(index 1 <= index 0, s, -inf), maximumf }
        %e = linalg.generic ins(%s, %m) { select(index 1 <= index 0, s, -inf), subf, exp }
    becomes
        %s = linalg.generic {product} ...
        %t = linalg.generic ins(%s) { select(index 1 <= index 0, s, -inf) }
        %m = linalg.generic {maximum of each row} ins(%t) { maximumf }
        %e = linalg.generic ins(%t, %m) { subf, exp }
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for block in tensor_blocks(op):
            views = [view for view in map(structured, block.operations) if view is not None]
            for value in [view.op.results[0] for view in views if _is_product(view)]:
                made: ir.Value | None = value
                while made is not None:
                    value = _last(made)
                    made = _finish(value)
                    run.count("operations moved behind products", made is not None)


def _is_product(view: Structured) -> bool:
    return len(view.op.results) == 1 and contraction_form(view) is not None


def _last(value: ir.Value) -> ir.Value:
    """The end of the chain of elementwise operations that follow a product one by one."""
    uses = list(value.uses)
    view = structured(uses[0].owner) if len(uses) == 1 else None
    if view is None or not view.is_elementwise() or len(view.op.results) != 1:
        return value
    read = [m for v, m in zip(view.inputs, view.input_maps, strict=True) if v == value]
    return _last(view.op.results[0]) if len(read) == 1 and read[0].is_permutation else value


@dataclass(frozen=True)
class _Reader:
    """A generic that reads the value, by the operand at `number`, in one first step.

    Attributes:
        iterators: which of its iterators runs along each dimension of the value.
        step: the scalar operation.
    """

    view: Structured
    number: int
    iterators: tuple[int, ...]
    step: Any

    def key(self, value: ir.Value) -> Any:
        """What a scalar of the body is, in terms of the value's dimensions; None if it depends on anything else."""
        if value == self.view.body.arguments[self.number]:
            return "self"
        if isinstance(value.owner, ir.Block):
            if value.owner != self.view.body:
                return "outside", value
            read = _position(self.view, value)
            access = self.access(read) if read < len(self.view.inputs) else None
            return None if access is None else ("read", self.view.inputs[read], str(access))
        op: Any = value.owner
        if op.operation.name == "arith.constant":
            return "constant", str(op.attributes["value"])
        if op.operation.block != self.view.body:
            return "outside", value
        if op.name == "linalg.index":
            iterator = ir.IntegerAttr(op.attributes["dim"]).value
            return ("index", self.iterators.index(iterator)) if iterator in self.iterators else None
        if len(op.regions) or len(op.results) != 1:
            return None
        keys = tuple(self.key(v) for v in op.operands)
        attributes = tuple(f"{name}={op.attributes[name]}" for name in sorted(op.attributes))
        return None if None in keys else (op.name, attributes, str(value.type), *keys)

    def access(self, operand: int) -> ir.AffineMap | None:
        """The map of an operand from the value's dimensions, if it depends on nothing else."""
        amap = self.view.maps[operand]
        if any(not used_dims(expr) <= set(self.iterators) for expr in amap.results):
            return None
        rank = len(self.iterators)
        dims = [
            ir.AffineExpr.get_dim(self.iterators.index(i))
            if i in self.iterators
            else ir.AffineExpr.get_constant(0)
            for i in range(len(self.view.iterators))
        ]
        return compose_map(amap, ir.AffineMap.get(rank, 0, dims))


def _finish(value: ir.Value) -> ir.Value | None:
    """Moves the first step of all readers behind what makes a value; the result that they read then."""
    users = [use.owner for use in value.uses]
    readers = [_reader(user, value) for user in users]
    if len(readers) < 2 or None in readers or not isinstance(value.type, ir.RankedTensorType):
        return None
    known = [r for r in readers if r is not None]
    keys = [r.key(r.step.result) for r in known]
    if keys[0] is None or any(k != keys[0] for k in keys):
        return None
    first = _first([r.view.op.operation for r in known])
    made = _emit(value, next(r for r in known if r.view.op.operation == first))
    for reader in known:
        _use(reader, made)
    return made


def _reader(user: Any, value: ir.Value) -> _Reader | None:
    """A reader whose body begins with one cheap operation on the value, of the same type."""
    view = structured(user)
    if view is None or list(view.operands).count(value) != 1 or contraction_form(view) is not None:
        return None
    number = list(view.operands).index(value)
    iterators = [dim_position(e) for e in view.maps[number].results]
    if number >= len(view.inputs) or None in iterators or len(set(iterators)) < len(iterators):
        return None
    uses: list[Any] = [use.owner.operation for use in view.body.arguments[number].uses]
    if len(uses) != 1 or len(uses[0].results) != 1:
        return None
    step = uses[0]
    cheap = is_cheap([step], 1) and step.results[0].type == element_type(value.type)
    return _Reader(view, number, tuple(i for i in iterators if i is not None), step) if cheap else None


def _position(view: Structured, scalar: ir.Value) -> int:
    """The operand that a scalar of the body is an element of; -1 if it is none."""
    for number, argument in enumerate(view.body.arguments):
        if argument == scalar:
            return number
    return -1


def _first(operations: list[ir.Operation]) -> ir.Operation:
    first = operations[0]
    for op in operations[1:]:
        if op.is_before_in_block(first):
            first = op
    return first


def _emit(value: ir.Value, reader: _Reader) -> ir.Value:
    """The step as an operation of its own, in front of the first reader."""
    needed = _needed(reader)
    reads: list[int] = []
    for op in (*needed, reader.step):
        for operand in op.operands:
            k = _position(reader.view, operand)
            if k not in (-1, reader.number, *reads):
                reads.append(k)
    accesses = [access for k in reads if (access := reader.access(k)) is not None]
    rank = len(reader.iterators)

    def body(*scalars: ir.Value) -> list[ir.Value]:
        sources = [reader.view.body.arguments[k] for k in (reader.number, *reads)]
        mapping: dict[ir.Value, ir.Value] = dict(zip(sources, scalars, strict=False))
        for op in (*needed, reader.step):
            clone_into([op], mapping)
            if op.name == "linalg.index":
                here = reader.iterators.index(ir.IntegerAttr(op.attributes["dim"]).value)
                i64 = ir.IntegerType.get_signless(64)
                made: Any = mapping[op.results[0]].owner
                made.attributes["dim"] = ir.IntegerAttr.get(i64, here)
        return [mapping[reader.step.results[0]]]

    with ir.InsertionPoint(reader.view.op), reader.view.op.location:
        empty = tensor.empty(sizes_of(value), element_type(value.type))
        identity, out = identity_maps(rank, 2)
        inputs = [value, *(reader.view.inputs[k] for k in reads)]
        op = build_generic(inputs, [empty], [identity, *accesses, out], ["parallel"] * rank, body)
    return op.results[0]


def _needed(reader: _Reader) -> list[Any]:
    """The operations of the body that the step's other operands are made by, in order."""
    wanted: list[Any] = [reader.step]
    for op in wanted:
        for operand in op.operands:
            made = None if isinstance(operand.owner, ir.Block) else operand.owner.operation
            if made is not None and made.block == reader.view.body and made not in wanted:
                wanted.append(made)
    return [op.operation for op in reader.view.body_operations() if op.operation in wanted[1:]]


def _use(reader: _Reader, made: ir.Value) -> None:
    """Makes a reader read the result of the step, and no more what only the step needed."""
    view = reader.view
    reader.step.results[0].replace_all_uses_with(view.body.arguments[reader.number])
    gone: list[Any] = [reader.step, *reversed(_needed(reader))]
    for op in gone:
        if all(next(iter(result.uses), None) is None for result in op.results):
            op.erase()
    view.op.operation.operands[reader.number] = made
    kept = [k for k in range(len(view.operands)) if k >= len(view.inputs) or view.reads(k)]
    maps = [view.maps[k] for k in kept]
    if len(kept) == len(view.operands) or not loops_inferable(maps, len(view.iterators)):
        return

    def body(*scalars: ir.Value) -> list[ir.Value]:
        mapping = {view.body.arguments[k]: s for k, s in zip(kept, scalars, strict=True)}
        clone_into(view.body_operations(), mapping)
        return [mapping.get(v, v) for v in view.yielded]

    inputs = [view.op.operation.operands[k] for k in kept if k < len(view.inputs)]
    with ir.InsertionPoint(view.op), view.op.location:
        op = rebuild_generic(view, inputs, maps=maps, body=body)
    replace_op(view.op, op.results)
