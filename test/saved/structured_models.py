"""Models for tests of saved files, and the classes of their arguments and results."""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Span:
    low: torch.Tensor
    high: torch.Tensor


torch.export.register_dataclass(Span, serialized_type_name="test.Span")


@dataclass
class Unnamed:
    low: torch.Tensor


torch.export.register_dataclass(Unnamed)


class Structured(nn.Module):
    def forward(
        self, pair: tuple[torch.Tensor, torch.Tensor], *, scale: float, more: dict[str, torch.Tensor]
    ):
        low = pair[0] * scale
        return {"span": Span(low, pair[1] + more["shift"]), "none": None, "list": [low.sum(), 3, 0.1]}


class ReturnsUnnamed(nn.Module):
    def forward(self, x: torch.Tensor) -> Unnamed:
        return Unnamed(x + 1)


class Bytes(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * 2).to(torch.uint8)


class Tied(nn.Module):
    """One matrix under two names, and a buffer that counts calls."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(500, 64)
        self.head = nn.Linear(64, 500, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("calls", torch.tensor(3))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.head(self.embedding(tokens)) * self.calls
