"""Medians, modes and places in sorted lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

aten = torch.ops.aten


def order_decompositions() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table."""
    return {
        aten.median.dim: median_along,
        aten.median.default: lambda x: median_along(x.reshape(-1), 0)[0],
        aten.nanmedian.dim: nanmedian_along,
        aten.nanmedian.default: lambda x: nanmedian_along(x.reshape(-1), 0)[0],
        aten.mode.default: mode,
        aten.searchsorted.Tensor: search,
        aten.searchsorted.Scalar: lambda line, x, **options: search(line, _like(line, x), **options),
        aten.bucketize.Tensor: lambda x, line, **options: search(line, x, **options),
        aten.bucketize.Scalar: lambda x, line, **options: search(line, _like(line, x), **options),
    }


def median_along(x: torch.Tensor, dim: int, keepdim: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """`aten.median.dim`: the lower of two middle elements; the first NaN of a line that has one."""
    if x.dim() == 0:
        return x.clone(), torch.zeros_like(x, dtype=torch.int64)
    middle = torch.kthvalue(x, (x.shape[dim] + 1) // 2, dim, True)[1]
    if x.is_floating_point():
        unordered = torch.isnan(x)
        first = torch.argmax(unordered.to(torch.int32), dim, keepdim=True)
        middle = torch.where(unordered.any(dim, keepdim=True), first, middle)
    return _picked(x, dim, middle, keepdim)


def nanmedian_along(x: torch.Tensor, dim: int, keepdim: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """`aten.nanmedian.dim`: the median of what is not NaN, which a sort puts in front."""
    if x.dim() == 0 or not x.is_floating_point():
        return aten.median.dim(x, dim, keepdim)
    numbers = torch.sum(~torch.isnan(x), dim, keepdim=True)
    middle = torch.clamp((numbers - 1) // 2, min=0)
    return _picked(x, dim, torch.gather(torch.argsort(x, dim=dim, stable=True), dim, middle), keepdim)


def mode(x: torch.Tensor, dim: int = -1, keepdim: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """`aten.mode`: the least of the most frequent elements, and where its last one is."""
    if x.dim() == 0:
        return x.clone(), torch.zeros_like(x, dtype=torch.int64)
    dim = dim % x.dim()
    ordered, places = torch.sort(x, dim=dim, stable=True)
    left, right = ordered.unsqueeze(dim + 1), ordered.unsqueeze(dim)
    same = left == right
    if x.is_floating_point():
        same = same | (torch.isnan(left) & torch.isnan(right))
    frequency = torch.sum(same, dim + 1)
    first = torch.argmax(frequency, dim, keepdim=True)
    last = first + torch.gather(frequency, dim, first) - 1
    return _picked(x, dim, torch.gather(places, dim, last), keepdim)


def search(
    line: torch.Tensor,
    x: torch.Tensor,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: torch.Tensor | None = None,
) -> torch.Tensor:
    """`aten.searchsorted`: halves the interval of each element as often as the longest one takes."""
    if sorter is not None:
        line = torch.gather(line, -1, sorter)
    right = side == "right" or right
    shape, size = x.shape, line.shape[-1]
    kind = torch.int32 if out_int32 else torch.int64
    if x.numel() == 0 or size == 0:
        return torch.zeros(shape, dtype=kind, device=x.device)
    if line.dim() == 1:
        x = x.reshape(-1)
    low = torch.zeros(x.shape, dtype=torch.int64, device=x.device)
    high = low + size
    for _ in range(int(size).bit_length()):
        middle = (low + high) // 2
        value = torch.gather(line, -1, torch.clamp(middle, max=size - 1))
        goes_left = (value > x) if right else (value >= x)  # a NaN never does
        is_open = low < high
        low = torch.where(is_open & ~goes_left, middle + 1, low)
        high = torch.where(is_open & goes_left, middle, high)
    return low.reshape(shape).to(kind)


def _picked(
    x: torch.Tensor, dim: int, place: torch.Tensor, keepdim: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    value = torch.gather(x, dim, place)
    return (value, place) if keepdim else (value.squeeze(dim), place.squeeze(dim))


def _like(line: torch.Tensor, number: Any) -> torch.Tensor:
    return torch.full((), number, dtype=line.dtype, device=line.device)
