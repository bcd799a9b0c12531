"""Operators that change shapes and places of elements, and those that make tensors of a shape."""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch.nn import functional as F

from ..registry import operator
from ..types import torch_type
from ..values import (
    MOST_PLACES,
    Sizes,
    Unsupported,
    dimension,
    dimensions,
    full_like_constant,
    integer,
    integers,
    is_known,
    known,
    number,
    numbers,
    refuse_unless,
)


@operator("Reshape")
def reshape(x: torch.Tensor, shape: Any, *, allowzero: int = 0, consumed_inputs: Any = None) -> torch.Tensor:
    """0 keeps a size, -1 is what is left."""
    sizes = integers(shape)
    if not allowzero:
        sizes = [x.shape[d] if size == 0 else size for d, size in enumerate(sizes)]
    if -1 in sizes and 0 not in sizes and x.numel() == 0:
        sizes = [0 if size == -1 else size for size in sizes]
    return x.reshape(sizes)


@operator("Flatten")
def flatten(x: torch.Tensor, *, axis: int = 1) -> torch.Tensor:
    """To a matrix whose rows are the dimensions before `axis`."""
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape([math.prod(x.shape[:axis]), math.prod(x.shape[axis:])])


@operator("Squeeze")
def squeeze(x: torch.Tensor, axes: Any = None) -> torch.Tensor:
    """Without the dimensions of size one that are named, or without all."""
    dims = [d for d, size in enumerate(x.shape) if size == 1] if axes is None else dimensions(axes, x.dim())
    refuse_unless(all(x.shape[d] == 1 for d in dims), f"a dimension of {list(x.shape)} that is not one")
    return x.reshape([size for d, size in enumerate(x.shape) if d not in dims])


@operator("Unsqueeze")
def unsqueeze(x: torch.Tensor, axes: Any) -> torch.Tensor:
    """With dimensions of size one at places of the result."""
    listed = integers(axes)
    rank = x.dim() + len(listed)
    for axis in sorted(dimension(a, rank) for a in listed):
        x = x.unsqueeze(axis)
    return x


@operator("Transpose")
def transpose(x: torch.Tensor, *, perm: list[int] | None = None) -> torch.Tensor:
    """Dimensions in another order, reversed by default."""
    return x.permute(perm if perm is not None else list(reversed(range(x.dim()))))


@operator("Expand")
def expand(x: torch.Tensor, shape: Any) -> torch.Tensor:
    """To a shape, where either may have ones."""
    sizes = integers(shape)
    rank = max(len(sizes), x.dim())
    have = [1] * (rank - x.dim()) + list(x.shape)
    want = [1] * (rank - len(sizes)) + sizes
    return x.expand([h if isinstance(w, int) and w == 1 else w for h, w in zip(have, want, strict=True)])


@operator("Tile")
def tile(x: torch.Tensor, repeats: Any, axis: Any = None) -> torch.Tensor:
    """Repeated along each dimension; until version 5 `axis` names the one."""
    if axis is not None:
        counts = [1] * x.dim()
        counts[dimension(axis, x.dim())] = integer(repeats)
        return x.repeat(counts)
    return x.repeat(integers(repeats))


@operator("Concat")
def concat(*tensors: torch.Tensor, axis: int = 1) -> torch.Tensor:
    """One behind the other along a dimension."""
    return torch.cat(tensors, dimension(axis, tensors[0].dim()))


