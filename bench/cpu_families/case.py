"""What a family of models is, and what one of its cases holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Case:
    """A model with the arguments of one call.

    Attributes:
        model: in evaluation mode; it may keep state in buffers.
        args: tensors by position.
        stateless: the same computation with the state as arguments and results, for runtimes that keep none; None where
            `model` has no state.
        stateless_args: its arguments: `args`, then the state.
    """

    model: nn.Module
    args: tuple[torch.Tensor, ...]
    stateless: nn.Module | None = None
    stateless_args: tuple[torch.Tensor, ...] = ()


@dataclass(frozen=True)
class Family:
    """Models that differ in size only.

    Attributes:
        make: the model and its arguments from sizes; draws parameters and arguments from PyTorch's generator.
        sizes: sizes by name: `small` and `large` are measured, `tiny` ones (odd where they may be) are for tests.
        has_batch: whether `make` takes `batch`, which may be 0.
    """

    make: Callable[..., Case]
    sizes: Mapping[str, Mapping[str, Any]]
    has_batch: bool = True

    def case(self, size: str, **changes: Any) -> Case:
        """The model of a size with seeded parameters, ready for inference."""
        torch.manual_seed(7)
        made = self.make(**{**self.sizes[size], **changes})
        for model in (made.model, made.stateless):
            if model is not None:
                model.eval().requires_grad_(False)
        return made


def randomize_norms(model: nn.Module) -> nn.Module:
    """Gives normalisations statistics and scales as training would: none is the identity any more."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)  # pyright: ignore[reportArgumentType]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # pyright: ignore[reportArgumentType]
        if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    return model
