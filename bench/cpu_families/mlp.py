"""Multilayer perceptrons."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from .case import Case, Family


def mlp(batch: int, widths: Sequence[int], activation: type[nn.Module]) -> Case:
    """Linear layers with activations in between."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return Case(nn.Sequential(*layers[:-1]), (torch.randn(batch, widths[0]),))


MLP = Family(
    mlp,
    {
        "tiny": {"batch": 3, "widths": (21, 13, 7), "activation": nn.GELU},
        "small": {"batch": 8, "widths": (784, 256, 128, 10), "activation": nn.ReLU},
        "large": {"batch": 128, "widths": (1024, 4096, 4096, 1024), "activation": nn.GELU},
    },
)