@operator("Split")
def split(
    x: torch.Tensor, split: Any = None, *, axis: int = 0, num_outputs: int | None = None, outputs: int
) -> tuple[torch.Tensor, ...]:
    """Into parts of given or of equal sizes, of which the last may be smaller."""
    dim = dimension(axis, x.dim())
    if split is not None:
        return torch.split(x, integers(split), dim)
    size = -(-x.shape[dim] // (num_outputs or outputs))
    starts = [min(k * size, x.shape[dim]) for k in range((num_outputs or outputs) + 1)]
    return tuple(x.narrow(dim, a, b - a) for a, b in itertools.pairwise(starts))


@operator("Slice")
def take_slice(x: torch.Tensor, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> torch.Tensor:
    """Python's slices with bounds that are clamped."""
    first, last = integers(starts), integers(ends)
    dims = list(range(len(first))) if axes is None else dimensions(axes, x.dim())
    strides = [1] * len(first) if steps is None else integers(steps)
    for dim, start, end, step in zip(dims, first, last, strides, strict=True):
        x = _slice_along(x, dim, start, end, step)
    return x


def _slice_along(x: torch.Tensor, dim: int, start: Any, end: Any, step: int) -> torch.Tensor:
    size = x.shape[dim]
    if step > 0:
        return torch.ops.aten.slice.Tensor(x, dim, start, end, step)
    if not isinstance(size, int):
        refuse_unless(start in (-1, 2**63 - 1) and end < -(2**31), "a slice backwards of a size left open")
        return torch.ops.aten.slice.Tensor(torch.flip(x, [dim]), dim, 0, 2**63 - 1, -step)
    taken = range(*slice(start, end, step).indices(size))
    if not taken:
        return x.narrow(dim, 0, 0)
    forwards = torch.ops.aten.slice.Tensor(x, dim, taken[-1], taken[0] + 1, -step)
    return torch.flip(forwards, [dim])


@operator("Shape")
def shape_of(x: torch.Tensor, *, start: int = 0, end: int | None = None) -> Any:
    """The sizes of dimensions from `start` to `end`."""
    sizes = list(x.shape)[start:end]
    return full_like_constant(sizes, torch.int64) if _are_numbers(sizes) else Sizes(sizes)


@operator("Size")
def size_of(x: torch.Tensor) -> Any:
    """How many elements there are."""
    size = math.prod(x.shape)
    return full_like_constant(size, torch.int64) if _are_numbers([size]) else Sizes(size)


def _are_numbers(sizes: list[Any]) -> bool:
    return all(isinstance(size, int) for size in sizes)


@operator("ConstantOfShape")
def constant_of_shape(shape: Any, *, value: torch.Tensor | None = None) -> torch.Tensor:
    """Filled with one number, the f32 zero by default."""
    if value is None:
        return torch.full(integers(shape), 0.0, dtype=torch.float32)
    return torch.full(integers(shape), number(value), dtype=value.dtype)


@operator("Constant")
def constant(**values: Any) -> Any:
    """What the one attribute holds."""
    ((kind, value),) = values.items()
    if isinstance(value, torch.Tensor):
        return value
    if kind.startswith(("value_float", "value_int")):
        return full_like_constant(value, torch.float32 if "float" in kind else torch.int64)
    raise Unsupported(f"constants of the kind '{kind}'")


@operator("Range")
def arithmetic_progression(start: Any, limit: Any, delta: Any, *, stash_type: int = 1) -> torch.Tensor:
    """From the start up to the limit by the step."""
    if any(isinstance(v, Sizes) for v in (start, limit, delta)):
        return torch.arange(integer(start), integer(limit), integer(delta))
    count = max(math.ceil((number(limit) - number(start)) / number(delta)), 0)
    if not start.is_floating_point():
        return (torch.arange(count) * number(delta) + number(start)).to(start.dtype)
    steps = torch.arange(count, dtype=torch.float32 if start.dtype != torch.float64 else torch.float64)
    return (steps * number(delta) + number(start)).to(start.dtype)


@operator("EyeLike")
def eye_like(x: torch.Tensor, *, dtype: int | None = None, k: int = 0) -> torch.Tensor:
    """Ones on a diagonal of a matrix of the same shape."""
    rows, columns = torch.arange(x.shape[0])[:, None], torch.arange(x.shape[1])[None, :]
    return (columns - rows == k).to(x.dtype if dtype is None else torch_type(dtype))


@operator("Trilu")
def triangle(x: torch.Tensor, k: Any = None, *, upper: int = 1) -> torch.Tensor:
    """One triangle of each matrix, zero elsewhere."""
    diagonal = 0 if k is None else integer(k)
    rows, columns = torch.arange(x.shape[-2])[:, None], torch.arange(x.shape[-1])[None, :]
    kept = columns - rows >= diagonal if upper else columns - rows <= diagonal
    return torch.where(kept, x, torch.zeros_like(x))


@operator("DepthToSpace")
def depth_to_space(x: torch.Tensor, *, blocksize: int, mode: str = "DCR") -> torch.Tensor:
    """Blocks of channels become blocks of pixels."""
    n, c, h, w = x.shape
    b, inner = blocksize, c // (blocksize * blocksize)
    if mode == "CRD":
        blocks = x.reshape([n, inner, b, b, h, w]).permute(0, 1, 4, 2, 5, 3)
    else:
        blocks = x.reshape([n, b, b, inner, h, w]).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape([n, inner, h * b, w * b])


@operator("SpaceToDepth")
def space_to_depth(x: torch.Tensor, *, blocksize: int, mode: str = "DCR") -> torch.Tensor:
    """Blocks of pixels become blocks of channels."""
    n, c, h, w = x.shape
    b = blocksize
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    blocks = x.reshape([n, c, h // b, b, w // b, b]).permute(order)
    return blocks.reshape([n, c * b * b, h // b, w // b])


@operator("Pad")
def pad(
    x: torch.Tensor,
    pads: Any = None,
    value: Any = None,
    axes: Any = None,
    *,
    mode: str = "constant",
    paddings: list[int] | None = None,
) -> torch.Tensor:
    """Elements before and behind each dimension; negative numbers cut."""
    listed = integers(pads if pads is not None else paddings)
    dims = dimensions(axes, x.dim())
    before, after = [0] * x.dim(), [0] * x.dim()
    for k, dim in enumerate(dims):
        before[dim], after[dim] = listed[k], listed[k + len(dims)]
    if mode != "constant":
        return _pad_from_inside(x, before, after, mode)
    if isinstance(value, torch.Tensor) and value.numel() == 0:
        value = None
    amounts = [n for b, a in zip(reversed(before), reversed(after), strict=True) for n in (b, a)]
    if isinstance(value, torch.Tensor) and not is_known(value):
        outside = F.pad(torch.zeros_like(x, dtype=torch.int32), amounts, value=1) != 0
        return torch.where(outside, value.to(x.dtype).reshape([]), F.pad(x, amounts))
    filled = number(value, 0)
    if x.dtype == torch.bool:
        return F.pad(x.to(torch.int32), amounts, value=int(filled)) != 0
    return F.pad(x, amounts, value=filled if x.is_floating_point() else int(filled))


def _pad_from_inside(x: torch.Tensor, before: list[int], after: list[int], mode: str) -> torch.Tensor:
    refuse_unless(mode in ("reflect", "edge", "wrap"), f"the mode '{mode}'")
    for dim, (low, high) in enumerate(zip(before, after, strict=True)):
        if low == high == 0:
            continue
        size = x.shape[dim]
        refuse_unless(isinstance(size, int), f"the mode '{mode}' along a size that is left open")
        refuse_unless(
            0 <= low <= MOST_PLACES and 0 <= high <= MOST_PLACES, f"the mode '{mode}' and pads {[low, high]}"
        )
        with_ends = [_inside(position, size, mode) for position in range(-low, size + high)]
        x = torch.index_select(x, dim, full_like_constant(with_ends, torch.int64))
    return x


def _inside(position: int, size: int, mode: str) -> int:
    if mode == "edge":
        return min(max(position, 0), size - 1)
    if mode == "wrap":
        return position % size
    period = max(2 * (size - 1), 1)
    position = position % period
    return min(position, period - position) if size > 1 else 0


@operator("MelWeightMatrix")
def mel_weights(
    bins: Any, length: Any, rate: Any, lowest: Any, highest: Any, *, output_datatype: int = 1
) -> torch.Tensor:
    """Triangular filters at equal distances of the mel scale, from numbers that are known."""
    count, sample_rate = integer(bins), integer(rate)
    low, high = (2595.0 * math.log10(1.0 + number(f) / 700.0) for f in (lowest, highest))
    step = (high - low) / (count + 2)
    edges = [700.0 * (10.0 ** ((k * step + low) / 2595.0) - 1.0) for k in range(count + 2)]
    places = [int((integer(length) + 1) * edge // sample_rate) for edge in edges]
    weights = torch.zeros(integer(length) // 2 + 1, count)
    for k in range(count):
        left, centre, right = places[k : k + 3]
        if centre == left:
            weights[centre, k] = 1.0
        for row in range(left, centre + 1) if centre != left else ():
            weights[row, k] = (row - left) / (centre - left)
        for row in range(centre, right) if right != centre else ():
            weights[row, k] = (right - row) / (right - centre)
    return weights.to(torch_type(output_datatype))


@operator("Compress")
def compress(x: torch.Tensor, condition: torch.Tensor, *, axis: int | None = None) -> torch.Tensor:
    """The elements or slices where a condition, which has to be known, holds."""
    kept = [float(k) for k, holds in enumerate(numbers(condition)) if holds]
    if axis is None:
        x, axis = x.reshape(-1), 0
    positions = full_like_constant([int(k) for k in kept], torch.int64)
    return torch.index_select(x, dimension(axis, x.dim()), positions)


@operator("NonZero")
def nonzero(x: torch.Tensor) -> torch.Tensor:
    """Where elements are that are not zero; how many has to be known."""
    return torch.stack(torch.nonzero(known(x), as_tuple=True))


@operator("Det")
def determinant(x: torch.Tensor) -> torch.Tensor:
    """By elimination: each column is cleared with the row of the greatest element."""
    size = x.shape[-1]
    refuse_unless(isinstance(size, int) and size <= 16, "determinants of more than 16 rows")
    result = torch.ones_like(x[..., 0, 0])
    for _ in range(size - 1):
        pivot = torch.argmax(torch.abs(x[..., :, 0]), -1, keepdim=True)
        is_pivot = torch.arange(x.shape[-1]) == pivot
        row = torch.sum(torch.where(is_pivot[..., None], x, torch.zeros_like(x)), -2)
        first = x[..., :1, :]
        x = torch.where(is_pivot[..., None], first, x)[..., 1:, :]
        sign = torch.where(pivot[..., 0] == 0, 1.0, -1.0).to(x.dtype)
        result = result * sign * row[..., 0]
        divisor = torch.where(row[..., :1] == 0, torch.ones_like(row[..., :1]), row[..., :1])
        factor = x[..., :, :1] / divisor[..., None]
        x = (x - factor * row[..., None, :])[..., 1:]
    return result * x[..., 0, 0]
