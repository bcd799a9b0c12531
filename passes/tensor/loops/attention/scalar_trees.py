"""Scalar expressions in bodies of structured operations: what is proportional to what, and which two are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .....dialects.affine.maps import compose_map
from .....dialects.host import ir
from .....dialects.structured import Structured

CASTS = ("arith.extf", "arith.truncf")


def maker_named(value: ir.Value, *names: str) -> Any:
    """The operation of one of these names that makes a scalar, or None."""
    owner: Any = value.owner
    return None if isinstance(owner, ir.Block) or owner.operation.name not in names else owner.operation


def combined(view: Structured, name: str) -> ir.Value | None:
    """What an operation of one result combines with it by the operation `name`; None where it does anything else."""
    if len(view.inits) != 1:
        return None
    running = view.body.arguments[-1]
    combiner = maker_named(view.yielded[0], name)
    if combiner is None or sum(1 for _ in running.uses) != 1:
        return None
    terms = [operand for operand in combiner.operands if operand != running]
    return terms[0] if len(terms) == 1 else None


def depends(value: ir.Value, scalars: set[ir.Value]) -> bool:
    """Whether a scalar is computed from any of some others."""
    if value in scalars:
        return True
    owner: Any = value.owner
    return not isinstance(owner, ir.Block) and any(depends(v, scalars) for v in owner.operands)


def is_proportional(value: ir.Value, base: ir.Value) -> bool:
    """Whether a scalar is another one times something that does not depend on it, conversions left aside."""
    if value == base:
        return True
    product = maker_named(value, "arith.mulf", "arith.divf", *CASTS)
    if product is None:
        return False
    inside = [number for number, operand in enumerate(product.operands) if depends(operand, {base})]
    if len(inside) != 1 or (product.name == "arith.divf" and inside != [0]):
        return False
    return is_proportional(product.operands[inside[0]], base)


def without_casts(value: ir.Value) -> ir.Value:
    """What a scalar was before it was converted."""
    while cast := maker_named(value, *CASTS):
        value = cast.operands[0]
    return value


def is_same(
    left: tuple[Structured, ir.Value], right: tuple[Structured, ir.Value], iterators: Mapping[int, int]
) -> bool:
    """Whether scalars of two bodies are computed alike of the same elements.

    Args:
        left / right: each with the operation whose body it is in.
        iterators: for each iterator of the left operation, the one of the right operation that it stands for.
    """
    (one, first), (other, second) = left, right
    if first == second:
        return True
    a: Any = first.owner
    b: Any = second.owner
    if isinstance(a, ir.Block) or isinstance(b, ir.Block):
        return a == one.body and b == other.body and _same_element(left, right, iterators)
    if a.operation.name != b.operation.name or len(a.operands) != len(b.operands) or len(a.regions):
        return False
    if a.operation.name == "linalg.index":
        return iterators.get(_dim(a)) == _dim(b)
    if _attributes(a) != _attributes(b) or _number(first) != _number(second):
        return False
    pairs = zip(a.operands, b.operands, strict=True)
    return all(is_same((one, x), (other, y), iterators) for x, y in pairs)


def _same_element(
    left: tuple[Structured, ir.Value], right: tuple[Structured, ir.Value], iterators: Mapping[int, int]
) -> bool:
    (one, first), (other, second) = left, right
    a, b = ir.BlockArgument(first).arg_number, ir.BlockArgument(second).arg_number
    if one.operands[a] != other.operands[b] or len(iterators) != len(one.iterators):
        return False
    dims = [ir.AffineDimExpr.get(iterators[d]) for d in range(len(one.iterators))]
    renamed = compose_map(one.maps[a], ir.AffineMap.get(len(other.iterators), 0, dims))
    return renamed == other.maps[b]


def _attributes(op: Any) -> dict[str, ir.Attribute]:
    return {name: op.operation.attributes[name] for name in op.operation.attributes}


def _number(value: ir.Value) -> int:
    return ir.OpResult(value).result_number


def _dim(index: Any) -> int:
    return ir.IntegerAttr(index.operation.attributes["dim"]).value
