"""Transposed convolutions, which skip the zeros between an image's elements, against PyTorch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from zoo import error

import wse_mlir

TOLERANCE = 1e-4
LAYERS = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}

NETWORKS: dict[str, tuple[list[nn.Module], tuple[int, ...]]] = {
    "as many taps in each phase": ([nn.ConvTranspose2d(5, 17, 4, 2, 1), nn.ReLU()], (2, 5, 4, 3)),
    "phases of one tap": ([nn.ConvTranspose2d(4, 3, 2, 2), nn.Conv2d(3, 2, 3, padding=1)], (1, 4, 5, 5)),
    "phases without a tap": ([nn.ConvTranspose2d(3, 5, 2, 3), nn.Sigmoid()], (1, 3, 4, 4)),
    "nothing between elements": ([nn.ConvTranspose2d(3, 5, 3, 1, 1)], (1, 3, 4, 4)),
    "groups": ([nn.ConvTranspose2d(6, 6, 4, 2, 1, groups=3), nn.ReLU()], (2, 6, 4, 4)),
    "each channel alone": ([nn.ConvTranspose2d(6, 6, 3, 2, 1, groups=6, output_padding=1)], (1, 6, 4, 4)),
    "line": ([nn.ConvTranspose1d(6, 8, 16, 8, 4), nn.LeakyReLU()], (2, 6, 7)),
    "volume": ([nn.ConvTranspose3d(3, 4, 3, 2, 1), nn.ReLU()], (1, 3, 3, 2, 4)),
    "dilated": ([nn.ConvTranspose2d(2, 8, (2, 3), (3, 4), (1, 2), (1, 3), dilation=2), nn.ReLU()], (2, 2, 3, 3)),
    "empty batch": ([nn.ConvTranspose2d(3, 4, 4, 2, 1)], (0, 3, 4, 4)),
}  # fmt: skip


def check(model: nn.Module, image: torch.Tensor, dynamic_shapes: object = None) -> None:
    model = model.eval().requires_grad_(False)
    expected = model(image)
    actual = wse_mlir.compile(model, (image,), dynamic_shapes=dynamic_shapes)(image)
    assert actual.shape == expected.shape
    assert expected.numel() == 0 or error(actual, expected) <= TOLERANCE


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str) -> None:
    torch.manual_seed(0)
    layers, shape = NETWORKS[name]
    check(nn.Sequential(*layers), torch.randn(*shape))


class Skip(nn.Module):
    """A U-net's step up: the result is joined with what was there before, and read twice."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.last = nn.ConvTranspose2d(4, 3, 3, 2, 1, output_padding=1), nn.Conv2d(5, 3, 1)

    def forward(self, small: torch.Tensor, large: torch.Tensor) -> torch.Tensor:
        up = self.up(small)
        return self.last(torch.cat([torch.relu(up), large], 1)) + up


def test_a_result_that_is_read_twice() -> None:
    torch.manual_seed(0)
    model = Skip().eval().requires_grad_(False)
    args = torch.randn(1, 4, 3, 4), torch.randn(1, 2, 6, 8)
    assert error(wse_mlir.compile(model, args)(*args), model(*args)) <= TOLERANCE


@pytest.mark.parametrize("open_dims", [(0,), (2,)])
def test_open_sizes(open_dims: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    sizes = {d: torch.export.Dim(f"d{d}", min=1, max=64) for d in open_dims}
    check(nn.Sequential(nn.ConvTranspose2d(3, 4, 4, 2, 1)), torch.randn(2, 3, 4, 5), {"input": sizes})


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("batch", [(), (2,)], ids=["one image", "two images"])
def test_zeros_between_elements_meet_no_weight(groups: int, batch: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    image, weight = torch.randn(*batch, 4, 5), torch.randn(4, 3, 4)
    weight[0, 0, 1] = float("inf")

    def up(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv_transpose1d(x, w, None, 3, 3, 0, groups)

    actual = wse_mlir.compile(up, (image, weight))(image, weight)
    assert error(actual, up(image, weight)) <= TOLERANCE  # every phase, the padding being cut off


@given(st.data())
@settings(max_examples=6, deadline=None, derandomize=True)
def test_random_windows(data: st.DataObject) -> None:
    draw = data.draw
    rank, groups = draw(st.integers(1, 2)), draw(st.sampled_from([1, 1, 2]))
    numbers = {name: [draw(st.integers(*range_)) for _ in range(rank)] for name, range_ in
               {"kernel_size": (1, 5), "stride": (1, 4), "dilation": (1, 2)}.items()}  # fmt: skip
    reach = [d * (k - 1) for d, k in zip(numbers["dilation"], numbers["kernel_size"], strict=True)]
    numbers["padding"] = [draw(st.integers(0, min(2, r))) for r in reach]
    most = [max(s, d) - 1 for s, d in zip(numbers["stride"], numbers["dilation"], strict=True)]
    numbers["output_padding"] = [draw(st.integers(0, m)) for m in most]
    channels = [groups * draw(st.integers(1, 5)) for _ in range(2)]
    layer = LAYERS[rank](*channels, groups=groups, **{k: tuple(v) for k, v in numbers.items()})
    check(nn.Sequential(layer, nn.Tanh()), torch.randn(1, channels[0], *([5, 4][:rank])))
