"""Layers and models for which there are goals on `wse3`: what `bench/wafer.py --goals` measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from cpu_families.case import Case, Family
from cpu_families.decoder import LlamaLayer, Written
from cpu_families.encoder import EncoderLayer
from cpu_families.resnet import resnet
from torch import nn

SUSTAINED = 0.35  # of the rate of multiply-adds that a prefill should reach


@dataclass(frozen=True)
class Goal:
    """A case with the cycles that it should take at most.

    Attributes:
        grid: as "WxH"; "" leaves it to the planner.
        cycles: from multiply-adds in f16 that all PEs of the grid do in a cycle.
    """

    family: Family
    grid: str
    cycles: Callable[[float], float]


class DecoderLayer(nn.Module):
    """A layer in the manner of LLaMA, which keeps keys and values of `length` places: [1, groups, length, head]."""

    def __init__(self, width: int, heads: int, groups: int, inner: int, length: int) -> None:
        super().__init__()
        self.layer, head = LlamaLayer(width, heads, groups, inner), width // heads
        turns = torch.outer(torch.arange(length), 10000.0 ** -torch.linspace(0, 1, head // 2 + 1)[:-1])
        self.register_buffer("cosine", turns.cos().repeat(1, 2))
        self.register_buffer("sine", turns.sin().repeat(1, 2))
        for name in ("keys", "values"):
            self.register_buffer(name, torch.zeros(1, groups, length, head))

    def forward(self, x: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        """`x`: [1, tokens, width]; `position`: [1], of a single token; several start at 0."""
        places = torch.arange(x.shape[1]) if x.shape[1] > 1 else position
        cosine, sine = self.get_buffer("cosine")[places], self.get_buffer("sine")[places]

        def rotate(given: torch.Tensor) -> torch.Tensor:
            first, second = given.chunk(2, dim=-1)
            return given * cosine + torch.cat([-second, first], dim=-1) * sine

        return self.layer(x, rotate, Written(self.get_buffer("keys"), self.get_buffer("values"), position))


def decoder_layer(tokens: int, width: int, heads: int, groups: int, inner: int, length: int) -> Case:
    """`tokens` tokens from the start, or one at the cache's last place but one, in f16."""
    model = DecoderLayer(width, heads, groups, inner, length).half()
    return Case(
        model, (torch.randn(1, tokens, width).half(), torch.tensor([length - 2 if tokens == 1 else 0]))
    )


def encoder_layer(tokens: int, width: int, heads: int) -> Case:
    """An encoder's layer in f16, norms last."""
    return Case(EncoderLayer(width, heads, False).half(), (torch.randn(1, tokens, width).half(),))


def residual_network(side: int) -> Case:
    """ResNet-18 in f16."""
    case = resnet(1, side, 64, (2, 2, 2, 2))
    return Case(case.model.half(), tuple(x.half() for x in case.args))


def multiply_adds(tokens: int, width: int, groups: int, heads: int, inner: int) -> float:
    """Of a decoder's layer whose tokens look at those before them."""
    weights = 2 * width * width + 2 * width * width * groups // heads + 3 * width * inner
    return tokens * weights + tokens * tokens * width


_LLAMA = {"width": 4096, "heads": 32, "groups": 8, "inner": 14336, "length": 4096}
_WORK = multiply_adds(4096, 4096, 8, 32, 14336)


def _family(make: Callable[..., Case], **sizes: int) -> Family:
    return Family(make, {"goal": sizes}, has_batch=False)


GOALS = {
    "encoder-layer": Goal(
        _family(encoder_layer, tokens=128, width=768, heads=12), "256x256", lambda rate: 60_000
    ),
    "resnet18-f16": Goal(_family(residual_network, side=224), "", lambda rate: 150_000),
    # A part of 540x540: on more rows every sum along them takes longer, by more than they save in computing.
    "llama-layer-token": Goal(_family(decoder_layer, tokens=1, **_LLAMA), "256x128", lambda rate: 15_000),
    "llama-layer-prefill": Goal(
        _family(decoder_layer, tokens=4096, **_LLAMA), "720x720", lambda rate: _WORK / rate / SUSTAINED
    ),
}
