"""MobileNetV2: inverted residuals with depthwise convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from .case import Case, Family, randomize_norms

# Expansion, channels, blocks and stride of each stage, from the paper (arXiv 1801.04381, table 2).
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def unit(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution, its normalisation and ReLU6."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU6()]


class InvertedResidual(nn.Module):
    """Widen by 1 x 1, filter each channel by 3 x 3, narrow by 1 x 1."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        layers = unit(inputs, inner, 1) if expansion > 1 else []
        layers += unit(inner, inner, 3, stride, groups=inner) + unit(inner, outputs, 1)[:2]
        self.body = nn.Sequential(*layers)
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x) if self.is_residual else self.body(x)


def mobilenet(
    batch: int,
    side: int,
    stages: Sequence[Sequence[int]] = STAGES,
    stem: int = 32,
    last: int = 1280,
    classes: int = 1000,
) -> Case:
    """The whole network on images of three channels."""
    layers, channels = unit(3, stem, 3, 2), stem
    for expansion, outputs, count, stride in stages:
        for index in range(count):
            layers.append(InvertedResidual(channels, outputs, stride if index == 0 else 1, expansion))
            channels = outputs
    layers += [*unit(channels, last, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, classes)]
    return Case(randomize_norms(nn.Sequential(*layers)), (torch.randn(batch, 3, side, side),))


MOBILENET = Family(
    mobilenet,
    {
        "tiny": {
            "batch": 1,
            "side": 19,
            "stages": ((1, 5, 1, 1), (3, 7, 2, 2)),
            "stem": 5,
            "last": 11,
            "classes": 3,
        },
        "small": {"batch": 1, "side": 96},
        "large": {"batch": 1, "side": 224},
    },
)
