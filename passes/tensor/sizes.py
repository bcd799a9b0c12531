"""The sizes of tensors, as operations that build tensors take them."""

from __future__ import annotations

from ...dialects.host import arith, ir, tensor


def sizes_of(value: ir.Value) -> list[int | ir.Value]:
    """Of each dimension: a number, or what `tensor.dim` tells where it is open. Needs an insertion point."""
    shaped = ir.ShapedType(value.type)
    return [
        tensor.dim(value, arith.constant(ir.IndexType.get(), d)) if shaped.is_dynamic_dim(d) else size
        for d, size in enumerate(shaped.shape)
    ]
