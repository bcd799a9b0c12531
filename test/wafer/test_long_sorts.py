"""Sorts on simulated wafers that compare more pairs of elements than a PE can hold."""

import pytest
import torch
from lowering import Function

import wse_mlir


@pytest.mark.parametrize("grid", ["3x5", "1x4"])
def test_long_sorts(grid: str) -> None:
    torch.manual_seed(4)
    args = (torch.randn(501).round(decimals=1), torch.randint(-9, 9, (3, 301)))

    def sorts(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return *torch.sort(x, stable=True), *torch.sort(y, dim=1, descending=True, stable=True)

    results = wse_mlir.compile(Function(sorts), args, target="tiny", grid=grid)(*args)
    for actual, expected in zip(results, sorts(*args), strict=True):
        assert torch.equal(actual, expected)
