"""Decoders with a cache of keys and values: in the manner of GPT-2 and of LLaMA, many tokens or one at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from .case import Case, Family, randomize_norms

Rotate = Callable[[torch.Tensor], torch.Tensor]


class Attention(nn.Module):
    """Causal attention over a cache, which it writes; key and value heads may be fewer than query heads."""

    def __init__(self, width: int, heads: int, groups: int, bias: bool) -> None:
        super().__init__()
        self.head, self.repeat = width // heads, heads // groups
        self.query, self.out = nn.Linear(width, width, bias=bias), nn.Linear(width, width, bias=bias)
        self.key, self.value = (nn.Linear(width, groups * self.head, bias=bias) for _ in range(2))

    def forward(
        self,
        x: torch.Tensor,
        position: torch.Tensor,
        rotate: Rotate,
        keys: torch.Tensor,
        values: torch.Tensor,
    ) -> torch.Tensor:
        """
        Args:
            x: [batch, tokens, width]; position: [1], of the single token; several tokens start at 0.
            keys / values: [batch, groups, length, head].
        """
        q, k, v = (
            f(x).unflatten(-1, (-1, self.head)).transpose(1, 2) for f in (self.query, self.key, self.value)
        )
        q, k = rotate(q), rotate(k)
        tokens = x.shape[1]
        if tokens > 1:
            keys[:, :, :tokens] = k
            values[:, :, :tokens] = v
            visible = None
        else:
            k, v = keys.index_copy_(2, position, k), values.index_copy_(2, position, v)
            visible = (torch.arange(keys.shape[2]) <= position).view(1, 1, 1, -1)
        k, v = self.for_every_query(k), self.for_every_query(v)
        attended = nn.functional.scaled_dot_product_attention(q, k, v, visible, is_causal=tokens > 1)
        return self.out(attended.transpose(1, 2).flatten(2))

    def for_every_query(self, x: torch.Tensor) -> torch.Tensor:
        """Key or value heads, repeated so that each query head has its own."""
        if self.repeat == 1:
            return x
        return x.unsqueeze(2).expand(-1, -1, self.repeat, -1, -1).flatten(1, 2)


class GptLayer(nn.Module):
    """Layer norms with biases, GELU."""

    def __init__(self, width: int, heads: int, groups: int, inner: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, groups, bias=True)
        self.widen, self.narrow = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: torch.Tensor, *state: object) -> torch.Tensor:
        x = x + self.attention(self.norm1(x), *state)
        return x + self.narrow(nn.functional.gelu(self.widen(self.norm2(x)), approximate="tanh"))


class LlamaLayer(nn.Module):
    """RMS norms, SwiGLU, no biases."""

    def __init__(self, width: int, heads: int, groups: int, inner: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(width, eps=1e-5), nn.RMSNorm(width, eps=1e-5)
        self.attention = Attention(width, heads, groups, bias=False)
        self.gate, self.up = (nn.Linear(width, inner, bias=False) for _ in range(2))
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: torch.Tensor, *state: object) -> torch.Tensor:
        x = x + self.attention(self.norm1(x), *state)
        normed = self.norm2(x)
        return x + self.down(nn.functional.silu(self.gate(normed)) * self.up(normed))


class Decoder(nn.Module):
    """Embedding, layers, and the logits of the token after the last one; keys and values live in buffers."""

    def __init__(
        self,
        llama: bool,
        width: int,
        heads: int,
        groups: int,
        inner: int,
        layers: int,
        vocabulary: int,
        length: int,
    ) -> None:
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.place = None if llama else nn.Embedding(length, width)
        kind = LlamaLayer if llama else GptLayer
        self.layers = nn.ModuleList(kind(width, heads, groups, inner) for _ in range(layers))
        self.norm = nn.RMSNorm(width, eps=1e-5) if llama else nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        turns = torch.outer(
            torch.arange(length), 10000.0 ** -torch.linspace(0, 1, width // heads // 2 + 1)[:-1]
        )
        self.register_buffer("cosine", turns.cos().repeat(1, 2))
        self.register_buffer("sine", turns.sin().repeat(1, 2))
        self.rotates = llama

    def compute(
        self, tokens: torch.Tensor, position: torch.Tensor, caches: list[torch.Tensor]
    ) -> torch.Tensor:
        """Logits; the caches (keys and values of each layer) are written."""
        places = torch.arange(tokens.shape[1]) if tokens.shape[1] > 1 else position
        x = self.token(tokens)
        if self.place is not None:
            x = x + self.place(places)
        rotate = self.rotation(places)
        for layer, keys, values in zip(self.layers, caches[::2], caches[1::2], strict=True):
            x = layer(x, position, rotate, keys, values)
        return self.head(self.norm(x[:, -1]))

    def rotation(self, places: torch.Tensor) -> Rotate:
        """Rotary embedding of queries and keys at these places; nothing for GPT."""
        if not self.rotates:
            return lambda x: x
        cosine, sine = self.get_buffer("cosine")[places], self.get_buffer("sine")[places]

        def rotate(x: torch.Tensor) -> torch.Tensor:
            first, second = x.chunk(2, dim=-1)
            return x * cosine + torch.cat([-second, first], dim=-1) * sine

        return rotate


class Stateful(nn.Module):
    """A decoder that keeps its caches."""

    def __init__(self, decoder: Decoder, caches: list[torch.Tensor]) -> None:
        super().__init__()
        self.decoder = decoder
        for index, cache in enumerate(caches):
            self.register_buffer(f"cache{index}", cache)
        self.count = len(caches)

    def forward(self, tokens: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        return self.decoder.compute(
            tokens, position, [getattr(self, f"cache{index}") for index in range(self.count)]
        )


class Stateless(nn.Module):
    """A decoder whose caches come and go with every call."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, tokens: torch.Tensor, position: torch.Tensor, *caches: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        updated = [cache.clone() for cache in caches]
        return self.decoder.compute(tokens, position, updated), *updated


