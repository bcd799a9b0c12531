"""Operators, mostly of backward graphs, for which neither PyTorch nor torch-mlir has what linalg can express."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from .narrow_floats import widened

aten = torch.ops.aten


def gradient_decompositions() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table."""
    return {
        aten.native_group_norm.default: group_norm,
        aten.rrelu_with_noise_functional.default: leaky_relu_of_evaluation,
        aten.rrelu_with_noise_backward.default: leaky_relu_of_evaluation_backward,
        aten._weight_norm_interface_backward.default: weight_norm_backward,
        aten._cdist_forward.default: distances,
        aten._cdist_backward.default: distances_backward,
    }


def group_norm(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    batch: int,
    channels: int,
    positions: int,
    groups: int,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`aten.native_group_norm`: the result, and each group's mean and reciprocal deviation, [batch, groups]."""
    wide = widened(x)
    grouped = wide.reshape(batch, groups, -1)
    mean = torch.mean(grouped, 2, keepdim=True)
    centred = grouped - mean
    deviation = torch.rsqrt(torch.mean(centred * centred, 2, keepdim=True) + eps)
    result = (centred * deviation).reshape(batch, channels, positions)
    if weight is not None:
        result = result * weight.to(wide.dtype)[:, None]
    if bias is not None:
        result = result + bias.to(wide.dtype)[:, None]
    mean, deviation = (saved.reshape(batch, groups).to(x.dtype) for saved in (mean, deviation))
    return result.reshape(x.shape).to(x.dtype), mean, deviation


def leaky_relu_of_evaluation(
    x: torch.Tensor,
    noise: torch.Tensor,
    lower: float = 0.125,
    upper: float = 1 / 3,
    training: bool = False,
    generator: Any = None,
) -> Any:
    """`aten.rrelu_with_noise_functional` when not training: its slope is the mean one; else it is random."""
    if training:
        return NotImplemented
    return torch.where(x > 0, x, x * ((lower + upper) / 2)), torch.ones_like(x)


def leaky_relu_of_evaluation_backward(
    gradient: torch.Tensor,
    x: torch.Tensor,
    noise: torch.Tensor,
    lower: float,
    upper: float,
    training: bool,
    self_is_result: bool,
) -> torch.Tensor:
    """`aten.rrelu_with_noise_backward`; in training the noise holds the slopes, 1 where `x` is positive."""
    if training and upper - lower > 1e-6:
        return gradient * noise
    return torch.where(x > 0, gradient, gradient * ((lower + upper) / 2))


def weight_norm_backward(
    gradient: torch.Tensor, v: torch.Tensor, g: torch.Tensor, norms: torch.Tensor, dim: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """`aten._weight_norm_interface_backward` of w = g v / |v|, norms taken over all dimensions but `dim`."""
    others = [d for d in range(v.dim()) if d != dim % v.dim()]
    of_g = torch.sum(gradient * v, others, keepdim=True) / norms
    return (g / norms) * (gradient - v * (of_g / norms)), of_g


def distances(x: torch.Tensor, y: torch.Tensor, p: float, compute_mode: int | None = None) -> torch.Tensor:
    """`aten._cdist_forward`: the p-norm between each row of `x` and each row of `y`."""
    apart = torch.abs(x.unsqueeze(-2) - y.unsqueeze(-3))
    if p == 0:
        return torch.sum(torch.clamp(torch.ceil(apart), max=1), -1)  # a NaN remains
    if p == 1:
        return torch.sum(apart, -1)
    if p == 2:
        return torch.sqrt(torch.sum(apart * apart, -1))
    if math.isinf(p):
        return torch.amax(torch.where(torch.isnan(apart), 0.0, apart), -1)  # PyTorch's passes a NaN over
    return torch.pow(torch.sum(torch.pow(apart, p), -1), 1 / p)


def distances_backward(
    gradient: torch.Tensor, x: torch.Tensor, y: torch.Tensor, p: float, distance: torch.Tensor
) -> torch.Tensor:
    """`aten._cdist_backward`: the gradient of `x`; zero where two rows are equal."""
    apart = x.unsqueeze(-2) - y.unsqueeze(-3)
    gradient, distance = gradient.unsqueeze(-1), distance.unsqueeze(-1)
    direction = torch.sign(apart)
    if p == 0:
        return torch.zeros_like(x)
    if p == 1:
        slope = direction
    elif math.isinf(p):
        slope = direction * (torch.abs(apart) == distance).to(x.dtype)
    else:
        safe = torch.where(distance == 0, 1.0, distance)
        ratio = torch.abs(apart) / safe
        slope = torch.where(apart == 0, 0.0, direction * torch.pow(ratio, p - 1))
    return torch.sum(gradient * slope, -2)
