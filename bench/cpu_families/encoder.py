"""Transformer encoders: of tokens, as BERT, and of patches of an image, as ViT."""

from __future__ import annotations

import torch
from torch import nn

from .case import Case, Family, randomize_norms


class EncoderLayer(nn.Module):
    """Attention and a perceptron, each with a residual; norms come first (ViT) or last (BERT)."""

    def __init__(self, width: int, heads: int, norm_first: bool) -> None:
        super().__init__()
        self.heads, self.norm_first = heads, norm_first
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def attend(self, x: torch.Tensor) -> torch.Tensor:
        """Every row looks at every row."""
        q, k, v = (
            f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.query, self.key, self.value)
        )
        attended = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(attended.transpose(1, 2).flatten(2))

    def feed(self, x: torch.Tensor) -> torch.Tensor:
        """The perceptron."""
        return self.narrow(nn.functional.gelu(self.widen(x)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.norm_first:
            x = x + self.attend(self.norm1(x))
            return x + self.feed(self.norm2(x))
        x = self.norm1(x + self.attend(x))
        return self.norm2(x + self.feed(x))


class Bert(nn.Module):
    """Token and position embeddings, layers, and the first token's class."""

    def __init__(self, width: int, heads: int, layers: int, tokens: int, vocabulary: int) -> None:
        super().__init__()
        self.token, self.position = nn.Embedding(vocabulary, width), nn.Embedding(tokens, width)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.Sequential(*(EncoderLayer(width, heads, False) for _ in range(layers)))
        self.pooler, self.classifier = nn.Linear(width, width), nn.Linear(width, 2)

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        hidden = self.layers(self.norm(self.token(tokens) + self.position(places)))
        return hidden, self.classifier(torch.tanh(self.pooler(hidden[:, 0])))


class Vit(nn.Module):
    """Patches by a strided convolution, a class token, layers, a classifier."""

    def __init__(self, side: int, patch: int, width: int, heads: int, layers: int, classes: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.first = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.position = nn.Parameter(torch.randn(1, (side // patch) ** 2 + 1, width) * 0.02)
        self.layers = nn.Sequential(*(EncoderLayer(width, heads, True) for _ in range(layers)))
        self.norm, self.classifier = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        patches = self.patches(image).flatten(2).transpose(1, 2)
        first = self.first.expand(image.shape[0], -1, -1)
        hidden = self.layers(torch.cat([first, patches], dim=1) + self.position)
        return self.classifier(self.norm(hidden)[:, 0])


def bert(batch: int, tokens: int, width: int, heads: int, layers: int, vocabulary: int = 8192) -> Case:
    """BERT-base has width 768, 12 heads and 12 layers."""
    model = randomize_norms(Bert(width, heads, layers, tokens, vocabulary))
    return Case(model, (torch.randint(0, vocabulary, (batch, tokens)),))


def vit(batch: int, side: int, patch: int, width: int, heads: int, layers: int, classes: int = 1000) -> Case:
    """ViT-S/16 has width 384, 6 heads and 12 layers on images of side 224."""
    model = randomize_norms(Vit(side, patch, width, heads, layers, classes))
    return Case(model, (torch.randn(batch, 3, side, side),))


BERT = Family(
    bert,
    {
        "tiny": {"batch": 1, "tokens": 7, "width": 20, "heads": 2, "layers": 1, "vocabulary": 31},
        "small": {"batch": 1, "tokens": 64, "width": 256, "heads": 4, "layers": 2},
        "large": {"batch": 1, "tokens": 128, "width": 768, "heads": 12, "layers": 4},
    },
)

VIT = Family(
    vit,
    {
        "tiny": {
            "batch": 1,
            "side": 15,
            "patch": 5,
            "width": 18,
            "heads": 3,
            "layers": 1,
            "classes": 3,
        },
        "small": {"batch": 1, "side": 64, "patch": 8, "width": 192, "heads": 3, "layers": 4},
        "large": {"batch": 1, "side": 224, "patch": 16, "width": 384, "heads": 6, "layers": 6},
    },
)
