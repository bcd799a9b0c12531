"""Where extremes are, on simulated wafers: parts of a search are combined, whatever PE they are on."""

import math

import pytest
import torch
from lowering import Function
from zoo import error

import wse_mlir


def _places(x: torch.Tensor, numbers: torch.Tensor, long: torch.Tensor, short: torch.Tensor):
    return (
        *(x.argmax(1), x.argmin(1), x.argmax(), x.argmin(0)),
        *(numbers.argmax(0), numbers.min(1)[1], *numbers.max(0)),
        *(*long.max(1), torch.relu(long).argmax(1), long.half().argmin(-1)),
        short.argmax(-1),
    )


@pytest.mark.parametrize("grid", ["5x3", "1x4"])
def test_places_of_extremes(grid: str) -> None:
    torch.manual_seed(1)
    x = torch.randn(5, 37).round()  # with equals
    x[1, 3] = x[1, 9] = math.nan
    x[2] = -math.inf
    x[3, 5] = x[3, 8] = math.inf
    numbers, short = torch.randint(-3, 3, (6, 11)), torch.randint(0, 5, (130,), dtype=torch.uint8)
    args = (x, numbers, torch.randn(3, 517), short)
    results = wse_mlir.compile(Function(_places), args, target="tiny", grid=grid)(*args)
    for actual, expected in zip(results, _places(*args), strict=True):
        assert actual.dtype == expected.dtype and error(actual, expected) == 0


def test_a_search_takes_all_pes() -> None:
    args = (torch.randn(512),)
    compiled = wse_mlir.compile(Function(lambda x: x.argmax()), args, target="tiny", grid="4x4")
    compiled(*args)
    assert compiled.report["cycles"]["device"] < 2000  # 98,743 on one PE
