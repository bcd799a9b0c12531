"""Running sums and products along any dimension."""

import pytest
import torch
from torch import nn

import wse_mlir


class Scan(nn.Module):
    """A running sum times a running product."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.dimension = dimension

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.cumsum(self.dimension) * x.cumprod(self.dimension)


@pytest.mark.parametrize(
    ("shape", "dimension"),
    [((5, 37), 0), ((3, 7, 5), 1), ((2, 3, 1, 4), 2), ((4, 6), 1), ((0, 3), 0), ((3, 0), 0), ((1, 5), 0)],
)
def test_scan(shape: tuple[int, ...], dimension: int) -> None:
    """Rows are added side by side; there may be none, or one."""
    torch.manual_seed(5)
    x = torch.randn(shape)
    actual = wse_mlir.compile(Scan(dimension).eval(), (x,))(x)
    expected = x.double().cumsum(dimension) * x.double().cumprod(dimension)
    assert actual.shape == expected.shape
    assert torch.allclose(actual.double(), expected, rtol=1e-5, atol=1e-5)
