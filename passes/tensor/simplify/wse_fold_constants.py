"""`wse-fold-constants`: generics whose inputs are known at compile time are evaluated there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....dialects.affine.expressions import evaluate_affine
from ....dialects.constants import splat_attribute
from ....dialects.host import arith, ir, linalg
from ....dialects.structured import Structured, element_type, replace_op, structured
from ...infra.pass_base import Pass, PassRun, option
from ..scalar_eval import Array, NotEvaluable, attribute_value, evaluate_scalar_op, numpy_dtype
from ..traversal import tensor_blocks
from ..uniform import empty_like, uniform_scalar


class FoldConstants(Pass, name="wse-fold-constants", anchor="func.func"):
    """Evaluates `linalg.generic` on constants, with NumPy in the operation's own types.

    Inputs and inits may be dense constants, splats, fills with a constant and constant scalars. A result
    whose elements are all equal becomes a `linalg.fill`, of any size and also of dynamic shape; others become
    dense constants when they are small enough. Reductions are evaluated in the order of their loops, so rounding
    is that of the program; transcendental functions are evaluated in f64 and rounded once.

        %c = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
        %t = linalg.generic {maps = [(i, j) -> (j, i), (i, j) -> (i, j)]} ins(%c) outs(%e) { yield }
    becomes
        %t = arith.constant dense<[[1.0, 3.0], [2.0, 4.0]]> : tensor<2x2xf32>

    Not folded: integer division and other operations that are undefined for some operands; anything that
    reads an argument.
    """

    max_elements: int = option(16384, "most elements of a result that becomes a dense constant", least=0)
    max_steps: int = option(4096, "most steps of a reduction that are evaluated", least=0)

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for block in tensor_blocks(op):
            for inner in list(block.operations):
                view = structured(inner)
                if view is not None and len(view.op.results) and not _is_fill(view):
                    self._fold(view, run)

    def _fold(self, view: Structured, run: PassRun) -> None:
        try:
            constants = [_constant(v) if view.reads(k) else None for k, v in enumerate(view.operands)]
            if any(c is None and view.reads(k) for k, c in enumerate(constants)):
                return
            values = self._evaluate(view, constants)
        except NotEvaluable as reason:
            run.remark(view.op, f"not folded: {reason} cannot be evaluated at compile time")
            return
        with ir.InsertionPoint(view.op), view.op.location:
            replacements = [_materialize(x, v) for x, v in zip(values, view.inits, strict=True)]
        replace_op(view.op, replacements)
        run.count("generics folded")

    def _evaluate(self, view: Structured, constants: list[Array | None]) -> list[Array]:
        """The results: 0-d arrays for uniform ones. Raises `NotEvaluable`."""
        indexed = any(o.operation.name == "linalg.index" for o in view.body_operations())
        uniform = all(c is None or c.ndim == 0 for c in constants)
        if uniform and not indexed and view.is_parallel():
            return _Body(view).evaluate(constants, {})
        sizes = view.loop_sizes()
        if any(s is None for s in sizes):
            raise NotEvaluable("a dynamic shape")
        known = [s for s in sizes if s is not None]
        elements = max(int(np.prod(ir.ShapedType(v.type).shape)) for v in view.inits)
        steps = int(np.prod([s for s, i in zip(known, view.iterators, strict=True) if i != "parallel"]))
        if elements > self.max_elements or steps > self.max_steps:
            raise NotEvaluable(f"a result of {elements} elements in {steps} steps")
        return _Body(view).run_loops(constants, known)


@dataclass(frozen=True)
class _Body:
    """Evaluates a generic's body over its loops: all parallel iterations at once, reductions in order."""

    view: Structured

    def evaluate(self, scalars: list[Array | None], loops: dict[int, Array]) -> list[Array]:
        """The yielded values for arrays of scalars and of iterators."""
        arguments = zip(self.view.body.arguments, scalars, strict=True)
        known: dict[ir.Value, Array] = {a: s for a, s in arguments if s is not None}
        for op in self.view.body_operations():
            operation = op.operation
            if operation.name == "linalg.index":
                known[operation.results[0]] = loops[ir.IntegerAttr(operation.attributes["dim"]).value]
                continue
            if operation.name == "arith.constant":
                known[operation.results[0]] = _scalar(operation.results[0])
                continue
            if len(operation.results) != 1:
                raise NotEvaluable(f"the operation {operation.name}")
            operands = [known[v] if v in known else _scalar(v) for v in operation.operands]
            known[operation.results[0]] = evaluate_scalar_op(operation, operands)
        return [known[v] if v in known else _scalar(v) for v in self.view.yielded]

    def run_loops(self, constants: list[Array | None], sizes: list[int]) -> list[Array]:
        view = self.view
        parallel = [d for d, i in enumerate(view.iterators) if i == "parallel"]
        others = [d for d, i in enumerate(view.iterators) if i != "parallel"]
        space = [sizes[d] for d in parallel]
        grid = dict(zip(parallel, np.indices(space, dtype=np.int64), strict=True)) if space else {}
        results = []
        for k, init in enumerate(view.inits):
            given = constants[len(view.inputs) + k]
            shape, dtype = ir.ShapedType(init.type).shape, numpy_dtype(element_type(init.type))
            results.append(np.zeros(shape, dtype) if given is None else np.broadcast_to(given, shape).copy())
        for step in np.ndindex(*(sizes[d] for d in others)):
            loops = grid | {d: np.int64(s) for d, s in zip(others, step, strict=True)}
            places = [tuple(_index(e, loops, space) for e in m.results) for m in view.maps]
            sources = [*constants[: len(view.inputs)], *results]
            scalars = [
                None if c is None else (c if c.ndim == 0 else c[p])
                for c, p in zip(sources, places, strict=True)
            ]
            spread = {d: np.broadcast_to(i, space) for d, i in loops.items()}
            for k, value in enumerate(self.evaluate(scalars, spread)):
                results[k][places[len(view.inputs) + k]] = value
        return results


