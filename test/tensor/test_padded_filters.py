"""Convolutions whose kernels are partly always on padding, against PyTorch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.modules.conv import _ConvNd
from zoo import error

import wse_mlir


def check(model: _ConvNd, x: torch.Tensor) -> None:
    model.eval().requires_grad_(False)
    assert error(wse_mlir.compile(model, (x,))(x), model(x)) <= 1e-5


@settings(max_examples=8, deadline=None)
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 5),
    st.integers(1, 3),
    st.sampled_from([1, 2, 6]),
)
def test_images_that_are_smaller_than_what_is_around_them(
    sides: tuple[int, int], kernel: int, stride: int, padding: int, dilation: int, groups: int
) -> None:
    if min(sides) + 2 * padding <= dilation * (kernel - 1):
        return
    torch.manual_seed(0)
    model = nn.Conv2d(6, 12, kernel, stride, padding, dilation, groups)
    check(model, torch.randn(2, 6, *sides))


@pytest.mark.parametrize("features", ["-avx512f", "-avx"])
def test_one_pixel_of_narrower_vectors(features: str) -> None:
    torch.manual_seed(0)
    model, x = nn.Conv2d(40, 33, 3, padding=1).eval().requires_grad_(False), torch.randn(3, 40, 1, 1)
    assert error(wse_mlir.compile(model, (x,), features=features)(x), model(x)) <= 1e-5


def test_one_and_three_dimensions() -> None:
    check(nn.Conv1d(4, 6, 9, padding=4), torch.randn(2, 4, 2))
    check(nn.Conv3d(3, 5, 3, padding=1), torch.randn(1, 3, 1, 2, 1))
