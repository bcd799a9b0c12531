"""What becomes of a number: whether an error in its last place stays one in the last place of the results."""

from __future__ import annotations

from typing import Any

from ....dialects.host import arith, ir
from ....dialects.structured import structured
from ..traversal import made_by

# They jump, or are steep, at numbers that an exact quotient hits and a rounded one misses, as floor(x / 3) and
# log(1 - x / y) are; sines and powers of large numbers are steep everywhere.
_STEEP = frozenset(
    {f"math.{name}" for name in ("floor", "ceil", "trunc", "round", "roundeven", "sqrt", "rsqrt", "powf")}
    | {f"math.{name}" for name in ("sin", "cos", "tan", "asin", "acos", "acosh", "atanh")}
    | {f"math.{name}" for name in ("log", "log2", "log10", "log1p")}
    | {"arith.fptosi", "arith.fptoui", "arith.remf"}
)
_MOVES = ("tensor.expand_shape", "tensor.collapse_shape", "tensor.extract_slice", "tensor.insert_slice", "tensor.pad",
          "tensor.concat", "tensor.cast")  # fmt: skip


def has_smooth_uses(scalar: ir.Value) -> bool:
    """Whether everything that a scalar of a body flows into element by element is a smooth function of it.

    What becomes part of a sum or a maximum is not followed further, nor what leaves the block.
    """
    return _is_smooth(scalar, set())


def _is_smooth(scalar: ir.Value, seen: set[ir.Value]) -> bool:
    if scalar in seen:
        return True
    seen.add(scalar)
    return all(_is_smooth_use(use, scalar, seen) for use in scalar.uses)


def _is_smooth_use(use: Any, scalar: ir.Value, seen: set[ir.Value]) -> bool:
    op = use.owner.operation
    if op.name == "linalg.yield":
        view = structured(op.parent)
        return (
            view is None
            or not view.is_parallel()
            or _moves_smoothly(view.op.results[use.operand_number], seen)
        )
    if op.name == "arith.cmpf":
        return _is_test_of_sign(op)
    if op.name in _STEEP or (op.name == "arith.divf" and use.operand_number == 1):
        return False
    return all(_is_smooth(result, seen) for result in op.results)


def _is_test_of_sign(op: Any) -> bool:
    """Whether a comparison asks for a sign or for NaN, which rounding does not change."""
    predicate = arith.CmpFPredicate(ir.IntegerAttr(op.attributes["predicate"]).value)
    if predicate in (arith.CmpFPredicate.ORD, arith.CmpFPredicate.UNO):
        return True
    makers = [made_by(v) for v in op.operands]
    constants = [m for m in makers if m is not None and m.name == "arith.constant"]
    return any(ir.FloatAttr(c.attributes["value"]).value == 0.0 for c in constants)


def _moves_smoothly(tensor: ir.Value, seen: set[ir.Value]) -> bool:
    """The same of the elements of a tensor."""
    for use in tensor.uses:
        op = use.owner.operation
        if op.name in _MOVES:
            if not _moves_smoothly(op.results[0], seen):
                return False
            continue
        view = structured(op)
        if view is not None and not _is_smooth(view.body.arguments[use.operand_number], seen):
            return False
    return True
