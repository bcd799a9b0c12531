"""Angles of zeros that are known when a model is compiled."""

import pytest
import torch
import torch.nn.functional as F

import wse_mlir


def _angles(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    zeros = F.avg_pool1d(torch.zeros_like(x), 2)  # known late, when bodies have become one
    below = -zeros
    return (
        torch.atan2(zeros, zeros),
        torch.atan2(zeros, below),
        torch.atan2(below, zeros),
        torch.atan2(below, below),
        torch.atan2(x, zeros.sum()),
        torch.atan2(zeros.half(), below.half()),
        torch.atan2(x * 0, x),
        torch.atan2(x * 0, -x * 0),
        torch.atan2(x.sqrt(), x * 0),
    )


@pytest.mark.parametrize("target", ["cpu", "tiny"])
def test_angles_of_zeros_are_told_by_their_signs(target: str) -> None:
    x = torch.tensor([[-1.5, -0.0, 0.0, 2.0, 3.0]])
    for actual, expected in zip(wse_mlir.compile(_angles, (x,), target=target)(x), _angles(x), strict=True):
        assert actual.dtype == expected.dtype
        torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-5, equal_nan=True)
        assert torch.equal(actual.signbit() | actual.isnan(), expected.signbit() | expected.isnan())
