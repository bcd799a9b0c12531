"""Memref types of buffers and of views into them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ....dialects.host import ir

DYNAMIC = ir.ShapedType.get_dynamic_size()
DYNAMIC_STRIDE = ir.ShapedType.get_dynamic_stride_or_offset()


def is_static(number: int) -> bool:
    """Whether a size, stride or offset is known at compile time."""
    return number not in (DYNAMIC, DYNAMIC_STRIDE)


def buffer_type(tensor: ir.Type) -> ir.MemRefType:
    """The contiguous, row-major buffer that holds a tensor of this type."""
    shaped = ir.RankedTensorType(tensor)
    return ir.MemRefType.get(list(shaped.shape), shaped.element_type)


def is_identity(memref: ir.Type) -> bool:
    """Whether the type has the default layout: contiguous, row-major, offset 0."""
    plain = ir.MemRefType.get(list(ir.MemRefType(memref).shape), ir.MemRefType(memref).element_type)
    return plain == memref


def dropped_dimensions(sizes: Sequence[int], result_shape: Sequence[int]) -> list[int]:
    """Dimensions of size 1 that a rank-reducing slice leaves out of its result."""
    dropped, position = [], 0
    for dim, size in enumerate(sizes):
        if position < len(result_shape) and size == result_shape[position]:
            position += 1
        else:
            dropped.append(dim)
    return dropped


def _product(a: int, b: int) -> int:
    return a * b if is_static(a) and is_static(b) else DYNAMIC_STRIDE


def _sum(a: int, b: int) -> int:
    return a + b if is_static(a) and is_static(b) else DYNAMIC_STRIDE


def subview_type(
    source: ir.MemRefType,
    offsets: Sequence[int],
    sizes: Sequence[int],
    steps: Sequence[int],
    result_shape: Sequence[int],
) -> ir.MemRefType:
    """The type of a subview; dynamic numbers are given as the dynamic marker."""
    strides, offset = source.get_strides_and_offset()
    for start, stride in zip(offsets, strides, strict=True):
        offset = _sum(offset, 0 if start == 0 else _product(start, stride))
    dropped = dropped_dimensions(sizes, result_shape)
    kept = [
        _product(stride, step)
        for dim, (stride, step) in enumerate(zip(strides, steps, strict=True))
        if dim not in dropped
    ]
    layout = ir.StridedLayoutAttr.get(offset, kept)
    return ir.MemRefType.get(list(result_shape), source.element_type, layout, source.memory_space)


def expanded_type(
    source: ir.MemRefType, groups: Sequence[Sequence[int]], shape: Sequence[int]
) -> ir.MemRefType | None:
    """The type after `expand_shape`; None when the layout cannot be expressed."""
    if is_identity(source):
        return ir.MemRefType.get(list(shape), source.element_type)
    if not groups:
        return None
    strides, offset = source.get_strides_and_offset()
    result = [0] * len(shape)
    for group, stride in zip(groups, strides, strict=True):
        for dim in reversed(group):
            result[dim] = stride
            stride = _product(stride, shape[dim])
    return ir.MemRefType.get(list(shape), source.element_type, ir.StridedLayoutAttr.get(offset, result))


def collapsed_type(
    source: ir.MemRefType, groups: Sequence[Sequence[int]], shape: Sequence[int]
) -> ir.MemRefType | None:
    """The type after `collapse_shape`; None when a group is not provably contiguous."""
    if is_identity(source):
        return ir.MemRefType.get(list(shape), source.element_type)
    strides, offset = source.get_strides_and_offset()
    sizes = list(source.shape)
    if not groups:
        return None
    result = []
    for group in groups:
        real = [d for d in group if sizes[d] != 1] or [group[-1]]
        for outer, inner in pairwise(real):
            expected = _product(strides[inner], sizes[inner])
            if not is_static(expected) or strides[outer] != expected:
                return None
        result.append(_collapsed_stride(group, sizes, strides))
    return ir.MemRefType.get(list(shape), source.element_type, ir.StridedLayoutAttr.get(offset, result))


def _collapsed_stride(group: Sequence[int], sizes: Sequence[int], strides: Sequence[int]) -> int:
    """The stride that the verifier of `memref.collapse_shape` expects for a group."""
    last = list(group)
    while len(last) > 1 and sizes[last[-1]] == 1:
        last.pop()
    return strides[last[-1]]
