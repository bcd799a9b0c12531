"""What the rows `simplify` and `absorb` make fit for PEs: windows of one tap, units, operands that were copied."""

import pytest
import torch
import torch.nn.functional as F
from lowering import Function, wafer_errors
from torch import nn


def pointwise(
    x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, d: torch.Tensor, k: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Convolutions whose windows see one element: of one tap, with a step, of groups, and of an image of one pixel."""
    return (
        F.conv2d(x, w[..., None, None], b),
        F.conv1d(x[:, :, 0], w[..., None], b),
        F.conv3d(x[:, :, None], w[..., None, None, None]),
        F.conv2d(x, d, groups=6),
        F.conv2d(x[:, :, :1, :1], k, padding=1),
    )


def test_windows_of_one_tap_are_products() -> None:
    torch.manual_seed(0)
    args = (
        torch.randn(2, 6, 5, 7),
        torch.randn(9, 6),
        torch.randn(9),
        torch.randn(6, 1, 1, 1),
        torch.randn(4, 6, 3, 3),
    )
    assert max(wafer_errors(Function(pointwise), args, grid="3x2")) <= 1e-3


@pytest.mark.parametrize("grid", ["2x2", "5x3"])
def test_dimensions_of_size_one_and_copies(grid: str) -> None:
    """Heads that are split, transposed and shared; dimensions added, dropped and broadcast."""

    def model(x: torch.Tensor, kv: torch.Tensor, m: torch.Tensor) -> tuple[torch.Tensor, ...]:
        q = x.view(1, 7, 4, 6).transpose(1, 2)
        k = kv.view(1, 7, 2, 6).transpose(1, 2).repeat_interleave(2, 1)
        y = F.scaled_dot_product_attention(q, k, k)
        return (
            y.transpose(1, 2).reshape(7, 24),
            (x.unsqueeze(2) * m.unsqueeze(1)).sum(-1).squeeze(0),
            x.squeeze(0).t().unsqueeze(0).unsqueeze(-1) + 1,
            x[:, 1:, :].reshape(6, 24, 1) @ m[:, :1].reshape(1, 1, 24)[:, :, :5],
        )

    torch.manual_seed(1)
    args = (torch.randn(1, 7, 24), torch.randn(1, 7, 12), torch.randn(1, 3, 24))
    assert max(wafer_errors(Function(model), args, grid=grid)) <= 1e-3


def test_layers_with_pointwise_convolutions() -> None:
    torch.manual_seed(2)
    model = nn.Sequential(
        nn.Conv2d(4, 8, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 1), nn.Flatten(), nn.Linear(27, 5)
    )
    assert max(wafer_errors(model.eval().requires_grad_(False), (torch.randn(2, 4, 3, 3),))) <= 1e-3
