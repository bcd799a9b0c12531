"""Running sums on simulated wafers, and what is made of them: `wse-block-scans`, and steps that hand values on."""

import pytest
import torch
import torch.nn.functional as F
from lowering import Function
from zoo import error

import wse_mlir
from wse_mlir.passes.wafer.emit.yields import copy_order
from wse_mlir.passes.wafer.scalars.values import Operand, Temp


def _sums(x: torch.Tensor, y: torch.Tensor, whole: torch.Tensor, line: torch.Tensor, cube: torch.Tensor):
    chosen = cube[0] > 0.3
    return (
        torch.relu(torch.cumsum(x, 1)) * 2,  # a consumer is not evaluated inside
        torch.cumsum(x * x, 0),
        torch.cumsum(y, 0),  # in padded blocks, and in steps
        torch.cumsum(y, 1) + y,
        torch.cumsum(whole, -1),
        torch.cumsum(line, 0),  # one line
        torch.cumsum(cube, 1),
        torch.cumsum(cube.half(), 0),
        torch.cumsum(chosen, -1),
        torch.masked_scatter(cube[0], chosen, line),
        torch.logcumsumexp(x, 1),
        torch.cumprod(cube, 1),
        torch.cumulative_trapezoid(x, dim=1),
    )


@pytest.mark.parametrize("grid", ["5x3", "1x4"])
def test_running_sums_are_those_of_pytorch(grid: str) -> None:
    torch.manual_seed(3)
    args = (
        torch.randn(5, 7),
        torch.randn(37, 3),
        torch.randint(-9, 9, (3, 53)),
        torch.randn(300),
        torch.randn(3, 17, 2),
    )
    results = wse_mlir.compile(Function(_sums), args, target="tiny", grid=grid)(*args)
    for actual, expected in zip(results, _sums(*args), strict=True):
        assert actual.dtype == expected.dtype
        assert error(actual, expected) <= (1e-3 if expected.dtype.is_floating_point else 0)


def _read_in_part(x: torch.Tensor, image: torch.Tensor):
    """Readers for which a part of the sums would do, or parts that overlap: their steps need all before them."""
    sums, below = torch.cumsum(x, -1), torch.cumsum(image, -2)
    return (
        F.pad(sums, (1, 2)),
        sums[:, 2:5],
        sums[:, 1:] - sums[:, :-1],
        torch.flip(sums, [-1]),
        torch.cat([x, torch.cumprod(x, -1)], -1),
        torch.roll(torch.logcumsumexp(x, -1), 2, -1),
        F.max_pool2d(below, 3, stride=1),
        F.avg_pool2d(below, 2),
        F.conv2d(below, image[:, :, :3, :3]),
        F.pad(torch.cummax(x, -1).values, (2, 0)),
        sums.reshape(5, 3),
    )


@pytest.mark.parametrize("target", ["tiny", "cpu"])
def test_readers_of_parts_get_sums_of_all_before_them(target: str) -> None:
    torch.manual_seed(4)
    args = torch.randn(3, 5), torch.randn(1, 1, 6, 7)
    results = wse_mlir.compile(Function(_read_in_part), args, target=target)(*args)
    for actual, expected in zip(results, _read_in_part(*args), strict=True):
        assert error(actual, expected) <= 1e-4


def test_running_values_are_handed_on_before_they_are_overwritten() -> None:
    assert copy_order((Temp(0), Operand(1)), 1, (0, 1)) == [1, 0]
    assert copy_order((Operand(2), Temp(0)), 1, (0, 1)) == [0, 1]
    assert copy_order((Operand(1), Operand(0)), 1, (0, 1)) == [0, 1]
    assert copy_order((Operand(2), Operand(1)), 1, (0, 1)) is None
