"""Convolutions and pooling."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional as F

from ...narrow_floats import widened
from ..registry import operator
from ..values import full_like_constant, integers, refuse_unless


def padding_of(
    sizes: Any,
    kernel: list[int],
    strides: list[int],
    dilations: list[int],
    pads: list[int] | None,
    auto_pad: str,
) -> tuple[list[int], list[int]]:
    """Elements before and behind each dimension, by `pads` or `auto_pad`."""
    rank = len(kernel)
    if auto_pad in ("NOTSET", ""):
        listed = list(pads) if pads else [0] * (2 * rank)
        return listed[:rank], listed[rank:]
    if auto_pad == "VALID":
        return [0] * rank, [0] * rank
    refuse_unless(all(isinstance(s, int) for s in sizes), f"auto_pad {auto_pad} of a size that is left open")
    before, after = [], []
    for size, k, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        whole = max((-(-size // stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
        small, large = whole // 2, whole - whole // 2
        before.append(large if auto_pad == "SAME_LOWER" else small)
        after.append(small if auto_pad == "SAME_LOWER" else large)
    return before, after


def padded(x: torch.Tensor, before: list[int], after: list[int], value: float = 0) -> torch.Tensor:
    """The tensor with more elements around its last dimensions."""
    if not any(before) and not any(after):
        return x
    amounts = [n for b, a in zip(reversed(before), reversed(after), strict=True) for n in (b, a)]
    return F.pad(x, amounts, value=value)


@operator("Conv")
def convolution(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> torch.Tensor:
    """A convolution of any number of dimensions."""
    rank = x.dim() - 2
    refuse_unless(rank >= 1, "convolutions of tensors of fewer than three dimensions")
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    before, after = padding_of(x.shape[2:], list(weight.shape[2:]), strides, dilations, pads, auto_pad)
    if before != after:
        x, before = padded(x, before, after), [0] * rank
    return torch.convolution(x, weight, bias, strides, before, dilations, False, [0] * rank, group)


def padded_ahead(
    x: torch.Tensor, weight: torch.Tensor, value: float, attributes: dict[str, Any]
) -> tuple[torch.Tensor, dict[str, Any]]:
    """The tensor of a convolution padded with a value, and attributes of a convolution that pads no more."""
    rank = x.dim() - 2
    strides, dilations = attributes.get("strides") or [1] * rank, attributes.get("dilations") or [1] * rank
    mode = attributes.get("auto_pad", "NOTSET")
    kernel = list(weight.shape[2:])
    before, after = padding_of(x.shape[2:], kernel, strides, dilations, attributes.get("pads"), mode)
    return padded(x, before, after, value), {**attributes, "pads": None, "auto_pad": "VALID"}


@operator("ConvTranspose")
def transposed_convolution(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    output_padding: list[int] | None = None,
    output_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> torch.Tensor:
    """The convolution's transpose: its whole result, of which a part is cut out."""
    rank = x.dim() - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    extra = output_padding or [0] * rank
    kernel = list(weight.shape[2:])
    whole = [
        (size - 1) * s + (k - 1) * d + 1 + e
        for size, s, k, d, e in zip(x.shape[2:], strides, kernel, dilations, extra, strict=True)
    ]
    if output_shape or auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        sizes = (
            output_shape[-rank:]
            if output_shape
            else [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
        )
        cut = [w - n for w, n in zip(whole, sizes, strict=True)]
        small = [int(c / 2) for c in cut]  # a result that is larger than the whole grows at its end
        large = [c - s for c, s in zip(cut, small, strict=True)]
        before, after = (large, small) if auto_pad == "SAME_LOWER" else (small, large)
    else:
        before, after = padding_of(x.shape[2:], kernel, strides, dilations, pads, auto_pad)
    if (
        before == after
        and all(b >= 0 for b in before)
        and all(e < max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True))
    ):
        return torch.convolution(x, weight, bias, strides, before, dilations, True, extra, group)
    result = torch.convolution(x, weight, bias, strides, [0] * rank, dilations, True, [0] * rank, group)
    after = [a - e for a, e in zip(after, extra, strict=True)]
    if bias is None or all(a >= 0 and b >= 0 for a, b in zip(after, before, strict=True)):
        return padded(result, [-b for b in before], [-a for a in after])
    plain = torch.convolution(x, weight, None, strides, [0] * rank, dilations, True, [0] * rank, group)
    result = padded(plain, [-b for b in before], [-a for a in after])
    return result + bias.reshape([-1] + [1] * rank)


