"""Small convolutional networks in the manner of LeNet."""

from __future__ import annotations

import torch
from torch import nn

from .case import Case, Family


class LeNet(nn.Module):
    """Two convolutions of 5 x 5 with pooling, three linear layers."""

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 5),
            nn.ReLU(),
            nn.AvgPool2d(2),
        )
        left = (side // 2 - 4) // 2
        self.classifier = nn.Sequential(
            nn.Linear(2 * width * left * left, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, 10),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(image).flatten(1))


def lenet(batch: int, side: int, width: int) -> Case:
    """Images of one channel."""
    return Case(LeNet(side, width), (torch.randn(batch, 1, side, side),))


LENET = Family(
    lenet,
    {
        "tiny": {"batch": 1, "side": 15, "width": 3},
        "small": {"batch": 1, "side": 28, "width": 8},
        "large": {"batch": 32, "side": 32, "width": 16},
    },
)
