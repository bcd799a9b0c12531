"""The sizes of tensors, as operations that build tensors take them. All but `TensorSize` need an insertion point."""

from __future__ import annotations

from ...dialects.host import arith, ir, tensor

TensorSize = int | ir.Value
"""A size that is known, or one that a run tells, as an index."""

Mixed = list[TensorSize]
"""Sizes, offsets or strides of all dimensions."""


def constant_index(number: int) -> ir.Value:
    """A number as a value."""
    return arith.constant(ir.IndexType.get(), number)


def size_of(value: ir.Value, dimension: int) -> TensorSize:
    """The number of elements along a dimension: a number, or what `tensor.dim` tells where it is open."""
    shaped = ir.ShapedType(value.type)
    if shaped.is_dynamic_dim(dimension):
        return tensor.dim(value, constant_index(dimension))
    return shaped.get_dim_size(dimension)


def sizes_of(value: ir.Value) -> list[TensorSize]:
    """The sizes of all dimensions."""
    return [size_of(value, d) for d in range(ir.ShapedType(value.type).rank)]


def size_value(value: ir.Value, dimension: int) -> ir.Value:
    """The number of elements along a dimension as a value, also where it is known."""
    size = size_of(value, dimension)
    return constant_index(size) if isinstance(size, int) else size
