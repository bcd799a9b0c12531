"""Operators that read and write elements whose positions are data."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..registry import operator
from ..values import Unsupported, dimension, integer, refuse_unless

_REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def from_front(indices: torch.Tensor, size: Any) -> torch.Tensor:
    """Positions, of which negative ones count from the end, as 64-bit integers."""
    wide = indices.to(torch.int64)
    return torch.where(wide < 0, wide + size, wide)


@operator("Gather")
def gather(x: torch.Tensor, indices: torch.Tensor, *, axis: int = 0) -> torch.Tensor:
    """Slices of a tensor; the dimensions of `indices` take the place of the one that is indexed."""
    dim = dimension(axis, x.dim())
    flat = from_front(indices.reshape(-1), x.shape[dim])
    shape = [*x.shape[:dim], *indices.shape, *x.shape[dim + 1 :]]
    return torch.index_select(x, dim, flat).reshape(shape)


@operator("GatherElements")
def gather_elements(x: torch.Tensor, indices: torch.Tensor, *, axis: int = 0) -> torch.Tensor:
    """One element for each index, whose other coordinates are its own."""
    dim = dimension(axis, x.dim())
    return torch.gather(x, dim, from_front(indices, x.shape[dim]))


@operator("GatherND")
def gather_slices(x: torch.Tensor, indices: torch.Tensor, *, batch_dims: int = 0) -> torch.Tensor:
    """Slices at coordinates, after dimensions that both have."""
    depth = indices.shape[-1]
    refuse_unless(0 <= batch_dims < min(x.dim(), indices.dim()), f"{batch_dims} batch dimensions")
    inner = list(x.shape[batch_dims + depth :])
    linear = _linear(indices, x.shape[batch_dims : batch_dims + depth])
    if batch_dims:
        rows = math.prod(x.shape[batch_dims : batch_dims + depth])
        batches = math.prod(x.shape[:batch_dims])
        offsets = (torch.arange(batches) * rows).reshape(
            [*x.shape[:batch_dims]] + [1] * (linear.dim() - batch_dims)
        )
        linear = linear + offsets
    flat = x.reshape([-1, *inner]) if inner else x.reshape(-1)
    return torch.index_select(flat, 0, linear.reshape(-1)).reshape([*indices.shape[:-1], *inner])


def _linear(indices: torch.Tensor, sizes: Any) -> torch.Tensor:
    """The position in row-major order of coordinates in the last dimension."""
    linear = torch.zeros(indices.shape[:-1], dtype=torch.int64)
    for k, size in enumerate(sizes):
        linear = linear * size + from_front(indices[..., k], size)
    return linear


@operator("ScatterElements", "Scatter")
def scatter_elements(
    x: torch.Tensor, indices: torch.Tensor, updates: torch.Tensor, *, axis: int = 0, reduction: str = "none"
) -> torch.Tensor:
    """A copy with elements replaced, or combined with what was there."""
    dim = dimension(axis, x.dim())
    places = from_front(indices, x.shape[dim])
    if reduction == "none":
        return torch.scatter(x, dim, places, updates)
    return torch.scatter_reduce(x, dim, places, updates, _reduction(reduction), include_self=True)


def _reduction(name: str) -> str:
    if name not in _REDUCTIONS:
        raise Unsupported(f"the reduction '{name}'")
    return _REDUCTIONS[name]


@operator("ScatterND")
def scatter_slices(
    x: torch.Tensor, indices: torch.Tensor, updates: torch.Tensor, *, reduction: str = "none"
) -> torch.Tensor:
    """A copy with slices at coordinates replaced, or combined with what was there."""
    depth = indices.shape[-1]
    if reduction in ("none", "add"):
        coordinates: list[torch.Tensor | None] = [
            from_front(indices[..., k], x.shape[k]) for k in range(depth)
        ]
        return torch.index_put(x, coordinates, updates, accumulate=reduction == "add")
    inner = math.prod(x.shape[depth:])
    linear = _linear(indices, x.shape[:depth]).reshape(-1, 1)
    places = linear.expand([linear.shape[0], inner])
    flat = x.reshape([-1, inner])
    values = updates.reshape([-1, inner])
    return torch.scatter_reduce(flat, 0, places, values, _reduction(reduction), include_self=True).reshape(
        x.shape
    )


@operator("TensorScatter")
def tensor_scatter(
    past: torch.Tensor,
    update: torch.Tensor,
    write_indices: torch.Tensor | None = None,
    *,
    axis: int = -2,
    mode: str = "linear",
) -> torch.Tensor:
    """A cache with an update written along a dimension, from a position of each batch on."""
    dim, length = dimension(axis, past.dim()), update.shape[axis]
    start = torch.zeros(past.shape[0], dtype=torch.int64) if write_indices is None else write_indices
    places = start.reshape(-1, 1) + torch.arange(length)
    places = places % past.shape[dim] if mode == "circular" else places
    shape = [update.shape[0]] + [1] * (past.dim() - 1)
    shape[dim] = length
    return torch.scatter(past, dim, places.reshape(shape).expand(update.shape), update)


@operator("OneHot")
def one_hot(indices: torch.Tensor, depth: Any, values: torch.Tensor, *, axis: int = -1) -> torch.Tensor:
    """A new dimension with the second value at each index, else the first; none for indices out of range."""
    count = integer(depth)
    dim = dimension(axis, indices.dim() + 1)
    places = from_front(indices, count).unsqueeze(dim)
    shape = [1] * (indices.dim() + 1)
    shape[dim] = count
    is_there = places == torch.arange(count).reshape(shape)
    return torch.where(is_there, values[1], values[0])


@operator("ReverseSequence")
def reverse_sequence(
    x: torch.Tensor, lengths: torch.Tensor, *, batch_axis: int = 1, time_axis: int = 0
) -> torch.Tensor:
    """The first elements of each sequence backwards, the others as they are."""
    refuse_unless(x.dim() >= 2, "sequences of fewer than two dimensions")
    steps = torch.arange(x.shape[time_axis])
    shape = [1] * x.dim()
    shape[time_axis] = x.shape[time_axis]
    steps = steps.reshape(shape)
    shape = [1] * x.dim()
    shape[batch_axis] = x.shape[batch_axis]
    counts = lengths.to(torch.int64).reshape(shape)
    places = torch.where(steps < counts, counts - 1 - steps, steps)
    return torch.gather(x, time_axis, places.expand(x.shape))


@operator("ArrayFeatureExtractor", domain="ai.onnx.ml")
def array_features(x: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Columns of a matrix."""
    rows = x.reshape([-1, x.shape[-1]])
    return torch.index_select(rows, -1, indices.reshape(-1))


@operator("Binarizer", domain="ai.onnx.ml")
def binarise(x: torch.Tensor, *, threshold: float = 0.0) -> torch.Tensor:
    """One above the threshold, else zero."""
    return (x > threshold).to(x.dtype)
