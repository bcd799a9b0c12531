"""Pooling and its gradients in plain operators.

A window of a pooling is an interval in each dimension, and the windows that cover a position are consecutive ones.
The gradient of an average is therefore gathered: a position adds up what the windows that cover it hand down, one
dimension after the other. torch-mlir scatters instead, and does so for few of these operators.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

aten = torch.ops.aten

_OF_BATCHES = {
    2: (
        aten.avg_pool2d.default,
        aten.max_pool2d.default,
        aten.max_pool2d_with_indices.default,
        aten.max_pool2d_with_indices_backward.default,
    ),
    3: (aten.avg_pool3d.default, aten.max_pool3d.default, aten.max_pool3d_with_indices.default),
}


@dataclass(frozen=True)
class _Windows:
    """The windows of a pooling along one dimension.

    Attributes:
        starts / ends: of each window, positions of the input.
        first / last: of the windows that cover each position; none does where last < first.
        overlap: how many windows cover a position at most.
    """

    starts: torch.Tensor
    ends: torch.Tensor
    first: torch.Tensor
    last: torch.Tensor
    overlap: int


def pooling_decompositions() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table."""
    batched = {
        operator: _with_batch(operator, dims)
        for dims, operators in _OF_BATCHES.items()
        for operator in operators
    }
    whole = {
        aten.max_pool2d.default: _of_unsigned(batched[aten.max_pool2d.default]),
        **{
            operator: _of_integers(dims, batched[operator])
            for dims, operator in (
                (2, aten.max_pool2d_with_indices.default),
                (3, aten.max_pool3d.default),
                (3, aten.max_pool3d_with_indices.default),
            )
        },
    }
    return (
        batched
        | whole
        | {
            aten.avg_pool2d_backward.default: partial(average_pool_backward, 2),
            aten.avg_pool3d_backward.default: partial(average_pool_backward, 3),
            aten._adaptive_avg_pool2d_backward.default: partial(adaptive_average_pool_backward, 2),
            aten._adaptive_avg_pool3d_backward.default: partial(adaptive_average_pool_backward, 3),
            aten.adaptive_max_pool2d.default: partial(adaptive_max_pool, 2),
            aten.adaptive_max_pool3d.default: partial(adaptive_max_pool, 3),
            aten.adaptive_max_pool2d_backward.default: partial(max_pool_backward, 2),
            aten.adaptive_max_pool3d_backward.default: partial(max_pool_backward, 3),
            aten.max_pool3d_with_indices_backward.default: partial(_of_windows_by_indices, 3),
        }
    )


def _with_batch(operator: Any, dims: int) -> Callable[..., Any]:
    """A pooling of a single image as that of a batch of one, which is all that torch-mlir has."""

    def decomposed(x: torch.Tensor, *args: Any) -> Any:
        if x.dim() != dims + 1:
            return NotImplemented
        found = operator(*(a.unsqueeze(0) if isinstance(a, torch.Tensor) else a for a in (x, *args)))
        return found.squeeze(0) if isinstance(found, torch.Tensor) else tuple(f.squeeze(0) for f in found)

    decomposed.__name__ = operator.name().rpartition("::")[2]
    return decomposed


