"""Residual networks of basic blocks: ResNet-18 and smaller ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from .case import Case, Family, randomize_norms


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))


class ResNet(nn.Module):
    """A stem, stages of blocks, global pooling and a classifier."""

    def __init__(self, width: int, blocks: Sequence[int], classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        layers: list[nn.Module] = []
        channels = width
        for stage, count in enumerate(blocks):
            for index in range(count):
                outputs = width << stage
                layers.append(BasicBlock(channels, outputs, 2 if stage and not index else 1))
                channels = outputs
        self.stages = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = self.stages(self.stem(image))
        return self.classifier(nn.functional.adaptive_avg_pool2d(features, 1).flatten(1))


def resnet(batch: int, side: int, width: int, blocks: Sequence[int], classes: int = 1000) -> Case:
    """ResNet-18 has 64 channels and two blocks in each of four stages."""
    model = randomize_norms(ResNet(width, blocks, classes))
    return Case(model, (torch.randn(batch, 3, side, side),))


RESNET18 = Family(
    resnet,
    {
        "tiny": {"batch": 1, "side": 29, "width": 5, "blocks": (1, 1), "classes": 7},
        "small": {"batch": 1, "side": 64, "width": 64, "blocks": (2, 2, 2, 2)},
        "large": {"batch": 1, "side": 224, "width": 64, "blocks": (2, 2, 2, 2)},
    },
)
