"""Normalisations."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from ...narrow_floats import widened
from ..registry import operator
from ..values import dimension, refuse_unless
from .windows import powers, root


@operator("BatchNormalization")
def batch_norm(
    x: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    spatial: int = 1,
    is_test: int = 1,
    consumed_inputs: Any = None,
) -> Any:
    """With given statistics; in training with those of the batch, and the running ones as further results."""
    if not training_mode:
        return _scaled(x, mean, variance, scale, bias, epsilon)
    dims = [d for d in range(x.dim()) if d != 1]
    wide = widened(x)
    of_batch, spread = torch.mean(wide, dims), torch.var(wide, dims, correction=0)
    running_mean = widened(mean) * momentum + of_batch * (1 - momentum)
    running_variance = widened(variance) * momentum + spread * (1 - momentum)
    result = _scaled(x, of_batch, spread, scale, bias, epsilon)
    return result, running_mean.to(mean.dtype), running_variance.to(variance.dtype)


def _scaled(
    x: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor,
    epsilon: float,
) -> torch.Tensor:
    shape = [1, -1] + [1] * (x.dim() - 2) if x.dim() > 1 else [-1]
    factor = widened(scale) * torch.rsqrt(widened(variance) + epsilon)
    shift = widened(bias) - widened(mean) * factor
    return (widened(x) * factor.reshape(shape) + shift.reshape(shape)).to(x.dtype)


@operator("InstanceNormalization")
def instance_norm(
    x: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor,
    *,
    epsilon: float = 1e-5,
    consumed_inputs: Any = None,
) -> torch.Tensor:
    """Each channel of each image by its own mean and variance."""
    wide, shape = widened(x), [1, -1] + [1] * (x.dim() - 2)
    dims = list(range(2, x.dim()))
    variance, mean = torch.var_mean(wide, dims, correction=0, keepdim=True)
    result = (wide - mean) * torch.rsqrt(variance + epsilon)
    return (result * widened(scale).reshape(shape) + widened(bias).reshape(shape)).to(x.dtype)


@operator("LayerNormalization")
def layer_norm(
    x: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
    outputs: int,
) -> Any:
    """Over all dimensions from `axis` on; mean and reciprocal deviation are further results."""
    first = dimension(axis, x.dim())
    shape = list(x.shape[first:])
    fits = list(scale.shape) == shape and (bias is None or list(bias.shape) == shape)
    if outputs == 1 and fits and x.dtype == scale.dtype:
        return F.layer_norm(x, shape, scale, bias, epsilon)
    wide, dims = widened(x), list(range(first, x.dim()))
    variance, mean = torch.var_mean(wide, dims, correction=0, keepdim=True)
    reciprocal = torch.rsqrt(variance + epsilon)
    result = ((wide - mean) * reciprocal).to(x.dtype) * scale
    result = (result if bias is None else result + bias).to(x.dtype)
    return (result, mean, reciprocal) if outputs > 1 else result


@operator("RMSNormalization")
def rms_norm(
    x: torch.Tensor, scale: torch.Tensor, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> torch.Tensor:
    """Divided by the root of the mean square over all dimensions from `axis` on."""
    wide = widened(x)
    dims = list(range(dimension(axis, x.dim()), x.dim()))
    factor = torch.rsqrt(torch.mean(wide * wide, dims, keepdim=True) + epsilon)
    return ((wide * factor).to(x.dtype) * scale).to(scale.dtype)


@operator("GroupNormalization")
def group_norm(
    x: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor,
    *,
    num_groups: int,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> torch.Tensor:
    """Groups of channels by their mean and variance; scale and bias are per channel, until version 20 per group."""
    channels = x.shape[1]
    if scale.shape[0] != channels:
        scale, bias = (v.repeat_interleave(channels // num_groups) for v in (scale, bias))
    return F.group_norm(widened(x), num_groups, widened(scale), widened(bias), epsilon).to(x.dtype)


@operator("LpNormalization")
def lp_normalization(x: torch.Tensor, *, axis: int = -1, p: int = 2) -> torch.Tensor:
    """Divided by the p-norm along a dimension; zero where that is zero."""
    wide = widened(x)
    norm = root(torch.sum(powers(wide, p), dimension(axis, x.dim()), keepdim=True), p)
    return torch.where(norm == 0, torch.zeros_like(wide), wide / norm).to(x.dtype)


@operator("MeanVarianceNormalization")
def mean_variance_normalization(x: torch.Tensor, *, axes: tuple[int, ...] = (0, 2, 3)) -> torch.Tensor:
    """Without mean, and divided by the deviation."""
    wide = widened(x)
    variance, mean = torch.var_mean(wide, list(axes), correction=0, keepdim=True)
    return ((wide - mean) / (torch.sqrt(variance) + 1e-9)).to(x.dtype)


@operator("LRN")
def local_response(
    x: torch.Tensor, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
) -> torch.Tensor:
    """Divided by a power of the sum of squares in neighbouring channels."""
    wide = widened(x)
    refuse_unless(0 < size <= 4096, f"a neighbourhood of {size} channels")
    before = (size - 1) // 2
    amounts = [0, 0] * (x.dim() - 2) + [before, size - 1 - before]
    squares = F.pad(wide * wide, amounts)
    summed = sum((squares.narrow(1, k, x.shape[1]) for k in range(1, size)), squares.narrow(1, 0, x.shape[1]))
    return (wide / torch.pow(bias + (alpha / size) * summed, beta)).to(x.dtype)