def average_pool_backward(
    dims: int,
    gradient: torch.Tensor,
    x: torch.Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> torch.Tensor:
    """`aten.avg_pool2d_backward` and `aten.avg_pool3d_backward`, of `dims` dimensions."""
    kernel, padding = _each(kernel_size, dims), _each(padding, dims)
    stride = _each(stride, dims) if len(stride) else kernel
    sizes = x.shape[-dims:]
    if kernel == stride and not any(padding) and not ceil_mode:
        return _spread_tiles(gradient / (divisor_override or math.prod(kernel)), kernel, sizes)
    windows = [
        _sliding_windows(gradient, *along)
        for along in zip(gradient.shape[-dims:], sizes, kernel, stride, padding, strict=True)
    ]
    if divisor_override:
        return _spread(gradient / divisor_override, windows)
    counted = [
        (w.starts, torch.clamp(w.ends, max=size + pad))
        if count_include_pad
        else (torch.clamp(w.starts, min=0), torch.clamp(w.ends, max=size))
        for w, size, pad in zip(windows, sizes, padding, strict=True)
    ]
    return _spread(gradient / _volume([end - start for start, end in counted]), windows)


def adaptive_average_pool_backward(dims: int, gradient: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """`aten._adaptive_avg_pool2d_backward` and its form of three dimensions."""
    outputs, sizes = gradient.shape[-dims:], x.shape[-dims:]
    if all(size % output == 0 for size, output in zip(sizes, outputs, strict=True)):
        kernel = [size // output for size, output in zip(sizes, outputs, strict=True)]
        return _spread_tiles(gradient / math.prod(kernel), kernel, sizes)
    windows = [_adaptive_windows(gradient, *along) for along in zip(outputs, sizes, strict=True)]
    return _spread(gradient / _volume([w.ends - w.starts for w in windows]), windows)


def adaptive_max_pool(
    dims: int, x: torch.Tensor, output_size: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """`aten.adaptive_max_pool2d` and its form of three dimensions: the maxima, and where they are in a flat image."""
    outputs, sizes = _each(output_size, dims), x.shape[-dims:]
    positions = []
    for size, output in zip(sizes, outputs, strict=True):
        window = _adaptive_windows(x, output, size)
        extent = max(-(-(o + 1) * size // output) - o * size // output for o in range(output))
        steps = window.starts[:, None] + torch.arange(extent, device=x.device)
        # A window that is smaller than the largest one repeats its last position, which changes no maximum.
        positions.append(torch.minimum(steps, window.ends[:, None] - 1))
    return _max_at(x, positions)


def _of_unsigned(otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """A maximum pooling of two dimensions, for which torch-mlir compares uint8 as int8."""

    def decomposed(x: torch.Tensor, *args: Any) -> Any:
        if x.dtype != torch.uint8:
            return otherwise(x, *args)
        return aten.max_pool2d.default(x.to(torch.int32), *args).to(x.dtype)

    return decomposed


def _of_integers(dims: int, otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """A maximum pooling of `dims` dimensions that torch-mlir takes for one of floats."""

    def decomposed(x: torch.Tensor, *args: Any) -> Any:
        if x.is_floating_point():
            return otherwise(x, *args)
        defaults: tuple[Any, ...] = ((), (0,), (1,), False)  # of all but the size of windows
        kernel_size, stride, padding, dilation, ceil_mode = (*args, *defaults[len(args) - 1 :])
        kernel, padding, dilation = (_each(sizes, dims) for sizes in (kernel_size, padding, dilation))
        stride = _each(stride, dims) if len(stride) else kernel
        positions = [
            _positions_of_windows(x, *along, ceil_mode)
            for along in zip(x.shape[-dims:], kernel, stride, padding, dilation, strict=True)
        ]
        found = _max_at(x, positions)
        return found if otherwise.__name__.endswith("_with_indices") else found[0]

    return decomposed


def _positions_of_windows(
    like: torch.Tensor, size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> torch.Tensor:
    """(windows, kernel) positions along a dimension; those in the padding repeat one that the window has inside."""
    free = size + 2 * padding - dilation * (kernel - 1) - 1
    windows = (-(-free // stride) if ceil_mode else free // stride) + 1
    if ceil_mode and (windows - 1) * stride >= size + padding:  # the last one would start in the padding
        windows -= 1
    starts = torch.arange(windows, device=like.device)[:, None] * stride - padding
    first = torch.clamp((dilation - 1 - starts) // dilation, min=0)
    last = torch.clamp((size - 1 - starts) // dilation, max=kernel - 1)
    steps = torch.arange(kernel, device=like.device)
    return starts + torch.minimum(torch.maximum(steps, first), last) * dilation


def _max_at(x: torch.Tensor, positions: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Maxima of windows, and where they are in a flat image.

    Args:
        positions: (windows, extent) along each of the last dimensions; one may be there several times.
    """
    dims = len(positions)
    sizes, lead = x.shape[-dims:], list(x.shape[:-dims])
    outputs, extents = [p.shape[0] for p in positions], [p.shape[1] for p in positions]
    gathered = x
    for d, places in enumerate(positions):
        gathered = gathered.index_select(d - dims, places.reshape(-1))
    split = [size for pair in zip(outputs, extents, strict=True) for size in pair]
    order = [
        *range(len(lead)),
        *(len(lead) + 2 * d for d in range(dims)),
        *(len(lead) + 2 * d + 1 for d in range(dims)),
    ]
    flat = gathered.reshape(lead + split).permute(order).reshape(lead + outputs + [math.prod(extents)])
    values, place = torch.max(flat, -1)
    if x.is_floating_point():  # of several NaN the last one
        steps = torch.arange(math.prod(extents), device=x.device)
        last = torch.amax(torch.where(torch.isnan(flat), steps, -1), -1)
        place = torch.where(last >= 0, last, place)
    index: Any = 0
    for d, (places, size) in enumerate(zip(positions, sizes, strict=True)):
        step = place // math.prod(extents[d + 1 :]) % extents[d]
        window = _along(torch.arange(outputs[d], device=x.device), d, dims)
        index = index * size + places.reshape(-1)[window * extents[d] + step]
    return values, index


def max_pool_backward(
    dims: int, gradient: torch.Tensor, x: torch.Tensor, indices: torch.Tensor
) -> torch.Tensor:
    """The gradient of a maximum pooling whose maxima are at `indices` of each flat image."""
    lead = list(x.shape[:-dims])
    zeros = torch.zeros([*lead, math.prod(x.shape[-dims:])], dtype=x.dtype, device=x.device)
    flat = (indices.reshape([*lead, -1]), gradient.reshape([*lead, -1]))
    return zeros.scatter_add(-1, *flat).reshape(x.shape)


def _of_windows_by_indices(dims: int, gradient: torch.Tensor, x: torch.Tensor, *args: Any) -> torch.Tensor:
    """`max_pool_backward` for operators that also take the windows; the indices say all that is needed."""
    return max_pool_backward(dims, gradient, x, args[-1])


def _sliding_windows(
    like: torch.Tensor, windows: int, size: int, kernel: int, stride: int, padding: int
) -> _Windows:
    starts = torch.arange(windows, device=like.device) * stride - padding
    position = torch.arange(size, device=like.device) + padding
    first = torch.clamp((position - kernel + stride) // stride, min=0)
    last = torch.clamp(position // stride, max=windows - 1)
    return _Windows(starts, starts + kernel, first, last, -(-kernel // stride))


def _adaptive_windows(like: torch.Tensor, windows: int, size: int) -> _Windows:
    window = torch.arange(windows, device=like.device)
    position = torch.arange(size, device=like.device)
    starts, ends = window * size // windows, ((window + 1) * size + windows - 1) // windows
    first, last = position * windows // size, ((position + 1) * windows + size - 1) // size - 1
    overlap = max(-(-(p + 1) * windows // size) - p * windows // size for p in range(size))
    return _Windows(starts, ends, first, last, overlap)


def _spread(gradient: torch.Tensor, windows: Sequence[_Windows]) -> torch.Tensor:
    """Gives every position of the input the sum over the windows that cover it."""
    dims = len(windows)
    for d, window in enumerate(windows):
        result: Any = None
        for step in range(window.overlap):
            which = window.first + step
            covers = _along(which <= window.last, d, dims)
            handed = gradient.index_select(d - dims, torch.minimum(which, window.last))
            handed = torch.where(covers, handed, 0.0)
            result = handed if result is None else result + handed
        gradient = result
    return gradient


def _spread_tiles(gradient: torch.Tensor, kernel: Sequence[int], sizes: Sequence[int]) -> torch.Tensor:
    """As `_spread` for windows that lie side by side from the start; the input may go on behind the last."""
    dims = len(kernel)
    lead, outputs = list(gradient.shape[:-dims]), list(gradient.shape[-dims:])
    split = lead + [size for output in outputs for size in (output, 1)]
    tiled = lead + [size for pair in zip(outputs, kernel, strict=True) for size in pair]
    covered = [output * k for output, k in zip(outputs, kernel, strict=True)]
    result = gradient.reshape(split).expand(tiled).reshape(lead + covered)
    rest = [size - part for size, part in zip(sizes, covered, strict=True)]
    if all(isinstance(r, int) and r == 0 for r in rest):
        return result
    return aten.constant_pad_nd.default(result, [p for r in reversed(rest) for p in (0, r)], 0.0)


def _volume(lengths: Sequence[torch.Tensor]) -> torch.Tensor:
    """The number of positions in each window, from its lengths along the dimensions."""
    result: Any = 1
    for d, length in enumerate(lengths):
        result = result * _along(length, d, len(lengths))
    return result


def _along(values: torch.Tensor, d: int, dims: int) -> torch.Tensor:
    """Values of dimension `d` of the last `dims` in a shape that broadcasts over the others."""
    return values.reshape([-1] + [1] * (dims - 1 - d))


def _each(sizes: Sequence[int], dims: int) -> list[int]:
    return list(sizes) * dims if len(sizes) == 1 else list(sizes)
