"""A tensor in another shape: what it was made of by reshapes, if that has it, or by a collapse and an expansion."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from .....dialects.host import ir, tensor
from .....dialects.structured import element_type
from .views import collapse, expand


def reshaped(value: ir.Value, shape: Sequence[int]) -> ir.Value:
    """A tensor of static shape seen in another one with as many elements, in the same order."""
    source = _made_of(value, shape)
    if list(ir.RankedTensorType(source.type).shape) == list(shape):
        return source
    runs = list(common_runs(ir.RankedTensorType(source.type).shape, shape))
    sizes = [math.prod(list(shape)[d] for d in fine) for _, fine in runs]
    kind = ir.RankedTensorType.get(sizes, element_type(source.type))
    merged = collapse(source, [coarse for coarse, _ in runs], kind)
    return expand(merged, [fine for _, fine in runs], list(shape))


def _made_of(value: ir.Value, shape: Sequence[int]) -> ir.Value:
    """The tensor in a chain of reshapes whose shape is one but for sizes of one; the last one where none is."""
    source = value
    while _long(ir.RankedTensorType(source.type).shape) != _long(shape):
        if not isinstance(source.owner, tensor.ExpandShapeOp | tensor.CollapseShapeOp):
            return value
        source = source.owner.src
    return source


def _long(shape: Sequence[int]) -> list[int]:
    return [size for size in shape if size != 1]


def common_runs(one: Sequence[int], other: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """The shortest runs of dimensions of two shapes that hold as many elements; sizes of one go with those before."""
    a, b, first, second = 0, 0, list(one), list(other)
    while a < len(first) or b < len(second):
        left, right = [a] if a < len(first) else [], [b] if b < len(second) else []
        a, b = a + len(left), b + len(right)
        have, want = math.prod(first[d] for d in left), math.prod(second[d] for d in right)
        while have != want:
            if have < want:
                left, have, a = [*left, a], have * first[a], a + 1
            else:
                right, want, b = [*right, b], want * second[b], b + 1
        while a < len(first) and first[a] == 1 and (b == len(second) or second[b] != 1):
            left, a = [*left, a], a + 1
        while b < len(second) and second[b] == 1 and (a == len(first) or first[a] != 1):
            right, b = [*right, b], b + 1
        yield left, right
