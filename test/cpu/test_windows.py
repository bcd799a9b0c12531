"""Convolutions, pooling and normalisation of channels compute what PyTorch computes, whatever windows overlap in."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import wse_mlir

FEATURES = ["", "-avx512f", "-avx"]


def check(model: nn.Module, x: torch.Tensor, features: str = "", bound: float = 1e-4) -> None:
    """Compares a compiled model with PyTorch."""
    model = model.eval().requires_grad_(False)
    want = model(x)
    got = wse_mlir.compile(model, (x,), features=features, cache=False)(x)
    assert got.shape == want.shape
    if want.numel():
        assert float((got - want).abs().max() / want.abs().max().clamp_min(1e-6)) <= bound


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [((3, 3), 1, 1), ((2, 3), 1, 1), ((3, 3), 2, 1), ((1, 4), 1, 2)]
)
def test_windows_of_images_as_they_come(
    features: str, kernel: tuple[int, int], stride: int, dilation: int
) -> None:
    torch.manual_seed(0)
    model = nn.Conv2d(5, 40, kernel, stride, 1, dilation)
    check(model, torch.randn(2, 5, 17, 31), features)


def test_windows_along_one_direction() -> None:
    torch.manual_seed(1)
    check(nn.Conv1d(6, 32, 3, padding=1), torch.randn(1, 6, 57))


@pytest.mark.parametrize("channels", [1, 15, 32, 52, 96])
def test_channels_that_lie_side_by_side_are_normalised(channels: int) -> None:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Conv2d(4, channels, 3), nn.InstanceNorm2d(channels, affine=True), nn.ReLU())
    check(model, torch.randn(2, 4, 36, 37))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(data=st.data())
def test_windows_channel_by_channel(data: st.DataObject) -> None:
    channels = data.draw(st.sampled_from([1, 3, 16, 33, 48]))
    kernel = data.draw(st.sampled_from([(1, 3), (2, 2), (3, 3), (5, 3), (7, 7), (1, 9)]))
    stride = data.draw(st.sampled_from([1, 1, 2, 3]))
    dilation = data.draw(st.sampled_from([1, 1, 2]))
    padding = data.draw(st.sampled_from([(0, 0), (kernel[0] // 2, kernel[1] // 2)]))
    size = data.draw(st.sampled_from([(14, 18), (15, 23), (19, 17)]))
    batch = data.draw(st.sampled_from([0, 1, 2]))
    torch.manual_seed(3)
    layer = (
        nn.MaxPool2d(kernel, stride, padding, dilation)
        if data.draw(st.booleans())
        else nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels)
    )
    check(nn.Sequential(nn.Conv2d(2, channels, 1), layer, nn.ReLU()), torch.randn(batch, 2, *size))
