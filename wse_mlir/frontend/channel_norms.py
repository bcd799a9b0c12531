"""Normalisations of batches and of groups: elements times one number of their channel, plus another, as in PyTorch.

Scale and shift are computed once per channel, so that what is left for every element is one multiplication and one
addition. Infinities come out where PyTorch has them only if products are formed in this order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from .narrow_floats import widened

aten = torch.ops.aten

_OPEN_COUNT = (
    32  # the logarithm of more elements than a channel has, where their number is known at run time only
)


@dataclass(frozen=True)
class _Moments:
    """Of each channel, in a shape that broadcasts; `variance` is that of the elements, `unbiased` an estimate."""

    mean: torch.Tensor
    variance: torch.Tensor
    unbiased: torch.Tensor


def channel_norm_decompositions() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table."""
    return {
        aten._native_batch_norm_legit_no_training.default: batch_norm_of_inference,
        aten._native_batch_norm_legit.default: _updating,
        aten._native_batch_norm_legit.no_stats: batch_norm_without_statistics,
        aten._native_batch_norm_legit_functional.default: batch_norm_of_training,
        aten.native_batch_norm.default: _updating,
        aten.group_norm.default: group_norm,
    }


def batch_norm_of_inference(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    running_mean: torch.Tensor,
    running_var: torch.Tensor,
    momentum: float,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`aten._native_batch_norm_legit_no_training`; its saved statistics are empty."""
    per_channel = [-1] + [1] * (x.dim() - 2)
    mean, variance = (widened(given).reshape(per_channel) for given in (running_mean, running_var))
    result = _scaled_and_shifted(x, mean, torch.rsqrt(variance + eps), weight, bias)
    return result, x.new_empty([0]), x.new_empty([0])


def batch_norm_of_training(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    running_mean: torch.Tensor,
    running_var: torch.Tensor,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """`aten._native_batch_norm_legit_functional`: the result, the moments used, the statistics after the call."""
    if not training:
        given = batch_norm_of_inference(x, weight, bias, running_mean, running_var, momentum, eps)
        return *given, running_mean.clone(), running_var.clone()
    found = _moments(x)

    def updated(new: torch.Tensor, old: torch.Tensor) -> torch.Tensor:
        return (momentum * new.reshape([x.shape[1]]) + (1 - momentum) * widened(old)).to(old.dtype)

    results = _normalised(x, weight, bias, found, eps)
    return *results, updated(found.mean, running_mean), updated(found.unbiased, running_var)


def batch_norm_without_statistics(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`aten._native_batch_norm_legit.no_stats`, which always is that of training."""
    return _normalised(x, weight, bias, _moments(x), eps)


def group_norm(
    x: torch.Tensor,
    groups: int,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> torch.Tensor:
    """`aten.group_norm`: moments of each image's groups of channels."""
    if x.numel() == 0:
        return x.clone()
    wide, images, channels = widened(x), x.shape[0], x.shape[1] // groups
    pixels = math.prod(x.shape[2:])
    lines = wide.reshape([images, groups, channels * pixels])
    variance, mean = torch.var_mean(lines, [2], correction=0, keepdim=True)
    scale = torch.rsqrt(variance + eps)
    if weight is not None:
        scale = scale * widened(weight).reshape([1, groups, channels])
    shift = None if bias is None else widened(bias).reshape([1, groups, channels, 1])
    elements = wide.reshape([images, groups, channels, pixels])
    scaled, centre = elements * scale.unsqueeze(-1), (-mean * scale).unsqueeze(-1)
    if channels * pixels == 1:
        # The element is the mean: a product that is rounded once, where it is added, would leave what rounding lost.
        result = _zero_of(scaled) if shift is None else _zero_of(scaled) + shift
    else:
        result = scaled + (centre if shift is None else centre + shift)
    return result.reshape(x.shape).to(x.dtype)


def _zero_of(values: torch.Tensor) -> torch.Tensor:
    """What is left of numbers that are subtracted from themselves."""
    return torch.where(torch.isfinite(values), 0.0, math.nan).to(values.dtype)


def _updating(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`aten._native_batch_norm_legit` and `aten.native_batch_norm`, which write the statistics."""
    if running_mean is None or running_var is None:
        return batch_norm_without_statistics(x, weight, bias, training, momentum, eps)
    statistics = (running_mean, running_var)
    *results, mean, variance = batch_norm_of_training(x, weight, bias, *statistics, training, momentum, eps)
    if training:
        running_mean.copy_(mean)
        running_var.copy_(variance)
    return results[0], results[1], results[2]


def _normalised(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    moments: _Moments,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    scale = torch.rsqrt(moments.variance + eps)
    result = _scaled_and_shifted(x, moments.mean, scale, weight, bias)
    mean, scale = (line.reshape([x.shape[1]]).to(x.dtype) for line in (moments.mean, scale))
    return result, mean, scale


def _scaled_and_shifted(
    x: torch.Tensor,
    mean: torch.Tensor,
    scale: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
) -> torch.Tensor:
    per_channel = [-1] + [1] * (x.dim() - 2)
    if weight is not None:
        scale = scale * widened(weight).reshape(per_channel)
    shift = -mean * scale
    if bias is not None:
        shift = shift + widened(bias).reshape(per_channel)
    return (widened(x) * scale + shift).to(x.dtype)


def _moments(x: torch.Tensor) -> _Moments:
    """Moments in f32 for f32 and narrower; PyTorch adds up in f64, so that no mean overflows."""
    wide = widened(x)
    dims = [0, *range(2, x.dim())]
    count = math.prod(x.shape[d] for d in dims)
    # A sum along a dimension of size one takes in no computation of what is added up.
    dims = [d for d in dims if not isinstance(x.shape[d], int) or x.shape[d] > 1] or dims
    mean = _mean(wide, dims, count)
    centred = wide - mean
    squares = torch.sum(centred * centred, dims, keepdim=True)
    # Of one element the estimate is 0 / 0.
    unbiased = squares / (count - 1) if not isinstance(count, int) or count > 1 else squares * math.nan
    return _Moments(mean, squares / count, unbiased)


def _mean(wide: torch.Tensor, dims: list[int], count: Any) -> torch.Tensor:
    """A mean of finite elements is finite: they are made smaller by a power of two before they are added up."""
    if wide.dtype != torch.float32:
        return torch.mean(wide, dims, keepdim=True)
    halvings = max(count - 1, 1).bit_length() if isinstance(count, int) else _OPEN_COUNT
    total = torch.sum(wide * 0.5**halvings, dims, keepdim=True)
    return total * (2.0**halvings / count)
