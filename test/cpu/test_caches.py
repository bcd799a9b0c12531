"""Caches of keys and values that a model writes, in the ways in which PyTorch code does it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

import wse_mlir

Write = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], object]


def by_index_copy(cache: torch.Tensor, new: torch.Tensor, places: torch.Tensor) -> object:
    return cache.index_copy_(2, places, new)


def by_index(cache: torch.Tensor, new: torch.Tensor, places: torch.Tensor) -> object:
    cache[:, :, places] = new
    return cache


def by_scatter(cache: torch.Tensor, new: torch.Tensor, places: torch.Tensor) -> object:
    return cache.scatter_(2, places.view(1, 1, -1, 1).expand(new.shape), new)


def by_slice(cache: torch.Tensor, new: torch.Tensor, places: torch.Tensor) -> object:
    del places
    cache[:, :, 2 : 2 + new.shape[2]] = new
    return cache


def tokens_first(cache: torch.Tensor, new: torch.Tensor, places: torch.Tensor) -> object:
    cache.transpose(1, 2).index_copy_(1, places, new.transpose(1, 2))
    return cache


def by_whole_index(cache: torch.Tensor, new: torch.Tensor, places: torch.Tensor) -> object:
    batch = torch.arange(cache.shape[0])
    cache[batch, :, places[0].expand(cache.shape[0])] = new[:, :, 0]
    return cache


class Cached(nn.Module):
    """Attention over a cache of [batch, groups, length, head] that is read where it was written."""

    def __init__(self, write: Write, batch: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.write, self.groups = write, 3
        shape = (batch, self.groups, 11, 8)
        self.register_buffer("keys", torch.randn(shape).to(dtype))
        self.register_buffer("values", torch.randn(shape).to(dtype))
        self.project = nn.Linear(24, 48, bias=False).to(dtype)

    def forward(self, x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        heads = self.project(x).unflatten(-1, (2 * self.groups, -1)).transpose(1, 2)
        k, v = heads.chunk(2, dim=1)
        keys, values = self.get_buffer("keys"), self.get_buffer("values")
        self.write(keys, k, places)
        self.write(values, v, places)
        visible = (torch.arange(11) <= places[-1]).view(1, 1, 1, -1)
        return nn.functional.scaled_dot_product_attention(k, keys, values, visible)


@pytest.mark.parametrize(
    ("write", "tokens", "batch", "dtype"),
    [
        (by_index_copy, 1, 1, torch.float32),
        (by_index_copy, 1, 2, torch.bfloat16),
        (by_index_copy, 3, 2, torch.float32),
        (by_index, 2, 1, torch.bfloat16),
        (by_scatter, 1, 2, torch.float32),
        (by_slice, 2, 2, torch.float32),
        (tokens_first, 3, 1, torch.float32),
        (by_whole_index, 1, 2, torch.float32),
    ],
)
def test_rows_are_written_where_they_belong(
    write: Write, tokens: int, batch: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(3)
    model = Cached(write, batch, dtype).eval().requires_grad_(False)
    reference = copy.deepcopy(model)
    compiled = None
    for first in (4, 0, 7):
        x, places = torch.randn(batch, tokens, 24).to(dtype), torch.arange(first, first + tokens)
        compiled = compiled or wse_mlir.compile(model, (x, places))
        expected = reference(x, places).float()
        error = (compiled(x, places).float() - expected).abs().max() / expected.abs().max()
        assert error <= (1e-4 if dtype == torch.float32 else 1e-2)
    assert compiled is not None
    for name in ("keys", "values"):
        torch.testing.assert_close(compiled.state[name], getattr(reference, name), atol=1e-5, rtol=1e-2)
