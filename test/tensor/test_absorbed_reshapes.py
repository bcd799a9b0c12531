"""Indices as sums of digits, and chains of reshapes, permutations and slices that operations read past."""

from itertools import product
from math import prod

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import wse_mlir
from wse_mlir.compare.agreement import relative_error
from wse_mlir.passes.tensor.simplify.reshapes.digits import DigitSum, flattened, iterator_form, unflattened

SIZES = st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4)


def value(form: DigitSum, point: tuple[int, ...]) -> int:
    total = form.constant
    for d in form.digits:
        part = point[d.iterator] // d.stride
        total += d.coefficient * (part if d.count is None else part % d.count)
    return total


@given(SIZES, st.data())
@settings(max_examples=100, deadline=None)
def test_flattening_and_splitting_are_arithmetic(sizes: list[int], data: st.DataObject) -> None:
    forms = [iterator_form(i, n) for i, n in enumerate(sizes)]
    whole = flattened(forms, sizes[1:])
    points = list(product(*map(range, sizes)))
    strides = [prod(sizes[i + 1 :]) for i in range(len(sizes))]
    expected = [sum(p * s for p, s in zip(point, strides, strict=True)) for point in points]
    assert [value(whole, p) for p in points] == expected
    inner = data.draw(st.sampled_from([d for d in (1, 2, 3, 4, 6, 12) if prod(sizes) % d == 0]))
    parts = unflattened(whole, [inner])
    if parts is not None:
        assert [(value(parts[0], p), value(parts[1], p)) for p in points] == [
            divmod(e, inner) for e in expected
        ]


class Chain(nn.Module):
    """A product with a matrix that was permuted, sliced, reshaped and repeated."""

    def __init__(self, order: list[int], start: int, split: bool, scale: float) -> None:
        super().__init__()
        self.order, self.start, self.split, self.scale = order, start, split, scale

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        w = w.view(4, 3, 2, 6).permute(self.order)[self.start : self.start + 1].contiguous()
        w = w.reshape(-1, 6) if self.split else w.flatten()[:30].reshape(5, 6)
        return (x[:, : w.shape[0]] * self.scale) @ w


@given(
    st.permutations([0, 1, 2, 3]),
    st.integers(0, 1),
    st.booleans(),
    st.sampled_from([1.0, 0.3]),
)
@settings(max_examples=5, deadline=None)
def test_products_read_past_copies(order: list[int], start: int, split: bool, scale: float) -> None:
    model = Chain(order, start, split, scale)
    x, w = torch.randn(7, 72), torch.randn(12, 12)
    try:
        expected = model(x, w)
    except RuntimeError:
        return  # sizes that do not go together
    found = wse_mlir.compile(model, (x, w))(x, w)
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


class Weighted(nn.Module):
    """Averages by softmax, alone and under a mask, quotients and multiples, each times a matrix."""

    def forward(self, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> dict[str, torch.Tensor]:
        return {
            "softmax": x.softmax(-1) @ z,
            "attention": nn.functional.scaled_dot_product_attention(x[None], x[None], z[None]),
            "masked": nn.functional.scaled_dot_product_attention(
                x[None], x[None], z[None], attn_mask=x[None] > -1
            ),
            "quotient": (x / y) @ z,
            "multiple": (x * 1e-4) @ z,
        }


def test_products_are_finite_where_they_were() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(24, 24), torch.rand(24, 1) * 900 + 100
    for z in (
        3e38 * torch.rand(24, 24),
        torch.where(torch.rand(24, 24) > 0.98, torch.inf, torch.randn(24, 24)),
    ):
        model = Weighted()
        found = wse_mlir.compile(model, (x, y, z))(x, y, z)
        for name, expected in model(x, y, z).items():
            if name == "attention" or name == "masked":  # PyTorch's own kernel divides after its product
                expected = (x @ x.T / 24**0.5).masked_fill(
                    (x <= -1) & (name == "masked"), -torch.inf
                ).softmax(-1)[None] @ z
            assert relative_error(found[name], expected) <= 1e-4, name
