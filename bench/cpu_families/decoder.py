"""Decoders with a cache of keys and values: in the manner of GPT-2 and of LLaMA, many tokens or one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import nn

from .case import Case, Family, randomize_norms

Rotate = Callable[[torch.Tensor], torch.Tensor]
KeysValues = tuple[torch.Tensor, torch.Tensor]


class Cache(Protocol):
    """Where a layer's keys and values of earlier tokens are: tensors of [batch, groups, length, head]."""

    def extend(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[KeysValues, torch.Tensor | None]:
        """Keeps those of new tokens; returns what these attend to, and which places of it they see (None: all)."""
        ...


class Written:
    """Buffers of a fixed length, which are written; `position`: [1], of a single token; several start at 0."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, position: torch.Tensor) -> None:
        self.keys, self.values, self.position = keys, values, position

    def extend(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[KeysValues, torch.Tensor | None]:
        tokens = keys.shape[2]
        if tokens > 1:
            self.keys[:, :, :tokens] = keys
            self.values[:, :, :tokens] = values
            return (keys, values), None
        everything = (
            self.keys.index_copy_(2, self.position, keys),
            self.values.index_copy_(2, self.position, values),
        )
        visible = torch.arange(self.keys.shape[2]) <= self.position
        return everything, visible.view(1, 1, 1, -1)


class Appended:
    """Tensors that get longer, as runtimes without state take and return them; `past` is empty at the start."""

    def __init__(self, past: Sequence[torch.Tensor]) -> None:
        self.past = past
        self.present: tuple[torch.Tensor, ...] = ()

    def extend(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[KeysValues, torch.Tensor | None]:
        if self.past:
            keys, values = (torch.cat(pair, 2) for pair in zip(self.past, (keys, values), strict=True))
        self.present = keys, values
        return (keys, values), None


class Attention(nn.Module):
    """Causal attention over a cache, which it extends; key and value heads may be fewer than query heads."""

    def __init__(self, width: int, heads: int, groups: int, bias: bool) -> None:
        super().__init__()
        self.head, self.repeat = width // heads, heads // groups
        self.query, self.out = nn.Linear(width, width, bias=bias), nn.Linear(width, width, bias=bias)
        self.key, self.value = (nn.Linear(width, groups * self.head, bias=bias) for _ in range(2))

    def forward(self, x: torch.Tensor, rotate: Rotate, cache: Cache) -> torch.Tensor:
        """`x`: [batch, tokens, width]."""
        q, k, v = (
            f(x).unflatten(-1, (-1, self.head)).transpose(1, 2) for f in (self.query, self.key, self.value)
        )
        (k, v), visible = cache.extend(rotate(k), v)
        attended = nn.functional.scaled_dot_product_attention(
            rotate(q), self.for_every_query(k), self.for_every_query(v), visible, is_causal=x.shape[1] > 1
        )
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

    def compute(self, tokens: torch.Tensor, position: torch.Tensor, caches: Sequence[Cache]) -> torch.Tensor:
        """Logits; the caches, one a layer, are extended."""
        places = torch.arange(tokens.shape[1]) if tokens.shape[1] > 1 else position
        x = self.token(tokens)
        if self.place is not None:
            x = x + self.place(places)
        rotate = self.rotation(places)
        for layer, cache in zip(self.layers, caches, strict=True):
            x = layer(x, rotate, cache)
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
        buffers = [getattr(self, f"cache{index}") for index in range(self.count)]
        caches = [Written(k, v, position) for k, v in zip(buffers[::2], buffers[1::2], strict=True)]
        return self.decoder.compute(tokens, position, caches)


class Stateless(nn.Module):
    """A decoder to which what was computed of earlier tokens is given, and which returns it with the new one's."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, tokens: torch.Tensor, position: torch.Tensor, *past: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        caches = [Appended(past[2 * k : 2 * k + 2]) for k in range(len(self.decoder.layers))]
        logits = self.decoder.compute(tokens, position, caches)
        return logits, *(tensor for cache in caches for tensor in cache.present)


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
    past = [cache[:, :, : length - 2].clone() for cache in caches] if tokens == 1 else []
    stateful = Stateful(model, [cache.clone() for cache in caches])
    return Case(stateful, arguments, Stateless(model), (*arguments, *past))


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
