"""Recognises an image that was spread out: its elements lie some steps apart, with zeros between and around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from .....dialects.constants import constant_attribute, splat_attribute
from .....dialects.host import ir, tensor
from .....dialects.reshapes import reassociation
from ...simplify.reshapes.read_chain import shape_of
from ...simplify.reshapes.views import expand, open_part
from ...uniform import underlying_empty, uniform_scalar


@dataclass(frozen=True)
class SpreadTensor:
    """A tensor in terms of another: element i of a dimension is the source's (i - low) / step, zero where that is none.

    Attributes:
        lows / steps: for each dimension.
        splits: for each dimension of the source: the sizes of the dimensions that it became; None for a single one.
    """

    source: ir.Value
    lows: tuple[int, ...]
    steps: tuple[int, ...]
    splits: tuple[tuple[int, ...] | None, ...]

    @property
    def shape(self) -> list[int | None]:
        """Sizes of the source's dimensions, those that became several being split."""
        sizes: list[int | None] = []
        for size, split in zip(shape_of(self.source), self.splits, strict=True):
            sizes += [size] if split is None else split
        return sizes

    def build(self) -> ir.Value:
        """The source, its dimensions split, at the current insertion point."""
        groups: list[list[int]] = []
        sizes: list[int | ir.Value] = []
        for d, split in enumerate(self.splits):
            count = 1 if split is None else len(split)
            groups.append(list(range(len(sizes), len(sizes) + count)))
            size = shape_of(self.source)[d]
            whole = open_part(self.source, d, 1) if size is None and split is None else size or 0
            sizes += [whole] if split is None else split
        return expand(self.source, groups, sizes)


def find_spread(value: ir.Value) -> SpreadTensor | None:
    """What an image was spread from; None when its elements lie side by side."""
    found = _find(value)
    return found if found is not None and max(found.steps, default=1) > 1 else None


def _find(value: ir.Value) -> SpreadTensor | None:
    owner: Any = value.owner
    if isinstance(owner, ir.Block) or not isinstance(value.type, ir.RankedTensorType):
        return None
    if isinstance(owner, tensor.InsertSliceOp):
        return _of_insertion(owner)
    if isinstance(owner, tensor.PadOp):
        return _of_padding(owner)
    if isinstance(owner, tensor.ExtractSliceOp):
        return _of_slice(owner)
    if isinstance(owner, tensor.CollapseShapeOp):
        return _of_interleaving(owner)
    return _of_split(owner) if isinstance(owner, tensor.ExpandShapeOp) else None


def _plain(value: ir.Value) -> SpreadTensor:
    rank = ir.ShapedType(value.type).rank
    return SpreadTensor(value, (0,) * rank, (1,) * rank, (None,) * rank)


def _of_insertion(op: Any) -> SpreadTensor | None:
    """`tensor.insert_slice %x into %zeros[1, 1] [5, 5] [2, 2]`."""
    rank = ir.ShapedType(op.source.type).rank
    offsets, steps = list(op.static_offsets), list(op.static_strides)
    unknown = ir.ShapedType.get_dynamic_size()
    if len(offsets) != rank or unknown in offsets or unknown in steps or not _is_zero(_scalar(op.dest)):
        return None
    if not _fills_open_dimensions(op):
        return None
    return SpreadTensor(op.source, tuple(offsets), tuple(steps), (None,) * rank)


def _fills_open_dimensions(op: Any) -> bool:
    """Whether the source is as long as its destination along all dimensions of open size."""
    shape, empty = shape_of(op.dest), underlying_empty(op.dest)
    if None not in shape:
        return True
    owner: Any = None if empty is None else empty.owner
    given = iter(() if owner is None else owner.operands)
    wanted = iter(op.sizes)
    for size, static in zip(shape, op.static_sizes, strict=True):
        inserted = next(wanted) if static == ir.ShapedType.get_dynamic_size() else None
        if size is None and (inserted is None or next(given, None) != inserted):
            return False
    return True


def _of_padding(op: Any) -> SpreadTensor | None:
    inside = _find(op.source) or _plain(op.source)
    low, high = list(op.static_low), list(op.static_high)
    if not _is_zero(_padding(op)) or any(n < 0 for n in (*low, *high)):
        return None
    return replace(inside, lows=tuple(a + b for a, b in zip(inside.lows, low, strict=True)))