class _Pool:
    """The windows of a pooling operator.

    Attributes:
        kernel / strides / dilations: per dimension.
        before / after: padding that the operator asks for.
        behind: how far the last windows reach beyond that, when sizes are rounded up.
    """

    def __init__(self, x: torch.Tensor, attributes: dict[str, Any]) -> None:
        self.kernel: list[int] = list(attributes["kernel_shape"])
        rank = len(self.kernel)
        refuse_unless(rank == x.dim() - 2, f"windows of {rank} dimensions in a tensor of {x.dim()}")
        self.strides: list[int] = attributes["strides"] or [1] * rank
        self.dilations: list[int] = attributes["dilations"] or [1] * rank
        sizes = x.shape[2:]
        self.before, self.after = padding_of(
            sizes, self.kernel, self.strides, self.dilations, attributes["pads"], attributes["auto_pad"]
        )
        self.behind = [0] * rank
        self.rounds_up = bool(attributes["ceil_mode"]) and attributes["auto_pad"] in ("NOTSET", "")
        if self.rounds_up:
            refuse_unless(all(isinstance(s, int) for s in sizes), "ceil_mode of a size that is left open")
            self.behind = [self._beyond(d, size) for d, size in enumerate(sizes)]

    def _beyond(self, dim: int, size: int) -> int:
        reach = (self.kernel[dim] - 1) * self.dilations[dim] + 1
        whole = size + self.before[dim] + self.after[dim]
        count = -(-(whole - reach) // self.strides[dim]) + 1
        if (count - 1) * self.strides[dim] >= size + self.before[dim]:
            count -= 1
        return max((count - 1) * self.strides[dim] + reach - whole, 0)

    def padded(self, x: torch.Tensor, value: float) -> torch.Tensor:
        behind = [a + b for a, b in zip(self.after, self.behind, strict=True)]
        return padded(x, self.before, behind, value)

    @property
    def is_plain(self) -> bool:
        """Whether PyTorch's pooling does the padding."""
        halves = all(2 * b <= k for b, k in zip(self.before, self.kernel, strict=True))
        return self.before == self.after and not any(self.behind) and halves

    def sums(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of every window of a tensor that is padded already."""
        n, c, *sizes = x.shape
        ones = full_like_constant(1.0, x.dtype).expand([1, 1, *self.kernel])
        rank = len(self.kernel)
        flat = torch.convolution(
            x.reshape([n * c, 1, *sizes]),
            ones,
            None,
            self.strides,
            [0] * rank,
            self.dilations,
            False,
            [0] * rank,
            1,
        )
        return flat.reshape([n, c, *flat.shape[2:]])


_MAX = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
_AVERAGE = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)


@operator("MaxPool")
def max_pool(
    x: torch.Tensor,
    *,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    storage_order: int = 0,
    strides: list[int] | None = None,
    outputs: int,
) -> Any:
    """The greatest element of each window, and where in the whole tensor it is."""
    pool = _Pool(x, locals())
    rank = len(pool.kernel)
    refuse_unless(rank <= 3, "windows of more than three dimensions")
    compute = _MAX[rank - 1]
    wide = x if x.is_floating_point() else x.to(torch.float32)
    if outputs == 1 and pool.is_plain:
        plain = compute(wide, pool.kernel, pool.strides, pool.before, pool.dilations)
        return plain.to(x.dtype)
    source = pool.padded(wide, -math.inf)
    if outputs == 1:
        return compute(source, pool.kernel, pool.strides, 0, pool.dilations).to(x.dtype)
    values, places = compute(source, pool.kernel, pool.strides, 0, pool.dilations, return_indices=True)
    return values.to(x.dtype), _places_in_whole(
        places, x, list(source.shape), pool.before, bool(storage_order)
    )


def _places_in_whole(
    places: torch.Tensor, x: torch.Tensor, source: list[int], before: list[int], by_columns: bool
) -> torch.Tensor:
    """Row-major places in padded images as places in the whole tensor."""
    coordinates: list[torch.Tensor] = []
    for dim in reversed(range(len(before))):
        coordinates.insert(0, places % source[2 + dim] - before[dim])
        places = torch.div(places, source[2 + dim], rounding_mode="floor")
    order = range(len(before))
    result = torch.zeros_like(places)
    for dim in reversed(order) if by_columns else order:
        result = result * x.shape[2 + dim] + coordinates[dim]
    images = torch.arange(x.shape[0] * x.shape[1]).reshape([x.shape[0], x.shape[1]] + [1] * len(before))
    return images * math.prod(x.shape[2:]) + result


@operator("AveragePool")
def average_pool(
    x: torch.Tensor,
    *,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> torch.Tensor:
    """The mean of each window; what lies beyond the padding is never counted."""
    pool = _Pool(x, locals())
    rank = len(pool.kernel)
    if pool.is_plain and set(pool.dilations) == {1} and rank <= 3:
        average = _AVERAGE[rank - 1]
        return average(x, pool.kernel, pool.strides, pool.before, count_include_pad=bool(count_include_pad))
    wide = widened(x)
    counted = torch.ones([1, 1, *x.shape[2:]], dtype=wide.dtype)
    if count_include_pad:
        counted = padded(counted, pool.before, pool.after, 1.0)
        counted = padded(counted, [0] * rank, pool.behind)
    else:
        counted = pool.padded(counted, 0.0)
    return (pool.sums(pool.padded(wide, 0.0)) / pool.sums(counted)).to(x.dtype)


@operator("LpPool")
def norm_pool(
    x: torch.Tensor,
    *,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: list[int] | None = None,
    p: float = 2,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> torch.Tensor:
    """The p-norm of each window."""
    pool = _Pool(x, locals())
    wide = widened(x)
    return root(pool.sums(pool.padded(powers(wide, p), 0.0)), p).to(x.dtype)


def powers(x: torch.Tensor, p: float) -> torch.Tensor:
    """`|x| ** p`."""
    if p == 1:
        return torch.abs(x)
    return x * x if p == 2 else torch.pow(torch.abs(x), p)


def root(x: torch.Tensor, p: float) -> torch.Tensor:
    """`x ** (1 / p)`."""
    if p == 1:
        return x
    return torch.sqrt(x) if p == 2 else torch.pow(x, 1.0 / p)


@operator("GlobalAveragePool")
def global_average(x: torch.Tensor) -> torch.Tensor:
    """The mean of each channel."""
    return torch.mean(x, list(range(2, x.dim())), keepdim=True)


@operator("GlobalMaxPool")
def global_maximum(x: torch.Tensor) -> torch.Tensor:
    """The greatest element of each channel."""
    return torch.amax(x, list(range(2, x.dim())), keepdim=True)


@operator("GlobalLpPool")
def global_norm(x: torch.Tensor, *, p: float = 2) -> torch.Tensor:
    """The p-norm of each channel."""
    summed = torch.sum(powers(widened(x), p), list(range(2, x.dim())), keepdim=True)
    return root(summed, p).to(x.dtype)


@operator("MaxUnpool")
def max_unpool(
    x: torch.Tensor,
    places: torch.Tensor,
    output_shape: Any = None,
    *,
    kernel_shape: list[int],
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> torch.Tensor:
    """Elements put back to where they were greatest, zero elsewhere; a larger result repeats that with its sizes."""
    rank = len(kernel_shape)
    strides, pads = strides or [1] * rank, pads or [0] * (2 * rank)
    natural = [
        (size - 1) * s + k - pads[d] - pads[d + rank]
        for d, (size, s, k) in enumerate(zip(x.shape[2:], strides, kernel_shape, strict=True))
    ]
    small = [*x.shape[:2], *natural]
    whole = torch.zeros(math.prod(small), dtype=x.dtype)
    result = torch.scatter(whole, 0, places.reshape(-1), x.reshape(-1)).reshape(small)
    if output_shape is None:
        return result
    wanted = integers(output_shape)
    return padded(result, [0] * rank, [w - n for w, n in zip(wanted[2:], natural, strict=True)])