def decoder(
    llama: bool,
    batch: int,
    tokens: int,
    width: int,
    heads: int,
    groups: int,
    inner: int,
    layers: int,
    length: int,
    vocabulary: int = 8192,
) -> Case:
    """`tokens` tokens at once from the start, or one at the cache's last place but one."""
    model = Decoder(llama, width, heads, groups, inner, layers, vocabulary, length)
    randomize_norms(model)
    shape = (batch, groups, length, width // heads)
    caches = [torch.randn(shape) for _ in range(2 * layers)]
    arguments = (
        torch.randint(0, vocabulary, (batch, tokens)),
        torch.tensor([length - 2 if tokens == 1 else 0]),
    )
    stateless = Stateless(model)
    return Case(
        Stateful(model, [cache.clone() for cache in caches]), arguments, stateless, (*arguments, *caches)
    )


_TINY = {"batch": 1, "width": 24, "inner": 40, "layers": 1, "length": 9, "vocabulary": 17}
_SMALL = {"batch": 1, "width": 256, "layers": 2, "length": 128}
_LARGE = {"batch": 1, "width": 768, "layers": 4, "length": 256}
_GPT = {
    "tiny": {**_TINY, "llama": False, "heads": 3, "groups": 3},
    "small": {**_SMALL, "llama": False, "heads": 4, "groups": 4, "inner": 1024},
    "large": {**_LARGE, "llama": False, "heads": 12, "groups": 12, "inner": 3072},
}
_LLAMA = {
    "tiny": {**_TINY, "llama": True, "heads": 6, "groups": 2},
    "small": {**_SMALL, "llama": True, "heads": 8, "groups": 2, "inner": 688},
    "large": {**_LARGE, "llama": True, "heads": 12, "groups": 4, "inner": 2048},
}
_PREFILL = {"tiny": 5, "small": 64, "large": 128}

GPT_PREFILL = Family(decoder, {size: {**given, "tokens": _PREFILL[size]} for size, given in _GPT.items()})
GPT_TOKEN = Family(decoder, {size: {**given, "tokens": 1} for size, given in _GPT.items()})
LLAMA_PREFILL = Family(decoder, {size: {**given, "tokens": _PREFILL[size]} for size, given in _LLAMA.items()})
LLAMA_TOKEN = Family(decoder, {size: {**given, "tokens": 1} for size, given in _LLAMA.items()})
