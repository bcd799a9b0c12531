"""Reductions, scans along a dimension, and what picks elements by their order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from ...narrow_floats import widened
from ..registry import operator
from ..values import dimension, dimensions, integer, integers, refuse_unless

Reduce = Callable[[torch.Tensor, list[int], bool], torch.Tensor]


def _reduction(name: str, compute: Reduce) -> None:
    def reduce(
        x: torch.Tensor, axes: Any = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
    ) -> torch.Tensor:
        listed = None if axes is None else integers(axes)
        if not listed and noop_with_empty_axes:
            return compute(x.unsqueeze(-1), [x.dim()], False)
        dims = dimensions(listed or None, x.dim())
        if not dims:  # a number
            return compute(x.reshape(1), [0], False)
        return compute(x, dims, bool(keepdims))

    operator(name)(reduce)


def total(x: torch.Tensor, dims: list[int], keep: bool) -> torch.Tensor:
    """The sum in the tensor's own type; f16 and bf16 are added in f32."""
    return torch.sum(widened(x), dims, keepdim=keep, dtype=widened(x).dtype).to(x.dtype)


def _mean(x: torch.Tensor, dims: list[int], keep: bool) -> torch.Tensor:
    count = math.prod(x.shape[d] for d in dims)
    if x.is_floating_point():
        return torch.mean(widened(x), dims, keepdim=keep).to(x.dtype)
    return torch.div(total(x, dims, keep), count, rounding_mode="trunc")


def _product(x: torch.Tensor, dims: list[int], keep: bool) -> torch.Tensor:
    wide = widened(x)
    for dim in sorted(dims, reverse=True):
        wide = torch.prod(wide, dim, keepdim=keep, dtype=wide.dtype)
    return wide.to(x.dtype)


def greatest(x: torch.Tensor, dims: list[int], keep: bool) -> torch.Tensor:
    """The greatest element; of none, the least that there is."""
    if x.dtype == torch.bool:
        return torch.sum(x.to(torch.int32), dims, keepdim=keep) > 0
    least = -math.inf if x.is_floating_point() else torch.iinfo(x.dtype).min
    return _reduced(x, dims, keep, least, torch.amax)


def least(x: torch.Tensor, dims: list[int], keep: bool) -> torch.Tensor:
    """The least element; of none, the greatest that there is."""
    if x.dtype == torch.bool:
        return torch.sum((~x).to(torch.int32), dims, keepdim=keep) == 0
    most = math.inf if x.is_floating_point() else torch.iinfo(x.dtype).max
    return _reduced(x, dims, keep, most, torch.amin)


def _reduced(x: torch.Tensor, dims: list[int], keep: bool, of_none: Any, compute: Any) -> torch.Tensor:
    if all(x.shape[d] != 0 for d in dims):
        return compute(x, dims, keepdim=keep)
    sizes = [1 if d in dims else size for d, size in enumerate(x.shape) if keep or d not in dims]
    return torch.full(sizes, of_none, dtype=x.dtype)


def _log_sum_exp(x: torch.Tensor, dims: list[int], keep: bool) -> torch.Tensor:
    wide = widened(x)
    if any(x.shape[d] == 0 for d in dims):
        return torch.log(torch.sum(torch.exp(wide), dims, keepdim=keep)).to(x.dtype)
    most = torch.amax(wide, dims, keepdim=True)
    most = torch.where(torch.abs(most) == math.inf, torch.zeros_like(most), most)
    summed = torch.log(torch.sum(torch.exp(wide - most), dims, keepdim=True)) + most
    return (summed if keep else summed.squeeze(dims)).to(x.dtype)


def _float_of(x: torch.Tensor) -> torch.Tensor:
    return widened(x) if x.is_floating_point() else x.to(torch.float64)


def _euclidean(x: torch.Tensor, dims: list[int], keep: bool) -> torch.Tensor:
    wide = _float_of(x)
    return torch.sqrt(total(wide * wide, dims, keep)).to(x.dtype)


def _sum_of_squares(x: torch.Tensor, dims: list[int], keep: bool) -> torch.Tensor:
    wide = widened(x)
    return total(wide * wide, dims, keep).to(x.dtype)


_reduction("ReduceSum", total)
_reduction("ReduceMean", _mean)
_reduction("ReduceProd", _product)
_reduction("ReduceMax", greatest)
_reduction("ReduceMin", least)
_reduction("ReduceL1", lambda x, dims, keep: total(torch.abs(x), dims, keep))
_reduction("ReduceL2", _euclidean)
_reduction("ReduceSumSquare", _sum_of_squares)
_reduction("ReduceLogSum", lambda x, dims, keep: torch.log(total(_float_of(x), dims, keep)).to(x.dtype))
_reduction("ReduceLogSumExp", lambda x, dims, keep: _log_sum_exp(_float_of(x), dims, keep).to(x.dtype))


