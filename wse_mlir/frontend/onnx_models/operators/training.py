"""Steps of optimisers."""

from __future__ import annotations

import torch

from ...recurrent_layers import Tensors
from ..registry import operator

_DOMAIN = "ai.onnx.preview.training"


def _kinds(tensors: Tensors, count: int) -> list[Tensors]:
    """All tensors of the first kind, all of the second, ...: `count` kinds of equally many."""
    each = len(tensors) // count
    return [tensors[k * each : (k + 1) * each] for k in range(count)]


@operator("Adagrad", domain=_DOMAIN)
def adagrad(
    rate: torch.Tensor,
    step: torch.Tensor,
    *tensors: torch.Tensor,
    decay_factor: float = 0.0,
    epsilon: float = 0.0,
    norm_coefficient: float = 0.0,
) -> Tensors:
    """New values and new sums of squares, from values, gradients and sums of squares."""
    values, gradients, squares = _kinds(tensors, 3)
    scaled = rate / (1 + step * decay_factor)
    regular = [norm_coefficient * x + g for x, g in zip(values, gradients, strict=True)]
    summed = [h + g * g for h, g in zip(squares, regular, strict=True)]
    stepped = [
        x - scaled * g / (torch.sqrt(h) + epsilon) for x, g, h in zip(values, regular, summed, strict=True)
    ]
    return (*stepped, *summed)


@operator("Momentum", domain=_DOMAIN)
def momentum(
    rate: torch.Tensor,
    step: torch.Tensor,
    *tensors: torch.Tensor,
    alpha: float,
    beta: float,
    mode: str,
    norm_coefficient: float,
) -> Tensors:
    """New values and new momenta, from values, gradients and momenta."""
    values, gradients, momenta = _kinds(tensors, 3)
    regular = [norm_coefficient * x + g for x, g in zip(values, gradients, strict=True)]
    factor = torch.where(step > 0, beta, 1.0)
    moved = [alpha * v + factor * g for v, g in zip(momenta, regular, strict=True)]
    if mode == "nesterov":
        stepped = [x - rate * (g + alpha * v) for x, g, v in zip(values, regular, moved, strict=True)]
    else:
        stepped = [x - rate * v for x, v in zip(values, moved, strict=True)]
    return (*stepped, *moved)


@operator("Adam", domain=_DOMAIN)
def adam(
    rate: torch.Tensor,
    step: torch.Tensor,
    *tensors: torch.Tensor,
    alpha: float = 0.9,
    beta: float = 0.999,
    epsilon: float = 0.0,
    norm_coefficient: float = 0.0,
    norm_coefficient_post: float = 0.0,
) -> Tensors:
    """New values, means and mean squares, from values, gradients, means and mean squares."""
    values, gradients, means, squares = _kinds(tensors, 4)
    regular = [norm_coefficient * x + g for x, g in zip(values, gradients, strict=True)]
    means = [alpha * v + (1 - alpha) * g for v, g in zip(means, regular, strict=True)]
    squares = [beta * h + (1 - beta) * g * g for h, g in zip(squares, regular, strict=True)]
    steps = step.to(rate.dtype)
    corrected = rate * torch.sqrt(1 - torch.pow(beta, steps)) / (1 - torch.pow(alpha, steps))
    adjusted = torch.where(step > 0, corrected, rate)
    stepped = [
        x - adjusted * v / (torch.sqrt(h) + epsilon) for x, v, h in zip(values, means, squares, strict=True)
    ]
    return (*((1 - norm_coefficient_post) * x for x in stepped), *means, *squares)