def _index(expr: ir.AffineExpr, loops: dict[int, Any], space: list[int]) -> Array:
    """The values of an affine expression over the parallel iterations."""
    return np.broadcast_to(evaluate_affine(expr, lambda dim: loops[dim.position]), space)


def _is_fill(view: Structured) -> bool:
    """Whether it only spreads one scalar, which is the form that uniform results have anyway."""
    return not view.body_operations() and all(not m.results for m in view.input_maps) and view.is_parallel()


def _scalar(value: ir.Value) -> Array:
    """A constant scalar from outside of a body, or inside it."""
    owner: Any = value.owner
    if isinstance(owner, arith.ConstantOp) and not isinstance(value.type, ir.ShapedType):
        return attribute_value(owner.attributes["value"], value.type)
    raise NotEvaluable("a value from outside the body that is no constant")


def _constant(value: ir.Value) -> Array | None:
    """A constant operand: 0-d when all elements are equal; None when it is not known."""
    if not isinstance(value.type, ir.ShapedType):
        return _scalar(value) if isinstance(value.owner, arith.ConstantOp) else None
    splat = splat_attribute(value)
    if splat is not None:
        return attribute_value(splat, element_type(value.type))
    scalar = None if isinstance(value, ir.BlockArgument) else uniform_scalar(value)
    if scalar is not None:
        return _scalar(scalar) if isinstance(scalar.owner, arith.ConstantOp) else None
    owner: Any = value.owner
    if isinstance(owner, arith.ConstantOp) and isinstance(owner.attributes["value"], ir.DenseElementsAttr):
        dtype = numpy_dtype(element_type(value.type))
        try:
            return np.array(owner.attributes["value"]).astype(dtype)
        except TypeError:  # the bindings do not give bf16 elements out
            raise NotEvaluable(f"a dense constant of {element_type(value.type)}") from None
    return None


def _materialize(value: Array, init: ir.Value) -> ir.Value:
    """The folded result as an operation: a fill when all elements are equal, otherwise a constant."""
    element = element_type(init.type)
    uniform = value.ndim == 0 or (value.size > 0 and bool((_bits(value) == _bits(value).flat[0]).all()))
    first = value if value.ndim == 0 else value.flat[0]
    shaped = ir.ShapedType(init.type)
    if uniform and not (shaped.has_static_shape and int(np.prod(shaped.shape)) == 1):
        scalar = arith.constant(element, _scalar_attribute(first, element))
        return linalg.fill(scalar, outs=[empty_like(init)])
    array = np.ascontiguousarray(np.broadcast_to(value, shaped.shape))
    if array.dtype.name == "bfloat16":
        array = array.view(np.uint16)
    if array.size == 1:
        attribute = ir.DenseElementsAttr.get_splat(init.type, _scalar_attribute(first, element))
    else:
        attribute = _dense(array, init.type)
    return arith.constant(init.type, attribute)


def _dense(array: Any, shaped: ir.Type) -> ir.Attribute:
    return ir.DenseElementsAttr.get(array, type=shaped)


def _scalar_attribute(value: Any, element: ir.Type) -> ir.Attribute:
    if isinstance(element, ir.IntegerType | ir.IndexType):
        return ir.IntegerAttr.get(element, int(value))
    return ir.FloatAttr.get(element, float(value))


def _bits(value: Array) -> Array:
    """The elements as bit patterns, so that two NaNs are equal and two zeros of different sign are not."""
    return value if value.dtype == np.bool_ else value.view(f"uint{value.dtype.itemsize * 8}")
