"""Reads a contraction's operand at offsets that are counted up, not computed from subscripts anew.

What differs between the elements of a tile is then a constant, which is part of an instruction's address, and each
loop adds its stride to one number.
"""

from collections.abc import Mapping, Sequence

from .....dialects.affine.expressions import constant_value, emit_affine, keep_dims, substitute, used_dims
from .....dialects.affine.linear import coefficient
from .....dialects.constants import zeros
from .....dialects.host import arith, ir, memref, vector

_DYNAMIC = ir.ShapedType.get_dynamic_stride_or_offset()
Offset = int | ir.Value


def index(value: Offset) -> ir.Value:
    """A number of elements as a value of type index."""
    return arith.constant(ir.IndexType.get(), value) if isinstance(value, int) else value


def add(left: Offset, right: Offset) -> Offset:
    if isinstance(left, int) and isinstance(right, int):
        return left + right
    if left == 0 and isinstance(left, int):
        return right
    if right == 0 and isinstance(right, int):
        return left
    return arith.addi(index(left), index(right))


def multiply(left: Offset, right: Offset) -> Offset:
    if isinstance(left, int) and isinstance(right, int):
        return left * right
    for one, other in ((left, right), (right, left)):
        if isinstance(one, int) and one in (0, 1):
            return other if one else 0
    return arith.muli(index(left), index(right))


class FlatOperand:
    """A memref as one row of elements, and the place in it where a tile begins.

    Attributes:
        element: type of the elements.
        offset: of the tile's first element, all reduction iterators being zero.
    """

    def __init__(self, value: ir.Value, amap: ir.AffineMap, bases: Mapping[int, ir.Value]) -> None:
        """Emits what leads to the first element.

        Args:
            bases: the tile's first point; iterators that are not among them are zero.
        """
        self._map = amap
        kind = ir.MemRefType(value.type)
        self.element = kind.element_type
        static, offset = kind.get_strides_and_offset()
        self._strides: list[Offset] = list(static)
        if _DYNAMIC in static or offset == _DYNAMIC or not kind.has_static_shape:
            self._flat = self._from_metadata(value, kind, static)
        else:
            span = 1 + sum((n - 1) * s for n, s in zip(kind.shape, static, strict=True))
            self._flat = _flat_view(kind, value, offset, max(span, 0))
        self.offset: Offset = 0
        for expr, stride in zip(amap.results, self._strides, strict=True):
            self.offset = add(self.offset, multiply(_evaluate(expr, bases), stride))

    def _from_metadata(self, value: ir.Value, kind: ir.MemRefType, static: Sequence[int]) -> ir.Value:
        source, offset, *rest = memref.ExtractStridedMetadataOp(value).operation.results
        sizes, strides = rest[: kind.rank], rest[kind.rank :]
        self._strides = [s if s != _DYNAMIC else v for s, v in zip(static, strides, strict=True)]
        span: Offset = 1
        for dim, stride in enumerate(self._strides):
            size = sizes[dim] if kind.is_dynamic_dim(dim) else kind.get_dim_size(dim)
            span = add(span, multiply(add(size, -1), stride))
        return _flat_view(kind, source, offset, span)

    def step(self, iterator: int) -> Offset:
        """Elements between neighbours along an iterator in which the map is linear."""
        return self.distance(self._map, iterator)

    def distance(self, amap: ir.AffineMap, iterator: int) -> Offset:
        """The same for another map to the operand's dimensions."""
        total: Offset = 0
        for expr, stride in zip(amap.results, self._strides, strict=True):
            factor = coefficient(expr, iterator)
            assert factor is not None, "linear by the choice of schedules"
            total = add(total, multiply(factor, stride))
        return total

    def scalar(self, offset: Offset) -> ir.Value:
        return memref.load(self._flat, [index(offset)])

    def vector(self, offset: Offset, lanes: int) -> ir.Value:
        kind = ir.VectorType.get([lanes], self.element)
        return vector.LoadOp(kind, self._flat, [index(offset)]).result

    def masked_vector(self, offset: Offset, mask: ir.Value, lanes: int) -> ir.Value:
        kind = ir.VectorType.get([lanes], self.element)
        return vector.maskedload(kind, self._flat, [index(offset)], mask, zeros(kind))

    def prefetch(self, offset: Offset) -> None:
        """Brings an element's line into the first-level cache; it may lie outside of the operand."""
        memref.PrefetchOp(self._flat, [index(offset)], False, 3, True)


def is_linear(amap: ir.AffineMap, iterator: int) -> bool:
    """Whether the map's results change by constants along an iterator."""
    return all(coefficient(e, iterator) is not None for e in amap.results)


def _flat_view(kind: ir.MemRefType, source: ir.Value, offset: Offset, span: Offset) -> ir.Value:
    """`source` as a memref of `span` elements side by side, from an offset on."""
    static_offset, offsets = (offset, []) if isinstance(offset, int) else (_DYNAMIC, [offset])
    static_span, spans = (span, []) if isinstance(span, int) else (ir.ShapedType.get_dynamic_size(), [span])
    layout = ir.StridedLayoutAttr.get(static_offset, [1]) if static_offset != 0 else None
    flat = ir.MemRefType.get([static_span], kind.element_type, layout, kind.memory_space)
    op = memref.ReinterpretCastOp(flat, source, offsets, spans, [], [static_offset], [static_span], [1])
    return op.result


def _evaluate(expr: ir.AffineExpr, bases: Mapping[int, ir.Value]) -> Offset:
    """The value of a subscript at a point; iterators without a value are zero."""
    known = sorted(i for i in used_dims(expr) if i in bases)
    local = substitute(expr, keep_dims(known, 1 + max(used_dims(expr), default=0)))
    value = constant_value(local)
    return value if value is not None else emit_affine(local, lambda number: bases[known[number]])
