"""Vectors of elements that lie near each other, but not side by side: loaded whole and put in order in registers.

Every second element (a window that moves by two), elements repeated (an image made larger): along the lanes, the last
subscript is a straight line or the floor of one. Where its steps from one lane to the next are known when code is
made, one or two vectors are loaded, and a shuffle with constant positions does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

from .....dialects.affine.expressions import evaluate_affine, used_dims
from .....dialects.affine.linear import coefficient
from .....dialects.host import ir
from ....tensor.access import access_kind, element_bits

_MOST_STEPS = 64  # vectors of a row that are written one after the other, each with its own positions


@dataclass(frozen=True)
class LaneSteps:
    """How a subscript moves along the lanes.

    Attributes:
        expr: the subscript.
        iterator: whose points fill the lanes.
        fixed: whether the steps are the same in every vector; otherwise they are known where the vector's place is.
    """

    expr: ir.AffineExpr
    iterator: int
    fixed: bool

    def offsets(self, first: int, lanes: int) -> list[int]:
        """Distances of the lanes' elements from the first one's, of the vector that begins at a point."""
        factor = coefficient(self.expr, self.iterator)
        if factor is not None:
            return [factor * lane for lane in range(lanes)]
        places = [evaluate(self.expr, first + lane) for lane in range(lanes)]
        return [place - places[0] for place in places]


def find_steps(
    value: ir.Value, amap: ir.AffineMap, iterator: int, size: int | None, width: int
) -> LaneSteps | None:
    """How an input is read along an iterator that fills `width` lanes; None when lanes are loaded one by one."""
    if width < 2 or access_kind(value, amap, iterator) != "scattered":
        return None
    last = len(amap.results) - 1
    touched = [k for k, expr in enumerate(amap.results) if iterator in used_dims(expr)]
    strides, _ = ir.MemRefType(value.type).get_strides_and_offset()
    if touched != [last] or strides[last] != 1 or element_bits(value.type) < 8:
        return None
    expr = amap.results[last]
    factor = coefficient(expr, iterator)
    if factor is not None:
        return LaneSteps(expr, iterator, True) if abs(factor) * (width - 1) < 2 * width else None
    if used_dims(expr) != {iterator} or size is None or size > _MOST_STEPS * width:
        return None
    steps = LaneSteps(expr, iterator, False)
    vectors = [steps.offsets(at, min(width, size - at)) for at in range(0, size, width)]
    if any(max(offsets) - min(offsets) >= 2 * width for offsets in vectors):
        return None
    alike = all(offsets == vectors[0][: len(offsets)] for offsets in vectors)
    return LaneSteps(expr, iterator, alike)


def evaluate(expr: ir.AffineExpr, point: int) -> int:
    """The value of an expression of one iterator."""
    return evaluate_affine(expr, lambda _: point)
