"""Images between their pixels: NaN and infinities in images and in grids are where PyTorch has them."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from batches import Function, disagreements
from torch.nn import functional


def image(*sizes: int) -> torch.Tensor:
    """Two images of three channels: a NaN or an infinity in most rows, the first pixel of a channel among them."""
    x = torch.randn(2, 3, *sizes, generator=torch.Generator().manual_seed(0))
    flat = x.reshape(-1)
    flat[::11] = math.nan
    flat[5::13] = math.inf
    flat[3::17] = -math.inf
    return x


def positions(*shape: int) -> torch.Tensor:
    """Of a grid: inside and outside of the image, on pixels, and none at all."""
    grid = 2.6 * torch.rand(2, *shape, len(shape), generator=torch.Generator().manual_seed(1)) - 1.3
    flat = grid.reshape(-1)
    for first, value in enumerate((math.nan, math.inf, -math.inf, 0.0, 1.0, -1.0)):
        flat[first :: 6 * 3 + 1] = value
    return grid


@pytest.mark.parametrize("sizes", [(4, 5), (2, 4, 3)])
def test_grids(sizes: tuple[int, ...]) -> None:
    cases = [
        (m, p, p != "border") for m in ("bilinear", "nearest") for p in ("zeros", "border", "reflection")
    ]
    cases += [("bicubic", "zeros", False)] * (len(sizes) == 2)
    functions = {
        f"{mode} {padding}": lambda x, grid, m=mode, p=padding, a=aligned: functional.grid_sample(
            x, grid, m, p, align_corners=a
        )
        for mode, padding, aligned in cases
    }
    assert not disagreements(functions, (image(*sizes), positions(*(s + 1 for s in sizes))))


def test_linear_interpolation() -> None:
    functions: dict[str, Function] = {
        f"{size} {aligned}": lambda x, s=size, a=aligned: functional.interpolate(
            x, s, mode="bilinear", align_corners=a
        )
        for size, aligned in itertools.product([(4, 5), (7, 3), (3, 9)], (False, True))
    }
    functions["by a factor"] = lambda x: functional.interpolate(x, scale_factor=1.7, mode="bilinear")
    functions["one dimension"] = lambda x: functional.interpolate(x[0], 9, mode="linear", align_corners=True)
    functions["three dimensions"] = lambda x: functional.interpolate(x[None], (3, 4, 7), mode="trilinear")
    assert not disagreements(functions, (image(4, 5).half(),))
