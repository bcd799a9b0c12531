"""Recurrent networks: LSTM over a sequence."""

from __future__ import annotations

import torch
from torch import nn

from .case import Case, Family


class Lstm(nn.Module):
    """Layers over a sequence, and a classifier of the last step."""

    def __init__(self, inputs: int, hidden: int, layers: int, classes: int) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(inputs, hidden, layers, batch_first=True)
        self.classifier = nn.Linear(hidden, classes)

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.recurrent(sequence)[0][:, -1])


def lstm(batch: int, steps: int, inputs: int, hidden: int, layers: int, classes: int = 10) -> Case:
    """A sequence of vectors."""
    return Case(Lstm(inputs, hidden, layers, classes), (torch.randn(batch, steps, inputs),))


LSTM = Family(
    lstm,
    {
        "tiny": {"batch": 1, "steps": 3, "inputs": 7, "hidden": 9, "layers": 2, "classes": 3},
        "small": {"batch": 1, "steps": 16, "inputs": 64, "hidden": 128, "layers": 1},
        "large": {"batch": 8, "steps": 32, "inputs": 256, "hidden": 512, "layers": 2},
    },
)
