"""Attention, softmax and normalisation against PyTorch: masks, shared heads, odd sizes, rows enough to be tiled."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import wse_mlir

Tensors = tuple[torch.Tensor, ...]


class Attention(nn.Module):
    def __init__(self, causal: bool = False, scale: float | None = None) -> None:
        super().__init__()
        self.causal = causal
        self.scale = scale

    def forward(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        return F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=self.causal, scale=self.scale
        )


class SharedHeads(nn.Module):
    """A projection to queries, keys and values in one; several heads share keys and values."""

    def __init__(self, heads: int, shared: int, size: int) -> None:
        super().__init__()
        self.heads, self.shared, self.size = heads, shared, size
        self.project = nn.Linear(24, (heads + 2 * shared) * size)
        self.out = nn.Linear(heads * size, 24)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, rows, _ = x.shape
        widths = [self.heads * self.size, self.shared * self.size, self.shared * self.size]
        parts = self.project(x).split(widths, -1)
        q, k, v = (t.view(batch, rows, -1, self.size).transpose(1, 2) for t in parts)
        group = self.heads // self.shared
        k = torch.tanh(k)[:, :, None].expand(batch, self.shared, group, rows, self.size).flatten(1, 2)
        v = v.repeat_interleave(group, 1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + self.out(y.transpose(1, 2).flatten(2))


def check(model: nn.Module, arguments: Tensors, tolerance: float = 1e-4, **options: object) -> None:
    model = model.eval()
    with torch.no_grad():
        expected = model(*arguments)
    found = wse_mlir.compile(model, arguments, **options)(*arguments)
    assert found.shape == expected.shape and found.dtype == expected.dtype
    assert torch.equal(found.isnan(), expected.isnan())
    if expected.numel():
        difference = (found.double() - expected.double()).nan_to_num().abs().max()
        assert difference <= tolerance * expected.nan_to_num().double().abs().max()


def heads(batch: int, number: int, rows: int, keys: int, size: int) -> Tensors:
    torch.manual_seed(rows * keys + size)
    return tuple(torch.randn(batch, number, n, size) for n in (rows, keys, keys))


@pytest.mark.parametrize(
    ("shape", "causal"),
    [
        ((1, 2, 131, 131, 24), True),
        ((2, 3, 17, 29, 40), False),
        ((1, 2, 67, 290, 80), False),
        ((2, 2, 1, 37, 16), False),
        ((1, 1, 1, 1, 1), True),
        ((1, 1, 70, 2100, 8), False),
    ],
)
def test_shapes(shape: tuple[int, int, int, int, int], causal: bool) -> None:
    check(Attention(causal), heads(*shape))


def test_masks_of_bits_and_of_numbers_with_rows_that_see_nothing() -> None:
    q, k, v = heads(1, 2, 5, 7, 16)
    bits = torch.rand(5, 7) > 0.3
    bits[2] = False
    check(Attention(), (q, k, v, bits))
    check(Attention(), (q, k, v, torch.zeros(5, 7).masked_fill(~bits, float("-inf"))))


def test_scales_that_are_no_powers_of_two() -> None:
    check(Attention(scale=0.3), heads(1, 2, 9, 11, 8))


@pytest.mark.parametrize(("heads_", "shared"), [(4, 2), (6, 1)])
def test_shared_heads(heads_: int, shared: int) -> None:
    torch.manual_seed(0)
    check(SharedHeads(heads_, shared, 20), (torch.randn(2, 65, 24),))


class OneQuery(nn.Module):
    """One row for each query head, whose keys some heads share, as in a step of a decoder; some keys are hidden."""

    def __init__(self, repeat: int, hidden: int) -> None:
        super().__init__()
        self.repeat, self.hidden = repeat, hidden

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        k, v = (x.unsqueeze(2).expand(-1, -1, self.repeat, -1, -1).flatten(1, 2) for x in (k, v))
        seen = (torch.arange(k.shape[2]) < k.shape[2] - self.hidden)[None]
        return nn.functional.scaled_dot_product_attention(q, k, v, seen)


@pytest.mark.parametrize(
    ("shared", "repeat", "keys"), [(8, 2, 512), (5, 4, 700), (4, 3, 1030), (7, 5, 300), (1, 16, 600)]
)
def test_one_query_of_heads_that_share_keys(shared: int, repeat: int, keys: int) -> None:
    """The loop over heads is the one that is tiled: tiles must not divide heads that share keys wrongly."""
    torch.manual_seed(shared)
    q = torch.randn(1, shared * repeat, 1, 16)
    check(OneQuery(repeat, 3), (q, *(torch.randn(1, shared, keys, 16) for _ in range(2))))


def test_open_number_of_rows() -> None:
    model = nn.Sequential(nn.Linear(70, 90), nn.LayerNorm(90), nn.Softmax(-1)).eval()
    compiled = wse_mlir.compile(
        model, (torch.randn(2, 70),), dynamic_shapes=({0: torch.export.Dim("rows", max=999)},)
    )
    for rows in (1, 200):
        x = torch.randn(rows, 70)
        with torch.no_grad():
            expected = model(x)
        assert (compiled(x) - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_half_precision() -> None:
    q, k, v = (t.half() for t in heads(1, 2, 19, 23, 16))
    check(Attention(), (q, k, v), tolerance=1e-2)


@pytest.mark.parametrize("model", [nn.LayerNorm(70), nn.Softmax(-1), nn.LogSoftmax(-1)])
def test_many_rows(model: nn.Module) -> None:
    check(model, (torch.randn(3, 131, 70),))


@pytest.mark.parametrize("features", ["-avx512f", "-avx"])
def test_narrower_vectors(features: str) -> None:
    check(Attention(True), heads(1, 2, 97, 97, 24), features=features)


def test_a_row_that_is_large() -> None:
    check(nn.Softmax(-1), (torch.randn(3, 50_000),))


def test_threads_have_scores_of_their_own() -> None:
    arguments = heads(1, 4, 512, 512, 16)
    alone = wse_mlir.compile(Attention(), arguments)(*arguments)
    together = wse_mlir.compile(Attention(), arguments, num_threads=2)
    assert all(torch.equal(together(*arguments), alone) for _ in range(10))
