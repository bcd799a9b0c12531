"""Functions of one convolution or a few: their images and results lie as the caller has them, against PyTorch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from zoo import error

import wse_mlir

TOLERANCE = 1e-4


@pytest.mark.parametrize(
    "layer, shape",
    [
        (nn.Conv2d(17, 33, 1), (1, 17, 7, 7)),
        (nn.Conv2d(33, 17, 1), (2, 33, 5, 1)),
        (nn.Conv2d(24, 16, 1, stride=2), (1, 24, 15, 9)),
        (nn.Conv2d(24, 16, 1, stride=2), (0, 24, 15, 9)),
        (nn.Conv2d(320, 20, 1), (1, 320, 3, 3)),
        (nn.Conv1d(24, 16, 1, stride=3), (2, 24, 31)),
        (nn.Conv3d(5, 18, 1), (1, 5, 3, 4, 5)),
        (nn.Conv2d(64, 16, 3, padding=4, dilation=4), (1, 64, 32, 32)),
        (nn.Conv2d(20, 12, 2), (1, 20, 9, 8)),
        (nn.Conv2d(256, 9, 3), (1, 256, 4, 3)),
    ],
    ids=str,
)
def test_one_layer(layer: nn.Module, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    compiled = wse_mlir.compile(layer.eval(), (x,))
    want = layer(x)
    assert compiled(x).shape == want.shape
    assert error(compiled(x), want) <= TOLERANCE


@pytest.mark.parametrize("features", ["-avx512f", "-avx,-avx2,-avx512f"])
def test_narrower_vectors(features: str) -> None:
    model = nn.Sequential(nn.Conv2d(19, 36, 1, stride=2), nn.ReLU(), nn.Conv2d(36, 21, 1)).eval()
    x = torch.randn(1, 19, 13, 11)
    assert error(wse_mlir.compile(model, (x,), features=features)(x), model(x)) <= TOLERANCE


@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_points(data: st.DataObject) -> None:
    """Windows of one in a row, of any number of channels, some of which leave positions out."""
    channels = data.draw(st.lists(st.integers(1, 40), min_size=2, max_size=4))
    strides = [data.draw(st.integers(1, 3)) for _ in channels[1:]]
    layers = [nn.Conv2d(a, b, 1, stride=s) for a, b, s in zip(channels, channels[1:], strides, strict=False)]
    model = nn.Sequential(*layers).eval()
    x = torch.randn(
        data.draw(st.integers(1, 2)), channels[0], *data.draw(st.tuples(*[st.integers(1, 40)] * 2))
    )
    assert error(wse_mlir.compile(model, (x,))(x), model(x)) <= TOLERANCE
