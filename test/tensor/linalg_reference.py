"""A slow, obvious interpreter of linalg on tensors: the reference that tensor passes are tested against.

Scalars are NumPy scalars of the program's own type, so a rewrite that keeps the order of operations must agree
bit for bit. `tensor.empty` holds NaN: a program that reads it shows.
"""

import math
from typing import Any

import numpy as np

from wse_mlir.dialects.host import ir

_SCALAR = {
    "arith.addf": lambda a, b: a + b,
    "arith.subf": lambda a, b: a - b,
    "arith.mulf": lambda a, b: a * b,
    "arith.divf": lambda a, b: a / b,
    "arith.maximumf": lambda a, b: a if a > b or a != a else b,
    "arith.addi": lambda a, b: a + b,
    "arith.muli": lambda a, b: a * b,
    "math.exp": lambda a: np.float32(math.exp(min(float(a), 80.0))) if a == a else a,
    "math.absf": abs,
    "arith.index_cast": lambda a: a,
    "arith.sitofp": np.float32,
}


def run_function(function: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Evaluates a `func.func` of one block."""
    block = function.regions[0].blocks[0]
    values: dict[ir.Value, Any] = dict(zip(block.arguments, inputs, strict=True))
    with np.errstate(all="ignore"):
        for op in block.operations:
            operation = op.operation
            operands = [values[v] for v in operation.operands]
            if operation.name == "func.return":
                return operands
            results = _run(operation, operands, values)
            values.update(zip(operation.results, results, strict=True))
    raise AssertionError("a function without a return")


def _run(op: Any, operands: list[Any], values: dict[ir.Value, Any]) -> list[Any]:
    if op.name == "arith.constant":
        return [_constant(op)]
    if op.name == "tensor.dim":
        return [operands[0].shape[operands[1]]]
    if op.name == "tensor.empty":
        sizes = iter(operands)
        shaped = ir.ShapedType(op.results[0].type)
        shape = [next(sizes) if shaped.is_dynamic_dim(d) else shaped.shape[d] for d in range(shaped.rank)]
        return [np.full(shape, np.nan, np.float32)]
    if op.name in ("tensor.expand_shape", "tensor.collapse_shape"):
        return [operands[0].reshape(ir.ShapedType(op.results[0].type).shape)]
    if op.name == "tensor.cast":
        return operands
    if op.name == "linalg.fill":
        return [np.full_like(operands[1], operands[0])]
    if op.name == "linalg.generic":
        return _run_generic(op, operands, values)
    raise AssertionError(f"the reference does not know {op.name}")


def _constant(op: Any) -> Any:
    attribute = op.attributes["value"]
    if isinstance(attribute, ir.DenseElementsAttr):
        return np.array(attribute)
    if isinstance(attribute, ir.FloatAttr):
        return np.float32(attribute.value)
    return ir.IntegerAttr(attribute).value


def _run_generic(op: Any, operands: list[Any], outer: dict[ir.Value, Any]) -> list[np.ndarray]:
    maps = [ir.AffineMapAttr(m).value for m in op.attributes["indexing_maps"]]
    sizes: dict[int, int] = {}
    for value, amap in zip(operands, maps, strict=True):
        for dim, expr in enumerate(amap.results):
            if isinstance(expr, ir.AffineDimExpr):
                size = value.shape[dim]
                assert sizes.setdefault(expr.position, size) == size, "operands disagree on a trip count"
    assert len(sizes) == maps[0].n_dims, "a loop has no trip count"
    first = len(operands) - len(op.results)
    results = [np.array(x) for x in operands[first:]]
    buffers = [*operands[:first], *results]
    block = op.regions[0].blocks[0]
    for point in np.ndindex(*(sizes[d] for d in range(len(sizes)))):
        places = [tuple(_affine(e, point) for e in m.results) for m in maps]
        scalars = [b[p] if isinstance(b, np.ndarray) else b for b, p in zip(buffers, places, strict=True)]
        for k, value in enumerate(_run_body(block, scalars, point, outer)):
            results[k][places[first + k]] = value
    return results


def _run_body(
    block: Any, scalars: list[Any], point: tuple[int, ...], outer: dict[ir.Value, Any]
) -> list[Any]:
    values = dict(outer)
    values.update(zip(block.arguments, scalars, strict=True))
    for op in block.operations:
        operation = op.operation
        operands = [values[v] for v in operation.operands]
        if operation.name == "linalg.yield":
            return operands
        if operation.name == "linalg.index":
            result: Any = point[ir.IntegerAttr(operation.attributes["dim"]).value]
        elif operation.name == "affine.apply":
            amap = ir.AffineMapAttr(operation.attributes["map"]).value
            result = _affine(amap.results[0], tuple(operands))
        elif operation.name == "arith.constant":
            result = _constant(operation)
        else:
            result = _SCALAR[operation.name](*operands)
        values[operation.results[0]] = result
    raise AssertionError("a body without a yield")


def _affine(expr: Any, point: tuple[int, ...]) -> int:
    if isinstance(expr, ir.AffineDimExpr):
        return point[expr.position]
    if isinstance(expr, ir.AffineConstantExpr):
        return expr.value
    left, right = _affine(expr.lhs, point), _affine(expr.rhs, point)
    if isinstance(expr, ir.AffineAddExpr):
        return left + right
    if isinstance(expr, ir.AffineMulExpr):
        return left * right
    if isinstance(expr, ir.AffineModExpr):
        return left % right
    return left // right if isinstance(expr, ir.AffineFloorDivExpr) else -(-left // right)