def _of_slice(op: Any) -> SpreadTensor | None:
    """Only zeros behind the last element may be cut off."""
    inside = _find(op.source)
    same_rank = ir.ShapedType(op.source.type).rank == ir.ShapedType(op.result.type).rank
    if inside is None or not same_rank:
        return None
    if any(n != 0 for n in op.static_offsets) or any(n != 1 for n in op.static_strides):
        return None
    sizes, before = shape_of(op.result), shape_of(op.source)
    for d, count in enumerate(inside.shape):
        if sizes[d] == before[d] and sizes[d] is not None:
            continue
        size = sizes[d]
        if size is None or count is None or inside.lows[d] + (count - 1) * inside.steps[d] >= size:
            return None
    return inside


def _of_interleaving(op: Any) -> SpreadTensor | None:
    """`[n] -> [n, 1] -> [n, 2], padded with zeros -> [2 n]`."""
    pad: Any = op.src.owner
    if isinstance(pad, ir.Block) or not isinstance(pad, tensor.PadOp) or not _is_zero(_padding(pad)):
        return None
    opened: Any = pad.source.owner
    if isinstance(opened, ir.Block) or not isinstance(opened, tensor.ExpandShapeOp):
        return None
    if any(n != 0 for n in pad.static_low):
        return None
    groups, narrow, high = reassociation(op), shape_of(pad.source), list(pad.static_high)
    between = {k for group in groups for k in group[1:]}
    kept = [[narrow[k] for k in group if k not in between] for group in reassociation(opened)]
    inside = _split(_find(opened.src) or _plain(opened.src), opened.src, kept)
    if inside is None:
        return None
    lows, steps = list(inside.lows), list(inside.steps)
    for d, group in enumerate(groups):
        more = [high[k] for k in group]
        if not any(more):
            if len(group) > 1:
                return None
            continue
        if len(group) != 2 or more[0] != 0 or narrow[group[1]] != 1 or more[1] < 0:
            return None
        lows[d], steps[d] = lows[d] * (1 + more[1]), steps[d] * (1 + more[1])
    return replace(inside, lows=tuple(lows), steps=tuple(steps))


def _of_split(op: Any) -> SpreadTensor | None:
    """Channels that become groups of channels: dimensions that are not spread may be split."""
    inside, shape = _find(op.src), shape_of(op.result)
    return inside and _split(inside, op.src, [[shape[k] for k in group] for group in reassociation(op)])


def _split(
    inside: SpreadTensor, whole: ir.Value, groups: Sequence[Sequence[int | None]]
) -> SpreadTensor | None:
    """Dimensions of `whole`, which is spread as `inside` says, that become several each of the given sizes."""
    if all(len(sizes) == 1 for sizes in groups):
        return inside
    lows: list[int] = []
    steps: list[int] = []
    parts: list[
        tuple[int | None, ...]
    ] = []  # of each dimension of `whole`: the sizes that the source's takes
    shape, before = shape_of(whole), inside.shape
    for d, sizes in enumerate(groups):
        part = _part(sizes, before[d], is_spread=inside.lows[d] != 0 or before[d] != shape[d])
        if part is None:
            return None
        parts.append(tuple(part))
        at = max(range(len(sizes)), key=[size or 0 for size in sizes].__getitem__)
        lows += [inside.lows[d] if k == at else 0 for k in range(len(sizes))]
        steps += [inside.steps[d] if k == at else 1 for k in range(len(sizes))]
    splits: list[tuple[int, ...] | None] = []
    rest = iter(parts)
    for split in inside.splits:
        sizes = [size for _ in split or (None,) for size in next(rest)]
        splits.append(None if len(sizes) == 1 else tuple(size or 0 for size in sizes))
    return replace(inside, lows=tuple(lows), steps=tuple(steps), splits=tuple(splits))


def _part(sizes: Sequence[int | None], before: int | None, *, is_spread: bool) -> Sequence[int | None] | None:
    """The sizes that a dimension of `before` elements splits into, as its spread form splits into `sizes`.

    One that is spread may only have dimensions of size one put beside it.
    """
    if len(sizes) == 1:
        return [before]
    if not sizes or before is None or None in sizes:
        return None
    if not is_spread:
        return sizes
    larger = [k for k, size in enumerate(sizes) if size != 1]
    return [before if k == larger[0] else 1 for k in range(len(sizes))] if len(larger) == 1 else None


def _scalar(value: ir.Value) -> Any:
    """The scalar or attribute that fills a tensor."""
    return splat_attribute(value) or uniform_scalar(value) if not isinstance(value.owner, ir.Block) else None


def _padding(op: Any) -> Any:
    *_, end = op.regions[0].blocks[0].operations
    return end.operands[0]


def _is_zero(number: Any) -> bool:
    """Whether a scalar, or an attribute, is the constant zero."""
    attribute = constant_attribute(number) if isinstance(number, ir.Value) else number
    return isinstance(attribute, (ir.FloatAttr, ir.IntegerAttr)) and attribute.value == 0
