"""Convolutions of three by three and of five by five taps that are computed in tiles, against PyTorch in f64."""

import copy
import re

import pytest
import torch
from torch import nn
from zoo import error

from wse_mlir.compiler.compile import compile_for
from wse_mlir.passes.cpu.winograd.interpolation import TILES, Interpolation
from wse_mlir.pipelines.named import CPU
from wse_mlir.runtime.cpu.target import CpuTarget

TOLERANCE = 1e-5  # a tenth of what counts as equal: whole networks add up the errors of their layers


def pipeline(tile: int) -> str:
    """The pipeline `cpu` with tiles of that size wherever they are possible."""
    passes = next(stage.passes for stage in CPU.stages if stage.name == "winograd")
    name = "wse-winograd-convolutions"
    forced, count = re.subn(rf"{name}\b", f"{name}{{tile={tile}}}", passes)
    assert count == 1
    return CPU.override(winograd=forced).text


def check(model: nn.Module, *images: torch.Tensor, tile: int, **options: str) -> None:
    model = model.eval().requires_grad_(False)
    expected = copy.deepcopy(model).double()(*(i.double() for i in images))
    actual = compile_for(CpuTarget(pipeline(tile)), model, images, options=options)(*images)
    assert actual.shape == expected.shape
    assert error(actual, expected.float()) <= TOLERANCE


@pytest.mark.parametrize(
    ("tile", "width"), [(tile, width) for width, tiles in TILES.items() for tile in tiles]
)
def test_transforms(tile: int, width: int) -> None:
    """A^T ((G g) * (B^T d)) is the correlation of d with g, exactly."""
    points = Interpolation.of(tile, width)
    line = list(range(3, 3 + points.size))
    taps = [2, -5, 7, 3, -11][:width]
    image = [sum(b * d for b, d in zip(row, line, strict=True)) for row in points.image]
    filters = [sum(g * t for g, t in zip(row, taps, strict=True)) for row in points.filter]
    values = [a * b for a, b in zip(image, filters, strict=True)]
    found = [sum(a * v for a, v in zip(row, values, strict=True)) for row in points.result]
    assert found == [sum(t * line[o + k] for k, t in enumerate(taps)) for o in range(tile)]


class Block(nn.Module):
    """A residual block: normalisation, activation and shortcut follow its convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.uniform_(self.norm.running_mean)  # type: ignore[arg-type]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.second(torch.relu(self.norm(self.first(image)))) + image)


@pytest.mark.parametrize("tile", TILES[3])
@pytest.mark.parametrize("size", [(8, 8), (5, 7)])
def test_residual_blocks(tile: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 20, 1), Block(20), Block(20))
    check(model, torch.randn(2, 3, *size), tile=tile)


@pytest.mark.parametrize("shape", [(1, 17, 3, 3), (3, 17, 1, 6), (2, 17, 9, 4)])
def test_images_of_arguments(shape: tuple[int, ...]) -> None:
    """Channels do not lie innermost in them, and padding is on one side only or as wide as the image."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.ZeroPad2d((2, 1, 2, 0)), nn.Conv2d(17, 18, 3), nn.ReLU())
    check(model, torch.randn(*shape), tile=4)


@pytest.mark.parametrize("size", [(10, 8), (7, 11)])
def test_five_taps(size: tuple[int, int]) -> None:
    """As in a LeNet, padded and not."""
    torch.manual_seed(0)
    first, second = nn.Conv2d(17, 18, 5, padding=2), nn.Conv2d(18, 16, 5)
    check(nn.Sequential(first, nn.ReLU(), second, nn.Tanh()), torch.randn(3, 17, *size), tile=2)


class Twice(nn.Module):
    """The sums of a convolution are read by two operations."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(16, 16, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        sums = self.convolution(image)
        return torch.relu(sums) + sums.flip(2)


def test_sums_that_are_read_twice() -> None:
    torch.manual_seed(0)
    check(Twice(), torch.randn(1, 16, 8, 8), tile=4)


@pytest.mark.parametrize("features", ["-avx512f", "-avx512f,-avx2,-avx,-fma"])
def test_other_processors(features: str) -> None:
    torch.manual_seed(0)
    check(Block(19), torch.randn(1, 19, 6, 9), tile=4, features=features)