@operator("ArgMax")
def position_of_greatest(
    x: torch.Tensor, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0
) -> torch.Tensor:
    """The first position, or the last one."""
    return _position(torch.argmax, x, dimension(axis, x.dim()), bool(keepdims), bool(select_last_index))


@operator("ArgMin")
def position_of_least(
    x: torch.Tensor, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0
) -> torch.Tensor:
    """The first position, or the last one."""
    return _position(torch.argmin, x, dimension(axis, x.dim()), bool(keepdims), bool(select_last_index))


def _position(compute: Any, x: torch.Tensor, dim: int, keep: bool, last: bool) -> torch.Tensor:
    if not last:
        return compute(x, dim, keepdim=keep)
    return x.shape[dim] - 1 - compute(torch.flip(x, [dim]), dim, keepdim=keep)


@operator("CumSum")
def running_sum(x: torch.Tensor, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> torch.Tensor:
    """Sums of all elements up to each, or before it."""
    dim = dimension(axis, x.dim())
    x = torch.flip(x, [dim]) if reverse else x
    summed = torch.cumsum(x, dim, dtype=x.dtype)
    summed = summed - x if exclusive and not x.is_floating_point() else summed
    if exclusive and x.is_floating_point():
        summed = _shifted(summed, dim, 0.0)
    return torch.flip(summed, [dim]) if reverse else summed


@operator("CumProd")
def running_product(x: torch.Tensor, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> torch.Tensor:
    """Products of all elements up to each, or before it."""
    dim = dimension(axis, x.dim())
    x = torch.flip(x, [dim]) if reverse else x
    product = _shifted(x, dim, 1, 1) if exclusive else x
    refuse_unless(isinstance(x.shape[dim], int), "a running product of a size that is left open")
    distance = 1
    while distance < x.shape[dim]:  # each element becomes the product of twice as many
        product = product * _shifted(product, dim, 1, distance)
        distance *= 2
    return torch.flip(product, [dim]) if reverse else product


def _shifted(x: torch.Tensor, dim: int, first: float, distance: int = 1) -> torch.Tensor:
    start = torch.full_like(x.narrow(dim, 0, distance), first)
    return torch.cat([start, x.narrow(dim, 0, x.shape[dim] - distance)], dim)


@operator("TopK")
def top(
    x: torch.Tensor,
    k: Any,
    *,
    axis: int = -1,
    largest: int = 1,
    sorted: int = 1,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The `k` greatest or least elements in order; of equal ones that with the lower index comes first."""
    dim = dimension(axis, x.dim())
    values, indices = torch.sort(x, dim=dim, descending=bool(largest), stable=True)
    count = integer(k)
    return values.narrow(dim, 0, count), indices.narrow(dim, 0, count)


@operator("Hardmax")
def hardmax(x: torch.Tensor, *, axis: int | None = None, opset: int) -> torch.Tensor:
    """One at the first greatest element of each line, else zero."""
    flat, dim, shape = _line(x, axis, opset)
    positions = torch.arange(flat.shape[dim]).reshape([-1] + [1] * (flat.dim() - 1 - dim))
    return (positions == torch.argmax(flat, dim, keepdim=True)).to(x.dtype).reshape(shape)


@operator("Softmax")
def softmax(x: torch.Tensor, *, axis: int | None = None, opset: int) -> torch.Tensor:
    """Along a dimension; until version 12 over all dimensions from `axis` on."""
    flat, dim, shape = _line(x, axis, opset)
    return torch.softmax(flat, dim).reshape(shape)


@operator("LogSoftmax")
def log_softmax(x: torch.Tensor, *, axis: int | None = None, opset: int) -> torch.Tensor:
    """Along a dimension; until version 12 over all dimensions from `axis` on."""
    flat, dim, shape = _line(x, axis, opset)
    return torch.log_softmax(flat, dim).reshape(shape)


def _line(x: torch.Tensor, axis: int | None, opset: int) -> tuple[torch.Tensor, int, list[int]]:
    if opset >= 13:
        return x, dimension(-1 if axis is None else axis, x.dim()), list(x.shape)
    first = dimension(1 if axis is None else axis, max(x.dim(), 2))
    rows = math.prod(x.shape[:first])
    return x.reshape([rows, -1]), 1, list(x.shape)
