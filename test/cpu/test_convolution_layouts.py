"""Convolutional networks on the CPU, whose tensors are laid out anew and padded in place, against PyTorch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from zoo import error

import wse_mlir

TOLERANCE = 1e-4


class Residual(nn.Module):
    """Adds its input, which the padded copy of it must not disturb."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.layers(x))


class Dense(nn.Module):
    """Each layer reads what all before it have made."""

    def __init__(self, channels: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(channels + k * growth, growth, 3, padding=1) for k in range(layers)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.cat([torch.relu(layer(x)), x], 1)
        return x


class Branches(nn.Module):
    """One tensor padded in two ways, pooled and convolved, its parts concatenated."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, 5, 3, padding=1)
        self.second = nn.Conv2d(channels, 3, 5, padding=2)
        self.last = nn.Conv2d(channels, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.sin(x)
        pooled = torch.max_pool2d(x, 3, 1, 1)
        return torch.cat([self.first(x), self.second(x), self.last(pooled), x], 1)


class Permuted(nn.Module):
    """A ConvNeXt block: normalised and multiplied with channels last, convolved with channels first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.wide = nn.Linear(channels, 2 * channels)
        self.narrow = nn.Linear(2 * channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + self.narrow(nn.functional.gelu(self.wide(y))).permute(0, 3, 1, 2)


NETWORKS: dict[str, tuple[list[nn.Module], tuple[int, ...]]] = {
    "strided": ([nn.Conv2d(3, 17, 7, 2, 3), nn.ReLU(), nn.Conv2d(17, 64, 3, 2), nn.Flatten()], (2, 3, 21, 18)),
    "residual": (
        [nn.Conv2d(1, 5, 3, padding=1), Residual(nn.Conv2d(5, 5, 3, padding=1), nn.BatchNorm2d(5))],
        (1, 1, 9, 7),
    ),
    "empty batch": ([nn.Conv2d(3, 5, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(5, 3, 1)], (0, 3, 8, 8)),
    "pointwise": ([nn.Conv2d(5, 64, 1), nn.ReLU6(), nn.Conv2d(64, 3, 1, stride=2)], (2, 5, 5, 7)),
    "grouped": ([nn.Conv2d(4, 8, 3, padding=1, groups=2), nn.SiLU(), nn.Conv2d(8, 12, 3, groups=4)], (2, 4, 7, 6)),
    "depthwise": (
        [nn.Conv2d(17, 17, 3, 2, 1, groups=17), nn.Hardswish(), nn.Conv2d(17, 34, 5, padding=2, groups=17)],
        (1, 17, 9, 8),
    ),
    "pools": (
        [nn.Conv2d(3, 5, 3), nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
         nn.MaxPool2d(2, ceil_mode=True), nn.AvgPool2d(2, 1, 1)],
        (2, 3, 15, 14),
    ),
    "line": ([nn.Conv1d(3, 17, 5, padding=2), nn.GELU(), nn.Conv1d(17, 5, 3, 2), nn.AvgPool1d(2)], (2, 3, 23)),
    "volume": ([nn.Conv3d(1, 5, 3, padding=1), nn.MaxPool3d(2), nn.Conv3d(5, 3, 2, dilation=2)], (1, 1, 7, 6, 8)),
    "transposed": (
        [nn.Conv2d(3, 5, 3), nn.ConvTranspose2d(5, 4, 3, 2, 1, output_padding=1), nn.ConvTranspose2d(4, 3, 2)],
        (2, 3, 6, 5),
    ),
    "odd pads": (
        [nn.ZeroPad2d((1, 2, 0, 3)), nn.Conv2d(3, 5, (1, 3), padding="same"), nn.ReflectionPad2d(1),
         nn.Conv2d(5, 3, 3)],
        (1, 3, 6, 5),
    ),
    "dense": ([Dense(3, 5, 3), nn.Conv2d(18, 2, 1)], (2, 3, 6, 5)),
    "branches": ([nn.Conv2d(2, 4, 1), Branches(4)], (1, 2, 7, 5)),
    "permuted": ([nn.Conv2d(3, 8, 4, 4), Permuted(8)], (1, 3, 16, 12)),
    "norms": ([nn.Conv2d(3, 6, 3, padding=1), nn.GroupNorm(2, 6), nn.Upsample(scale_factor=2), nn.PixelUnshuffle(2)],
              (1, 3, 6, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str) -> None:
    torch.manual_seed(0)
    layers, shape = NETWORKS[name]
    check(nn.Sequential(*layers), torch.randn(*shape))


def check(model: nn.Module, image: torch.Tensor) -> None:
    model = model.eval().requires_grad_(False)
    expected = model(image)
    actual = wse_mlir.compile(model, (image,))(image)
    assert actual.shape == expected.shape
    assert expected.numel() == 0 or error(actual, expected) <= TOLERANCE


@settings(max_examples=5, deadline=None, derandomize=True)
@given(
    groups=st.sampled_from([1, 2, 3]),
    channels=st.sampled_from([1, 3, 5]),
    filters=st.sampled_from([1, 2, 17]),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 3)),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    batch=st.integers(1, 2),
)
def test_any_convolution(groups, channels, filters, kernel, stride, dilation, padding, batch) -> None:
    first = nn.Conv2d(
        channels * groups, filters * groups, kernel, stride, padding, dilation, groups, padding_mode="zeros"
    )
    check(nn.Sequential(first, nn.Tanh(), nn.Conv2d(filters * groups, 3, 2, padding=1)),
          torch.randn(batch, channels * groups, 11, 9))  # fmt: skip


def test_an_open_batch() -> None:
    model = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(5, 4, 3))
    model = model.eval().requires_grad_(False)
    batch = torch.export.Dim("batch", min=1, max=64)
    compiled = wse_mlir.compile(model, (torch.randn(2, 3, 11, 10),), dynamic_shapes=({0: batch},))
    for size in (1, 3):
        image = torch.randn(size, 3, 11, 10)
        assert error(compiled(image), model(image)) <= TOLERANCE
