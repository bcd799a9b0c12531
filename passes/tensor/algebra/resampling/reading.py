"""Reads the body of an operation that gathers elements by computed indices: which elements, with which weights.

Indices and weights are computed for all points at once, by NumPy and in the types of the program. Arrays have a
dimension for each loop, of size one where they do not depend on it, so that their shapes tell what they depend on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .....dialects.affine.expressions import constant_value, dim_position
from .....dialects.host import arith, ir
from .....dialects.structured import Structured
from .....wse_target.elementary import Array
from ...scalar_eval import NotEvaluable, attribute_value, evaluate_scalar_op, numpy_dtype

_LARGEST = 1 << 22  # elements of an array that is computed here
_MOST_TAPS = 64

TapWeights = dict[int, Array]  # number of a tap -> its weight


@dataclass
class Reading:
    """What is known of a body's values.

    Attributes:
        view: the operation; all of its loops are parallel, their sizes known.
        known: values that do not depend on tensors whose elements are unknown.
        taps: the `tensor.extract`s whose indices are known.
        sums: sums of taps with known weights.
        hidden: where a tap was added once more with the weight zero, which its sum does not tell.
    """

    view: Structured
    sizes: tuple[int, ...]
    known: dict[ir.Value, Array] = field(default_factory=dict)
    taps: list[Any] = field(default_factory=list)
    sums: dict[ir.Value, TapWeights] = field(default_factory=dict)
    hidden: dict[int, Array] = field(default_factory=dict)

    def read(self) -> None:
        """Evaluates what can be evaluated. Raises `NotEvaluable` for what it does not expect."""
        for argument, value, amap in zip(
            self.view.body.arguments, self.view.inputs, self.view.input_maps, strict=False
        ):
            constant = self._input(value, amap)
            if constant is not None:
                self.known[argument] = constant
        for op in self.view.body_operations():
            self._visit(op.operation)

    def root(self) -> ir.Value | None:
        """The first value in which all taps have come together and that alone is used by anything else."""
        for value, weights in self.sums.items():
            if len(weights) == len(self.taps) and self._is_closed(self.cone(value)):
                return value
        return None

    @staticmethod
    def _is_closed(cone: list[ir.Value]) -> bool:
        """Whether nothing but the last of these values is used by others."""
        users = [use.owner for value in cone[:-1] for use in value.uses]
        return all(len(user.results) and user.results[0] in cone for user in users)

    def cone(self, root: ir.Value) -> list[ir.Value]:
        """The sums that are computed up to the root."""
        values = list(self.sums)
        return values[: values.index(root) + 1]

    def array(self, value: ir.Value) -> Array | None:
        """A value's elements; None when they are not known."""
        if value in self.known:
            return self.known[value]
        owner: Any = value.owner
        if isinstance(owner, ir.Block) or not isinstance(owner.opview, arith.ConstantOp):
            return None
        if isinstance(value.type, ir.ShapedType):
            return None
        return self._spread(attribute_value(owner.attributes["value"], value.type))

    def _spread(self, scalar: Array) -> Array:
        return scalar.reshape((1,) * len(self.sizes))

    def _input(self, value: ir.Value, amap: ir.AffineMap) -> Array | None:
        """An input that is a constant and read by plain dimensions or zeros."""
        if not isinstance(value.type, ir.RankedTensorType):
            return self.array(value)
        owner: Any = value.owner
        if isinstance(owner, ir.Block) or not isinstance(owner.opview, arith.ConstantOp):
            return None
        attribute = owner.attributes["value"]
        if not isinstance(attribute, ir.DenseElementsAttr):
            return None
        try:
            elements = np.array(attribute).astype(numpy_dtype(value.type.element_type))
        except TypeError:  # the bindings do not give bf16 elements out
            return None
        return self._by_loops(elements, amap)

    def _by_loops(self, elements: Array, amap: ir.AffineMap) -> Array | None:
        loops: list[int] = []
        for dim, expr in reversed(list(enumerate(amap.results))):
            position = dim_position(expr)
            if position is not None and position not in loops:
                loops.insert(0, position)
            elif (value := constant_value(expr)) is not None and value < elements.shape[dim]:
                elements = elements.take(value, axis=dim)
            else:
                return None
        order = sorted(range(len(loops)), key=lambda k: loops[k])
        shape = [n if d in loops else 1 for d, n in enumerate(self.sizes)]
        return np.ascontiguousarray(elements.transpose(order)).reshape(shape)

    def _visit(self, op: ir.Operation) -> None:
        if op.name == "linalg.index":
            loop = ir.IntegerAttr(op.attributes["dim"]).value
            shape = [n if d == loop else 1 for d, n in enumerate(self.sizes)]
            self.known[op.results[0]] = np.arange(self.sizes[loop], dtype=np.int64).reshape(shape)
            return
        if len(op.results) != 1 or len(op.regions):
            raise NotEvaluable(f"the operation {op.name}")
        operands = [self.array(v) for v in op.operands]
        if op.name == "tensor.extract":
            if any(index is None for index in operands[1:]) or len(self.taps) == _MOST_TAPS:
                raise NotEvaluable("elements at unknown places")
            self.sums[op.results[0]] = {len(self.taps): self._spread(np.ones((), np.float64))}
            self.taps.append(op)
        elif any(v in self.sums for v in op.operands):
            self._add(op, operands)
        elif all(x is not None for x in operands):
            inputs: list[Array] = [x for x in operands if x is not None]
            if np.broadcast(*inputs).size > _LARGEST if inputs else False:
                raise NotEvaluable("too many points")
            self.known[op.results[0]] = evaluate_scalar_op(op, inputs)

    def _add(self, op: ir.Operation, operands: list[Array | None]) -> None:
        """Notes what sums of taps are combined to, where that is a sum of taps again."""
        sums = [self.sums.get(v) for v in op.operands]
        first, second = sums[0], sums[1] if len(sums) > 1 else None
        result: TapWeights | None = None
        if op.name in ("arith.addf", "arith.subf") and first is not None and second is not None:
            sign = 1.0 if op.name == "arith.addf" else -1.0
            result = dict(first)
            for tap, weight in second.items():
                if tap in result:
                    found = (result[tap] == 0) | (weight == 0)
                    self.hidden[tap] = self.hidden.get(tap, np.zeros((), bool)) | found
                result[tap] = result[tap] + sign * weight if tap in result else sign * weight
        elif op.name == "arith.mulf" and (first is None) != (second is None):
            terms, factor = (first, operands[1]) if first is not None else (second, operands[0])
            if terms is not None and factor is not None:
                result = {tap: weight * factor.astype(np.float64) for tap, weight in terms.items()}
        if result is None:
            return
        if any(weight.size > _LARGEST for weight in result.values()):
            raise NotEvaluable("too many points")
        self.sums[op.results[0]] = result
