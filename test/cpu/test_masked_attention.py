"""Masks of attention that pass over keys: what is computed is what PyTorch computes, rows that see nothing included."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import wse_mlir


class Attention(nn.Module):
    """Scores, a mask made of places, softmax and product; by PyTorch's operator or written out.

    A query sees keys that are at most `ahead` before it, less than `window` behind it, and that are kept.
    """

    def __init__(self, ahead: int, window: int | None, written: bool, weights: bool = False) -> None:
        super().__init__()
        self.ahead, self.window, self.written, self.weights = ahead, window, written, weights

    def forward(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, keep: torch.Tensor | None = None
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        rows, keys = torch.arange(q.shape[-2])[:, None], torch.arange(k.shape[-2])[None]
        mask = keys <= rows + self.ahead
        if self.window is not None:
            mask = mask & (keys > rows + self.ahead - self.window)
        if keep is not None:
            mask = mask & keep[:, None, None, :]
        if not self.written:
            return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        scores = (q @ k.transpose(-2, -1) * 0.3).masked_fill(~mask, float("-inf"))
        weights = torch.softmax(scores, -1)
        return (weights @ v, weights) if self.weights else weights @ v


def check(model: nn.Module, arguments: tuple[torch.Tensor, ...], **options: object) -> None:
    with torch.no_grad():
        expected = model.eval()(*arguments)
    found = wse_mlir.compile(model, arguments, cache=False, **options)(*arguments)
    pairs = zip(found, expected, strict=True) if isinstance(expected, tuple) else [(found, expected)]
    for ours, theirs in pairs:
        assert torch.equal(ours.isnan(), theirs.isnan())
        assert (ours - theirs).nan_to_num().abs().max() <= 1e-4 * theirs.nan_to_num().abs().max()


def heads(batch: int, number: int, rows: int, keys: int, size: int) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(rows + 31 * keys)
    return tuple(torch.randn(batch, number, n, size) for n in (rows, keys, keys))


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize(
    ("rows", "keys", "ahead", "window"),
    [
        (200, 200, 0, None),
        (131, 333, 202, None),  # the last queries see all keys
        (300, 140, -80, None),  # the first queries see none, and tiles of them see none either
        (150, 150, 0, 20),
        (257, 257, 3, 70),
        (129, 129, 0, 1),
        (300, 130, 0, 40),  # the last queries see none
    ],
)
def test_masks_of_places(rows: int, keys: int, ahead: int, window: int | None, written: bool) -> None:
    check(Attention(ahead, window, written), heads(1, 2, rows, keys, 24))


def test_weights_that_are_a_result_are_all_computed() -> None:
    check(Attention(0, None, True, weights=True), heads(1, 2, 150, 150, 16))


@pytest.mark.parametrize("written", [False, True])
def test_padding_and_places(written: bool) -> None:
    keep = torch.rand(2, 170) > 0.3
    keep[1, :70] = False  # the first queries see nothing
    check(Attention(0, None, written), (*heads(2, 3, 170, 170, 16), keep))


@pytest.mark.parametrize("features", ["-avx512f", "-avx"])
def test_narrower_vectors(features: str) -> None:
    check(Attention(0, 90, False), heads(1, 2, 190, 190, 24), features=features)


def test_threads() -> None:
    arguments = heads(1, 3, 300, 300, 16)
    model = Attention(0, None, False)
    alone = wse_mlir.compile(model, arguments, cache=False)(*arguments)
    together = wse_mlir.compile(model, arguments, cache=False, num_threads=2)
    assert all(torch.equal(together(*arguments), alone) for _ in range(5))


class TriangleOfNumbers(nn.Module):
    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        mask = torch.full((q.shape[-2], k.shape[-2]), float("-inf")).triu(1)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def test_triangles_of_numbers() -> None:
    check(TriangleOfNumbers(), heads(1, 2, 140, 140, 16))


@settings(max_examples=6, deadline=None)
@given(
    rows=st.integers(1, 200),
    keys=st.integers(1, 200),
    ahead=st.integers(-40, 60),
    window=st.none() | st.integers(1, 100),
    written=st.booleans(),
)
def test_any_sizes(rows: int, keys: int, ahead: int, window: int | None, written: bool) -> None:
    check(Attention(ahead, window, written), heads(1, 1, rows, keys, 8))
