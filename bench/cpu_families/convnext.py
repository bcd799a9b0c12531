"""ConvNeXt: 7 x 7 depthwise convolutions, layer norms over channels, GELU."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from .case import Case, Family, randomize_norms


class ChannelNorm(nn.Module):
    """Layer norm over the channels of an image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """Filter each channel by 7 x 7, then a perceptron at every place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.widen, self.narrow = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        inner = self.narrow(nn.functional.gelu(self.widen(inner)))
        return x + (self.scale * inner).permute(0, 3, 1, 2)


def convnext(
    batch: int, side: int, widths: Sequence[int], blocks: Sequence[int], classes: int = 1000
) -> Case:
    """ConvNeXt-T has widths 96, 192, 384, 768 and 3, 3, 9, 3 blocks."""
    layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 4), ChannelNorm(widths[0])]
    layers += [Block(widths[0]) for _ in range(blocks[0])]
    for (inputs, outputs), count in zip(pairwise(widths), blocks[1:], strict=True):
        layers += [ChannelNorm(inputs), nn.Conv2d(inputs, outputs, 2, 2)]
        layers += [Block(outputs) for _ in range(count)]
    layers += [
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.LayerNorm(widths[-1]),
        nn.Linear(widths[-1], classes),
    ]
    return Case(randomize_norms(nn.Sequential(*layers)), (torch.randn(batch, 3, side, side),))


CONVNEXT = Family(
    convnext,
    {
        "tiny": {"batch": 1, "side": 22, "widths": (5, 9), "blocks": (1, 1), "classes": 3},
        "small": {"batch": 1, "side": 64, "widths": (40, 80, 160, 320), "blocks": (2, 2, 6, 2)},
        "large": {"batch": 1, "side": 224, "widths": (96, 192, 384, 768), "blocks": (3, 3, 9, 3)},
    },
)
