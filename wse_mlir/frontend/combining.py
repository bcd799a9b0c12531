"""Operators that combine what several indices hand to one place: bags of embeddings and reductions by index."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch

from .narrow_floats import widened

aten = torch.ops.aten

_SUM, _MEAN, _MAX = range(3)  # how embedding bags combine rows


def combining_decompositions() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table."""
    return {
        aten.index_reduce.default: index_reduce,
        aten.embedding_bag.default: embedding_bag,
        aten.embedding_bag.padding_idx: embedding_bag,
        aten._embedding_bag.default: _inner_bag,
        aten._embedding_bag_forward_only.default: _inner_bag,
    }


def index_reduce(
    x: torch.Tensor,
    dim: int,
    index: torch.Tensor,
    source: torch.Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> torch.Tensor:
    """`aten.index_reduce`: a `scatter_reduce` whose index is the same across all other dimensions."""
    if x.dim() == 0:
        whole = index_reduce(x.reshape(1), 0, index, source.reshape(1), reduce, include_self=include_self)
        return whole.reshape([])
    dim = dim % x.dim()
    shape = [-1 if d == dim else 1 for d in range(x.dim())]
    places = index.to(torch.int64).reshape(shape).expand(source.shape)
    return torch.scatter_reduce(x, dim, places, source, reduce, include_self=include_self)


def means_apart(otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """`aten.scatter_reduce` with its means made of sums, where `otherwise` decomposes all others."""
    return functools.partial(_scatter_reduce, otherwise)


def _scatter_reduce(
    otherwise: Callable[..., Any],
    x: torch.Tensor,
    dim: int,
    index: torch.Tensor,
    source: torch.Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Any:
    """`aten.scatter_reduce`; of a mean PyTorch rounds the sum to the type of `x` before it is divided."""
    if reduce != "mean" or x.dim() == 0:
        return otherwise(x, dim, index, source, reduce, include_self=include_self)
    total = torch.scatter_reduce(x, dim, index, source, "sum", include_self=include_self)
    start = torch.full(x.shape, int(include_self), dtype=torch.int32, device=x.device)
    ones = torch.ones(index.shape, dtype=torch.int32, device=x.device)
    count = torch.clamp(torch.scatter_add(start, dim, index, ones), min=1)
    if x.is_floating_point():
        return total / count.to(x.dtype)
    return torch.div(total.to(torch.int64), count, rounding_mode="floor").to(x.dtype)


def embedding_bag(
    weight: torch.Tensor,
    indices: torch.Tensor,
    offsets: torch.Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = _SUM,
    sparse: bool = False,
    per_sample_weights: torch.Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """`aten.embedding_bag`: rows of each bag combined; the bag of each index, and what a bag holds."""
    starts = offsets[:-1] if include_last_offset else offsets
    bags, width, count = starts.shape[0], weight.shape[1], indices.shape[0]
    position = torch.arange(count, device=weight.device)
    bag = torch.sum(position[:, None] >= starts[None, :], 1) - 1
    padding = None if padding_idx is None else padding_idx % weight.shape[0]
    counted = torch.ones_like(indices, dtype=torch.bool) if padding is None else indices != padding
    if include_last_offset:  # what lies behind it is in no bag
        counted = counted & (position < offsets[-1])
    none = torch.zeros([bags], dtype=torch.int64, device=weight.device)
    sizes = torch.index_add(none, 0, bag, counted.to(torch.int64))
    wide = widened(weight)
    rows = wide.index_select(0, indices)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.to(wide.dtype)[:, None]
    if mode == _MAX:  # what is no number is greater than nothing, but remains where it comes first
        is_first = counted & (position == starts.index_select(0, bag))
        rows = torch.where(torch.isnan(rows) & ~is_first[:, None], -math.inf, rows)
    rows = torch.where(counted[:, None], rows, -math.inf if mode == _MAX else 0.0)
    empty = wide.new_zeros([bags, width])
    if mode == _MAX:
        found = index_reduce(empty, 0, bag, rows, "amax", include_self=False)
        found = torch.where((sizes > 0)[:, None], found, 0.0)
        is_greatest = (rows == found.index_select(0, bag)) & counted[:, None]
        place = torch.where(is_greatest, position[:, None], count)
        last = torch.full([bags, width], count, dtype=torch.int64, device=weight.device)
        first = torch.clamp(index_reduce(last, 0, bag, place, "amin"), max=count - 1)
        chosen = torch.where(
            (sizes > 0)[:, None], indices.index_select(0, first.reshape(-1)).reshape(first.shape), 0
        )
    else:
        found = torch.index_add(empty, 0, bag, rows)
        if mode == _MEAN:
            found = found.to(weight.dtype) / torch.clamp(sizes, min=1).to(weight.dtype)[:, None]
        # PyTorch's kernels for sums count nothing, and look for no bags where they add up rows as they are.
        sizes = sizes if mode == _MEAN else offsets.new_zeros(offsets.shape)
        adds_rows = mode == _SUM and padding is None and weight.dtype != torch.float64
        bag, chosen = bag[:0] if adds_rows else bag, sizes
    return found.to(weight.dtype), bag.to(offsets.dtype), sizes.to(offsets.dtype), chosen.to(offsets.dtype)


def _inner_bag(*args: Any, padding_idx: int = -1, **kwargs: Any) -> tuple[torch.Tensor, ...]:
    """`aten._embedding_bag`, to which a padding of -1 means none."""
    position = 8
    *given, padding = args if len(args) > position else (*args, padding_idx)
    return embedding_bag(*given, padding_idx=None if padding == -1 else padding, **kwargs)
