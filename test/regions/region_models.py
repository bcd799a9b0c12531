"""Small models for tests of regions, one of each family."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

Loaded = tuple[nn.Module, tuple[torch.Tensor, ...]]


class Residual(nn.Module):
    """What the first layer makes is read by the last one, too; the mask goes to the second."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(7, 13), nn.Linear(13, 13), nn.Linear(13, 5)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        a = torch.tanh(self.first(x))
        b = torch.relu(self.second(a)) * mask
        return a, self.third(a + b)


class Counter(nn.Module):
    """The second half remembers the sum of all that it has seen."""

    total: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 9)
        self.register_buffer("total", torch.zeros(5, 9))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.tanh(self.inner(x))
        self.total.add_(y)
        return self.total * 2 + y


class Attention(nn.Module):
    """A head of attention with a normalisation in front and a residual connection around it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n = self.norm(x)
        weights = torch.softmax(self.query(n) @ self.key(n).transpose(-1, -2) / 8**0.5, -1)
        return x + weights @ self.value(n)


def _images() -> Loaded:
    layers = nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 3, 3), nn.Flatten(1)
    )
    return layers, (torch.randn(1, 2, 9, 7),)


def _towers() -> Loaded:
    return nn.Sequential(nn.Linear(11, 16), nn.GELU(), nn.Linear(16, 9), nn.Tanh(), nn.Linear(9, 6)), (
        torch.randn(3, 11),
    )


FAMILIES: dict[str, Callable[[], Loaded]] = {
    "tower": _towers,
    "residual": lambda: (Residual(), (torch.randn(6, 7), torch.randn(6, 13))),
    "images": _images,
    "attention": lambda: (Attention(), (torch.randn(10, 8),)),
    "state": lambda: (Counter(), (torch.randn(5, 6),)),
}


def load(family: str) -> Loaded:
    """A model of a family and the arguments of a call."""
    torch.manual_seed(0)
    model, args = FAMILIES[family]()
    return model.eval(), args
