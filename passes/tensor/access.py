"""How a `linalg.generic` on buffers touches its operands along one iterator."""

from typing import Literal

from ...dialects.affine.expressions import dim_position
from ...dialects.affine.linear import coefficient
from ...dialects.affine.maps import results_along
from ...dialects.host import arith, ir, memref
from ...dialects.structured import Structured

AccessKind = Literal["uniform", "contiguous", "scattered"]


def access_kind(value: ir.Value, amap: ir.AffineMap, iterator: int) -> AccessKind:
    """How a buffer is read or written along an iterator.

    Elements of less than a byte count as scattered: a vector of them is packed, memory is not. A scalar
    operand is uniform.
    """
    if not isinstance(value.type, ir.MemRefType):
        return "uniform"
    touched = results_along(amap, iterator)
    if not touched:
        return "uniform"
    memref = ir.MemRefType(value.type)
    strides, _ = memref.get_strides_and_offset()
    last = len(amap.results) - 1
    unit = touched == [last] and strides[last] == 1 and coefficient(amap.results[last], iterator) == 1
    return "contiguous" if unit and element_bits(memref.element_type) >= 8 else "scattered"


def has_strides(view: Structured) -> bool:
    """Whether the layouts of all buffers are strides and an offset; other maps have no neighbours to speak of."""
    return all(_is_strided(ir.MemRefType(v.type)) for v in view.operands if isinstance(v.type, ir.MemRefType))


def _is_strided(kind: ir.MemRefType) -> bool:
    try:
        kind.get_strides_and_offset()
    except RuntimeError:
        return False
    return True


def element_bits(kind: ir.Type) -> int:
    """Bits of one element of a buffer or tensor, or of a scalar, in a register; 64 for `index`."""
    element = kind.element_type if isinstance(kind, ir.MemRefType | ir.RankedTensorType) else kind
    width = getattr(element, "width", None)
    return 64 if width is None else int(width)


def stride_along(value: ir.Value, amap: ir.AffineMap, iterator: int) -> int | None:
    """Elements between neighbours along an iterator; 0 for a scalar, None when it is not one known number."""
    if not isinstance(value.type, ir.MemRefType):
        return 0
    strides, _ = ir.MemRefType(value.type).get_strides_and_offset()
    unknown = ir.ShapedType.get_dynamic_stride_or_offset()
    total = 0
    for expr, stride in zip(amap.results, strides, strict=True):
        factor = coefficient(expr, iterator)
        if factor is None or (factor and stride == unknown):
            return None
        total += factor * stride if factor else 0
    return total


def size_value(view: Structured, iterator: int) -> ir.Value:
    """The run-time trip count of an iterator, from an operand that has it as a plain dimension."""
    for value, amap in zip(view.operands, view.maps, strict=True):
        for dim, expr in enumerate(amap.results):
            if dim_position(expr) == iterator:
                return memref.dim(value, arith.constant(ir.IndexType.get(), dim))
    raise ValueError(f"no operand has iterator {iterator} as a plain dimension")
