"""The operations of a block as a sequence in which steps that repeat can be found."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from .....dialects.host import ir
from .....dialects.structured import outer_operands
from ...traversal import made_by

_VIEWS = frozenset({"tensor.extract_slice", "tensor.collapse_shape", "tensor.expand_shape"})
RESHAPES = frozenset({"tensor.collapse_shape", "tensor.expand_shape"})
_DIALECTS = ("linalg.", "tensor.", "arith.", "math.")

Offsets = tuple[int, ...]


@dataclass(frozen=True)
class OperandSource:
    """Where an operand comes from.

    Attributes:
        root: what it is a view of, itself if it is none.
        views: that lead from the root to the operand.
        form: equal for views that differ in their offsets alone.
        offsets: of all slices among the views.
    """

    root: ir.Value
    views: tuple[ir.Operation, ...]
    form: tuple[Hashable, ...]
    offsets: tuple[Offsets, ...]


@dataclass(frozen=True)
class Computation:
    """An operation that computes.

    Attributes:
        form: equal for operations that do the same with other operands; None for what cannot be repeated in a loop.
        operands: what it reads, captures of its region last.
        offsets: where it inserts, if it does.
    """

    op: ir.Operation
    form: Hashable | None
    operands: tuple[ir.Value, ...]
    offsets: Offsets


class Sequence:
    """What a block computes, without the views and constants in between.

    Attributes:
        steps: the operations that compute, in order.
        index: the step and the number of the result, by value.
    """

    def __init__(self, block: ir.Block) -> None:
        self._sources: dict[ir.Value, OperandSource] = {}
        self.steps: list[Computation] = []
        self.index: dict[ir.Value, tuple[int, int]] = {}
        for view in list(block.operations)[:-1]:
            op = view.operation
            if self._is_free(op):
                continue
            for number, result in enumerate(op.results):
                self.index[result] = (len(self.steps), number)
            self.steps.append(_step(op))

    def source(self, value: ir.Value) -> OperandSource:
        """Follows views of one operand up."""
        if value not in self._sources:
            self._sources[value] = self._follow(value)
        return self._sources[value]

    def _follow(self, value: ir.Value) -> OperandSource:
        op = made_by(value)
        if op is None or not is_static_view(op):
            return OperandSource(value, (), (), ())
        before = self.source(op.operands[0])
        offsets, form = _offsets(op), _form_but_offsets(op)
        return OperandSource(
            before.root, (*before.views, op), (*before.form, form), (*before.offsets, offsets)
        )

    def _is_free(self, op: ir.Operation) -> bool:
        """Whether an operation is part of no step: views, constants, and what is made of arguments alone."""
        if op.name in ("arith.constant", "tensor.empty") or is_static_view(op) or is_constant_fill(op):
            return True
        if op.name not in ("linalg.transpose", "linalg.broadcast"):
            return False
        root = self.source(op.operands[0]).root
        source = made_by(root)
        return source is None or source.name == "arith.constant"


def is_static_view(op: ir.Operation) -> bool:
    """Whether an operation is a slice or another shape of its one operand."""
    return op.name in _VIEWS and len(op.operands) == 1


def is_constant_fill(op: ir.Operation) -> bool:
    """Whether an operation fills an empty tensor of static shape with a constant."""
    if op.name != "linalg.fill" or len(op.results) != 1:
        return False
    makers = [made_by(v) for v in op.operands]
    names = [m.name for m in makers if m is not None]
    return names == ["arith.constant", "tensor.empty"] and ir.ShapedType(op.results[0].type).has_static_shape


def _step(op: ir.Operation) -> Computation:
    operands = _outer(op)
    if not op.name.startswith(_DIALECTS) or not all(_is_static(v.type) for v in (*operands, *op.results)):
        return Computation(op, None, operands, ())
    if op.name == "tensor.insert_slice":
        return (
            Computation(op, _form_but_offsets(op), operands, _offsets(op))
            if len(op.operands) == 2
            else Computation(op, None, operands, ())
        )
    return Computation(op, (_form(op, {}), len(operands)), operands, ())


def _form(op: ir.Operation, inner: dict[ir.Value, int]) -> Hashable:
    """What an operation does, whatever its operands from outside are; `inner` numbers the values of its regions."""
    bodies: list[Hashable] = []
    for region in op.regions:
        for block in region.blocks:
            for value in block.arguments:
                inner[value] = len(inner)
            for below in block.operations:
                operands = tuple(inner.get(v, -1) for v in below.operation.operands)
                bodies.append((_form(below.operation, inner), operands))
                for value in below.operation.results:
                    inner[value] = len(inner)
    attributes = tuple((name, op.attributes[name]) for name in op.attributes)
    types = tuple(v.type for v in (*op.operands, *op.results))
    return (op.name, attributes, types, tuple(bodies))


def _outer(op: ir.Operation) -> tuple[ir.Value, ...]:
    """What an operation reads: its operands, then what its regions use from outside, each time that they do."""
    if op.name.startswith("linalg.") and op.name != "linalg.generic":
        return tuple(op.operands)
    return tuple(outer_operands(op))


def clone_with(op: ir.Operation, values: list[ir.Value]) -> ir.Operation:
    """Repeats an operation at the current place with other values in the order of `Step.operands`."""
    clone = op.clone(ir.InsertionPoint.current)
    left = iter(values)
    inner: set[ir.Value] = set()

    def visit(at: ir.Operation) -> None:
        for number, value in enumerate(at.operands):
            if value not in inner:
                at.operands[number] = next(left)
        for region in at.regions:
            for block in region.blocks:
                inner.update(block.arguments)
                for below in block.operations:
                    visit(below.operation)
                    inner.update(below.operation.results)

    if len(values) > len(op.operands):
        visit(clone)
    else:
        for number, value in enumerate(values):
            clone.operands[number] = value
    return clone


def _is_static(kind: ir.Type) -> bool:
    return not isinstance(kind, ir.ShapedType) or kind.has_static_shape


def _offsets(op: ir.Operation) -> Offsets:
    if op.name not in ("tensor.extract_slice", "tensor.insert_slice"):
        return ()
    view: Any = op.opview
    return tuple(view.static_offsets)


def _form_but_offsets(op: ir.Operation) -> Hashable:
    attributes = tuple((name, op.attributes[name]) for name in op.attributes if name != "static_offsets")
    types = tuple(v.type for v in (*op.operands, *op.results))
    return (op.name, attributes, types)
