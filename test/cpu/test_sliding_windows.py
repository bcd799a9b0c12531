"""Maximum pooling whose windows share columns gives PyTorch's numbers: steps, dilation, padding, NaN and infinities."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import wse_mlir
from wse_mlir.passes.cpu.vectorize.loops.sliding_window import SlidingWindow
from wse_mlir.passes.tensor.reductions import Combiner


def check(model: nn.Module, x: torch.Tensor, **options: str) -> None:
    with torch.no_grad():
        want = model.eval()(x)
    got = wse_mlir.compile(model, (x,), cache=False, **options)(x)
    assert got.dtype == want.dtype and torch.equal(got.nan_to_num(7e7), want.nan_to_num(7e7))
    assert torch.equal(got.isnan(), want.isnan())


def image(*shape: int) -> torch.Tensor:
    """Random elements, some of them not finite."""
    x = torch.randn(shape)
    places = torch.rand(shape)
    x[places < 0.02] = float("nan")
    x[(places > 0.02) & (places < 0.1)] = -float("inf")
    x[places > 0.98] = float("inf")
    return x


CASES = [
    (nn.MaxPool2d(3, 1, 1), (1, 17, 14, 13)),
    (nn.MaxPool2d(5, 1, 2), (2, 3, 11, 40)),
    (nn.MaxPool2d(13, 1, 6), (1, 16, 20, 20)),
    (nn.MaxPool2d(3, 2, 1), (1, 33, 15, 21)),
    (nn.MaxPool2d(3, 2, 1, ceil_mode=True), (1, 4, 16, 36)),
    (nn.MaxPool2d((2, 7), (1, 2), (1, 3)), (1, 5, 9, 33)),
    (nn.MaxPool2d(3, 1, 1, dilation=2), (1, 18, 12, 15)),
    (nn.MaxPool2d(4, 3, 1), (1, 2, 6, 50)),
    (nn.MaxPool1d(9, 1, 4), (2, 6, 70)),
    (nn.MaxPool3d(3, 1, 1), (1, 2, 4, 5, 18)),
]


@pytest.mark.parametrize(("pool", "shape"), CASES, ids=str)
def test_pooling(pool: nn.Module, shape: tuple[int, ...]) -> None:
    check(pool, image(*shape))


@pytest.mark.parametrize("features", ["-avx512f", "-avx"])
@pytest.mark.parametrize("pool", [nn.MaxPool2d(5, 1, 2), nn.MaxPool2d(3, 2, 1)], ids=str)
def test_pooling_with_narrower_vectors(pool: nn.Module, features: str) -> None:
    check(pool, image(1, 19, 13, 21), features=features)


def test_other_elements() -> None:
    check(nn.MaxPool2d(5, 1, 2), image(1, 3, 9, 20).double())


@pytest.mark.parametrize("count", range(2, 14))
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (2, 2), (3, 1), (1, 2)])
def test_columns_come_to_windows(count: int, stride: int, dilation: int) -> None:
    window = SlidingWindow(0, 1, count, stride, dilation, Combiner("arith.maxsi", "maxsi", "min"), (), {})
    elements = np.random.default_rng(count).permutation(100)
    columns: dict[int, Any] = {at: int(elements[at]) for at in window.columns(6)}
    found: list[Any] = window.combined(columns, 6, max)
    starts = range(0, 6 * stride, stride)
    assert found == [max(elements[at + k * dilation] for k in range(count)) for at in starts]
