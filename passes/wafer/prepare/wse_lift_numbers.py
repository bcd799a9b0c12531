"""The pass `wse-lift-numbers`: numbers between operations on tensors become tensors of no dimensions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ....dialects.host import ir, tensor
from ....dialects.structured import (
    PARALLEL,
    Structured,
    build_generic,
    clone_into,
    outer_operands,
    rebuild_generic,
    replace_op,
    structured,
)
from ...infra.pass_base import Pass, PassRun
from ..scalars.splat import scalar_constant

_SCALAR_DIALECTS = ("arith.", "math.")


class LiftNumbers(Pass, name="wse-lift-numbers", anchor="func.func"):
    """Makes tensors of no dimensions of numbers that a program reads from tensors and computes with on its way.

    PEs compute in bodies of `linalg.generic`, of what they hold of tensors. A number of a loop around operations, which
    only that loop knows, is none that they could hold, and stays.

        %x = tensor.extract %t[] : tensor<i64>
        %y = arith.addi %x, %c1 : i64
        %r = linalg.generic {maps = [(i) -> (i), (i) -> (i)]} ins(%a) outs(%e) { .. %y .. }
    becomes
        %n = linalg.generic {maps = [() -> (), () -> ()]} ins(%t) outs(tensor.empty()) { arith.addi %in, %c1 }
        %r = linalg.generic {maps = [(i) -> (i), (i) -> (), (i) -> (i)]} ins(%a, %n) outs(%e) { .. %in_1 .. }
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for block in op.regions[0].blocks:
            numbers = _Numbers()
            for inner in list(block.operations):
                numbers.lift(inner.operation)
            run.count("numbers lifted", len(numbers.tensors))


class _Numbers:
    """The numbers of a block that are elements of tensors, and those tensors."""

    def __init__(self) -> None:
        self.tensors: dict[ir.Value, ir.Value] = {}

    def lift(self, op: ir.Operation) -> None:
        """Computes an operation on numbers as one on tensors, or lets one on tensors read them as such."""
        view = structured(op)
        if self._is_known(op):
            self.tensors[op.results[0]] = self._computed(op)
        elif op.name == "linalg.fill" and op.operands[0] in self.tensors:
            with ir.InsertionPoint(op), op.location:
                replace_op(op, _spread(self.tensors[op.operands[0]], op.operands[1]).results)
        elif view is not None:
            self._read(view)

    def _is_known(self, op: ir.Operation) -> bool:
        """Whether an operation computes a number of elements of tensors and of constants."""
        numbers = _numbers_of(op)
        lifted = [v in self.tensors for v in numbers]
        known = all(
            is_lifted or scalar_constant(v) is not None for is_lifted, v in zip(lifted, numbers, strict=True)
        )
        return known and (op.name == "tensor.extract" or (_is_scalar(op) and any(lifted)))

    def _computed(self, op: ir.Operation) -> ir.Value:
        if op.name == "tensor.extract" and len(op.operands) == 1:
            return op.operands[0]
        numbers = self._lifted(_numbers_of(op))

        def body(*scalars: ir.Value) -> Sequence[ir.Value]:
            mapping = dict(zip(numbers, scalars, strict=False))  # the init has no number
            return [clone_into([op], mapping)[op.results[0]]]

        with ir.InsertionPoint(op), op.location:
            inputs = [self.tensors[v] for v in numbers]
            init = tensor.EmptyOp([], op.results[0].type).result
            return build_generic(inputs, [init], [_element(0)] * (len(inputs) + 1), [], body).results[0]

    def _read(self, view: Structured) -> None:
        """Makes numbers that a body uses inputs of its operation."""
        numbers = self._lifted(outer_operands(view.op.operation))
        if not numbers:
            return
        place = len(view.inputs)

        def body(*scalars: ir.Value) -> Sequence[ir.Value]:
            lifted = scalars[place : place + len(numbers)]
            mapping = dict(zip(numbers, lifted, strict=True))
            own = [*scalars[:place], *scalars[place + len(numbers) :]]
            mapping |= zip(view.body.arguments, own, strict=True)
            clone_into(view.body_operations(), mapping)
            return [mapping.get(v, v) for v in view.yielded]

        with ir.InsertionPoint(view.op), view.op.location:
            inputs = [*view.inputs, *(self.tensors[v] for v in numbers)]
            maps = [*view.input_maps, *[_element(len(view.iterators))] * len(numbers), *view.init_maps]
            made = rebuild_generic(view, inputs, maps=maps, body=body)
        replace_op(view.op, made.results)

    def _lifted(self, values: Iterable[ir.Value]) -> list[ir.Value]:
        return [v for v in dict.fromkeys(values) if v in self.tensors]


def _numbers_of(op: ir.Operation) -> list[ir.Value]:
    return [v for v in op.operands if not isinstance(v.type, ir.ShapedType)]


def _is_scalar(op: ir.Operation) -> bool:
    values = [*op.operands, *op.results]
    return op.name.startswith(_SCALAR_DIALECTS) and not any(isinstance(v.type, ir.ShapedType) for v in values)


def _element(rank: int) -> ir.AffineMap:
    """The map by which each of `rank` iterators reads the only element of a tensor."""
    return ir.AffineMap.get(rank, 0, [])


def _spread(number: ir.Value, init: ir.Value) -> Any:
    """A tensor whose elements are all that of a tensor of no dimensions."""
    rank = ir.RankedTensorType(init.type).rank
    maps = [_element(rank), ir.AffineMap.get_identity(rank)]
    return build_generic([number], [init], maps, [PARALLEL] * rank, lambda value, _: [value])
