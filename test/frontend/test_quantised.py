"""Operators of PyTorch's quantisation give what its kernels do, whatever type zero points have."""

from __future__ import annotations

import pytest
import torch
import torch.ao.quantization.fx._decomposed  # defines the operators

import wse_mlir

Q = torch.ops.quantized_decomposed
_RANDOM = torch.Generator().manual_seed(0)
X = torch.randn(2, 3, 8, generator=_RANDOM) * 3
SCALES = torch.rand(3, generator=_RANDOM) * 0.1 + 0.01
UNSIGNED = torch.tensor([3, 130, 255], dtype=torch.uint8)
SIGNED = torch.tensor([-128, 0, 127], dtype=torch.int8)


def by_channels(
    x: torch.Tensor, scales: torch.Tensor, u: torch.Tensor, s: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    unsigned = Q.quantize_per_channel(x, scales, u, 1, 0, 255, torch.uint8)
    signed = Q.quantize_per_channel(x, scales, s, 1, -128, 127, torch.int8)
    return (
        unsigned,
        signed,
        Q.dequantize_per_channel(unsigned, scales, u, 1, 0, 255, torch.uint8),
        Q.dequantize_per_channel(signed, scales, s, 1, -128, 127, torch.int8),
        Q.dequantize_per_channel(signed, scales, None, 1, -128, 127, torch.int8),
    )


def by_groups(x: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    rows, of_rows = x[:, 0], scales[:2, None].expand(2, 4)
    zeros = torch.arange(8).reshape(2, 4)
    q = Q.quantize_per_channel_group(rows, of_rows, zeros, -8, 7, torch.int8, 2)
    return Q.dequantize_per_channel_group(q, of_rows, zeros, -8, 7, torch.int8, 2, torch.float32)


def by_tokens(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    found = []
    for choose in (Q.choose_qparams_per_token, Q.choose_qparams_per_token_asymmetric):
        scale, zero = choose(x, torch.int8)
        q = Q.quantize_per_token(x, scale, zero, -128, 127, torch.int8)
        found += [
            scale,
            zero,
            q,
            Q.dequantize_per_token(q, scale, zero, -128, 127, torch.int8, torch.float32),
        ]
    return tuple(found)


@pytest.mark.parametrize("target", ["cpu", "tiny"])
def test_zero_points_have_the_sign_of_their_type(target: str) -> None:
    args = (X, SCALES, UNSIGNED, SIGNED)
    compiled = wse_mlir.compile(by_channels, args, target=target, cache=False)
    torch.testing.assert_close(compiled(*args), by_channels(*args), rtol=1e-6, atol=0)


@pytest.mark.parametrize("target", ["cpu", "tiny"])
def test_scales_of_groups_and_of_tokens(target: str) -> None:
    for model, args in ((by_groups, (X, SCALES)), (by_tokens, (X,))):
        compiled = wse_mlir.compile(model, args, target=target, cache=False)
        torch.testing.assert_close(compiled(*args), model(*args), rtol=1e-5, atol=0)
