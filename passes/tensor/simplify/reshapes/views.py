"""Makes the view of a tensor that an operation reads by plain dimensions, out of indices that are sums of digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from .....dialects.affine.expressions import dim_position
from .....dialects.host import arith, ir, tensor
from .....dialects.structured import element_type
from .digits import DigitSum, IteratorDigit
from .read_chain import shape_of

_SEEN = IteratorDigit(1, 0, 1, None)  # stands for whatever indexes a dimension that is only cropped


@dataclass(frozen=True)
class _Extent:
    """A dimension of the view's source after splitting: `count` of `size` positions from `offset` are seen.

    Without a digit only position `offset` is, and the view drops the dimension. None is an open size.
    """

    size: int | None
    offset: int = 0
    count: int | None = 1
    digit: IteratorDigit | None = None

    @property
    def is_whole(self) -> bool:
        return self.offset == 0 and self.size == self.count and self.digit is not None


@dataclass(frozen=True)
class ViewPlan:
    """How to see a tensor so that each dimension of the view is indexed by one digit.

    Attributes:
        extents: for each dimension of the tensor, what it is split into.
    """

    extents: tuple[tuple[_Extent, ...], ...]

    @property
    def digits(self) -> list[IteratorDigit]:
        """The digit that indexes each dimension of the view."""
        return [e.digit for group in self.extents for e in group if e.digit is not None]

    def build(self, value: ir.Value) -> ir.Value:
        """Makes the view at the current insertion point; the tensor itself if there is nothing to do."""
        if any(len(group) > 1 for group in self.extents):
            value = self._expand(value)
        extents = [e for group in self.extents for e in group]
        return value if all(e.is_whole for e in extents) else _slice(value, extents)

    def _expand(self, value: ir.Value) -> ir.Value:
        groups: list[list[int]] = []
        sizes: list[int | ir.Value] = []
        for d, group in enumerate(self.extents):
            groups.append(list(range(len(sizes), len(sizes) + len(group))))
            inner = prod(e.size for e in group if e.size is not None)
            sizes += [open_part(value, d, inner) if e.size is None else e.size for e in group]
        return expand(value, groups, sizes)


@dataclass(frozen=True)
class Crop:
    """The first positions of some dimensions: an iterator that alone indexes one has as many values.

    Attributes:
        counts: how many positions of each dimension are seen; None for all.
    """

    counts: tuple[int | None, ...]

    def build(self, value: ir.Value) -> ir.Value:
        """Makes the slice at the current insertion point."""
        return _slice(
            value,
            [
                _Extent(size, 0, size if count is None else count, _SEEN)
                for size, count in zip(shape_of(value), self.counts, strict=True)
            ],
        )


def plan_crop(shape: Sequence[int | None], access: ir.AffineMap, loops: Sequence[int | None]) -> Crop | None:
    """What a tensor that is read by `access` must be cropped to; None when nothing is to be done.

    Args:
        loops: the sizes of the map's iterators.
    """
    counts: list[int | None] = []
    for size, expr in zip(shape, access.results, strict=True):
        position = dim_position(expr)
        count = None if position is None else loops[position]
        counts.append(None if count == size else count)
    return None if all(count is None for count in counts) else Crop(tuple(counts))


def plan_view(shape: Sequence[int | None], index: Sequence[DigitSum]) -> ViewPlan | None:
    """The view in which every index is a plain digit; None when there is none."""
    extents: list[tuple[_Extent, ...]] = []
    for size, form in zip(shape, index, strict=True):
        group = _split_dimension(size, form)
        if group is None:
            return None
        extents.append(tuple(group))
    return ViewPlan(tuple(extents))


def _split_dimension(size: int | None, form: DigitSum) -> list[_Extent] | None:
    """The parts of one dimension, outermost first."""
    if not form.digits:
        return [_Extent(size, form.constant)]
    parts: list[_Extent] = []
    stride = 1
    digits = list(reversed(form.digits))
    for digit, above in zip(digits, [*digits[1:], None], strict=True):
        c = digit.coefficient
        upper = size if above is None else above.coefficient
        if c <= 0 or c % stride or (upper is not None and upper % c):
            return None
        if c > stride:
            parts.append(_Extent(c // stride, form.constant // stride % (c // stride)))
        offset = form.constant // c
        if upper is None:
            if digit.count is None and offset:
                return None
            parts.append(_Extent(None, offset, digit.count, digit))
            break
        extent = upper // c
        offset = offset if above is None else offset % extent
        if digit.count is None or offset + digit.count > extent:
            return None
        parts += _cut(extent, offset, digit.count, digit)
        stride = upper
    return list(reversed(parts))


def _cut(extent: int, offset: int, count: int, digit: IteratorDigit) -> list[_Extent]:
    """`count` positions from `offset`, innermost first: as a whole part of a further dimension where they are one."""
    if count and extent % count == 0 and offset % count == 0 and extent != count:
        return [_Extent(count, 0, count, digit), _Extent(extent // count, offset // count)]
    return [_Extent(extent, offset, count, digit)]


def _slice(value: ir.Value, extents: Sequence[_Extent]) -> ir.Value:
    shape = shape_of(value)
    sizes: list[ir.Value] = []
    static: list[int] = []
    for d, e in enumerate(extents):
        count = 1 if e.digit is None else e.count
        if count is None:
            sizes.append(tensor.dim(value, arith.constant(ir.IndexType.get(), d)))
        static.append(ir.ShapedType.get_dynamic_size() if count is None else count)
    kept = [s for s, e in zip(static, extents, strict=True) if e.digit is not None]
    kind = ir.RankedTensorType.get(kept, element_type(value.type))
    offsets = [e.offset for e in extents]
    return tensor.ExtractSliceOp(kind, value, [], sizes, [], offsets, static, [1] * len(shape)).result


# -- reshapes with open sizes -----------------------------------------------------------------------------------


def open_part(value: ir.Value, dim: int, inner: int) -> ir.Value:
    """The open size that is left of a dimension when `inner` is split off."""
    size = tensor.dim(value, arith.constant(ir.IndexType.get(), dim))
    return size if inner == 1 else arith.divui(size, arith.constant(ir.IndexType.get(), inner))


def expand(value: ir.Value, groups: list[list[int]], sizes: Sequence[int | ir.Value]) -> ir.Value:
    """`tensor.expand_shape` to `sizes`; the value itself when no dimension is split."""
    if all(len(g) == 1 for g in groups):
        return value
    static = [s if isinstance(s, int) else ir.ShapedType.get_dynamic_size() for s in sizes]
    kind = ir.RankedTensorType.get(static, element_type(value.type))
    dynamic = [s for s in sizes if isinstance(s, ir.Value)]
    return tensor.ExpandShapeOp(kind, value, groups, dynamic, static).result


def collapse(value: ir.Value, groups: list[list[int]], kind: ir.Type) -> ir.Value:
    """`tensor.collapse_shape` to a type; the value itself when no dimensions are merged."""
    if all(len(g) == 1 for g in groups):
        return value
    return tensor.CollapseShapeOp(kind, value, groups).result
