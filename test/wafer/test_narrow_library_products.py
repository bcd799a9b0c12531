"""Products of narrow types on PEs: read as they are, summed in the type that is asked for."""

import pytest
import torch
from lowering import Function, error
from torch import nn

import wse_mlir


def biased(dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(64, 48), nn.ReLU()).to(dtype).eval().requires_grad_(False)


def device_cycles(dtype: torch.dtype, **options: str) -> float:
    args = (torch.randn(32, 64).to(dtype),)
    return wse_mlir.estimate(biased(dtype), args, target="tiny", grid="2x2", **options)["cycles"]["device"]


def test_a_bias_costs_no_conversion_of_weights() -> None:
    """A multiply-add of two f16 on an f32 takes as long as one of f32; sums of f16 are several times as fast."""
    wide, narrow = device_cycles(torch.float32), device_cycles(torch.float16)
    assert narrow < 1.02 * wide
    assert device_cycles(torch.bfloat16) < 1.02 * wide
    assert device_cycles(torch.float16, accumulate="f16") < 0.35 * wide


@pytest.mark.parametrize(("dtype", "options"), [(torch.float16, {}), (torch.float16, {"accumulate": "f16"}),
                                               (torch.bfloat16, {})])  # fmt: skip
def test_biased_layers_match(dtype: torch.dtype, options: dict[str, str]) -> None:
    model, x = biased(dtype), torch.randn(9, 64).to(dtype)
    compiled = wse_mlir.compile(model, (x,), target="tiny", grid="3x2", **options)
    assert error(compiled(x), model(x)) <= 1e-2


def test_other_products_match() -> None:
    """Batched, transposed and reshaped f16, attention, and bytes of which 32 bits of the sum are kept."""

    def products(
        q: torch.Tensor, k: torch.Tensor, a: torch.Tensor, b: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        return (
            torch.baddbmm(q, q, k.transpose(1, 2)),
            nn.functional.scaled_dot_product_attention(q, k, k),
            a.int() @ b.int().T,
            (a.int() @ b.int().T).long() + 1,
        )

    torch.manual_seed(4)
    model = Function(products)
    small = torch.randint(-128, 128, (5, 24), dtype=torch.int8)
    args = (torch.randn(3, 6, 6).half(), torch.randn(3, 6, 6).half(), small, small.flip(0))
    results = wse_mlir.compile(model, args, target="tiny", grid="2x2")(*args)
    for got, want in zip(results, model(*args), strict=True):
        assert error(got, want) <= (1e-2 if want.is_floating_point() else 0.0)
