"""Models drawn at random from layers and steps of the families, for several processors, threads, element types and
strides, against PyTorch in f64."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from zoo import error

import wse_mlir

Tensor = torch.Tensor
OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_threads": 2},
    {"features": "-avx512f"},
    {"cpu": "x86-64", "num_threads": 2},
]
TOLERANCES = {torch.float32: 1e-4, torch.float64: 1e-9, torch.bfloat16: 6e-2, torch.float16: 1e-2}


class Weights(nn.Module):
    """Parameters by shape, drawn when they are first asked for, so that steps of any sizes may follow each other."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = nn.ParameterList()
        self.position = 0

    def take(self, *shape: int) -> Tensor:
        if self.position == len(self.drawn):
            scale = max(1, torch.Size(shape[1:]).numel()) ** -0.5
            self.drawn.append(nn.Parameter(torch.randn(shape) * scale, requires_grad=False))
        self.position += 1
        return self.drawn[self.position - 1]


def _attention(x: Tensor, w: Weights) -> Tensor:
    rows = x.flatten(1, -2) if x.dim() > 2 else x[:, None]
    width = rows.shape[-1]
    q, k, v = (F.linear(rows, w.take(8, width)).unflatten(-1, (2, 4)).transpose(1, 2) for _ in range(3))
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
    return F.linear(mixed, w.take(width, 8), w.take(width)).reshape(x.shape) + x


def _image(x: Tensor) -> Tensor:
    return x.flatten(2, -2) if x.dim() > 3 else x[:, :, None] if x.dim() == 3 else x[:, None, None]


def _convolution(x: Tensor, w: Weights) -> Tensor:
    image = _image(x)
    channels = image.shape[1]
    return F.relu(F.conv2d(image, w.take(6, channels, 3, 3), w.take(6), stride=(1, 2), padding=1))


def _depthwise(x: Tensor, w: Weights) -> Tensor:
    image = _image(x)
    return F.conv2d(image, w.take(image.shape[1], 1, 3, 3), padding=1, groups=image.shape[1]) + image


def _transposed(x: Tensor, w: Weights) -> Tensor:
    image = _image(x)[..., :9]
    return F.conv_transpose2d(image, w.take(image.shape[1], 3, 2, 3), stride=2, padding=1, output_padding=1)


def _parts(x: Tensor, _: Weights) -> Tensor:
    half = x.shape[-1] // 2
    return torch.cat([x[..., half:], -x[..., :half], x[..., ::3]], -1)


def _written(x: Tensor, _: Weights) -> Tensor:
    x = x.clone()
    x[:, -1] = x[:, 0] * 2
    x[:1] += 0.5
    return x


STEPS: dict[str, Callable[[Tensor, Weights], Tensor]] = {
    "linear": lambda x, w: F.gelu(F.linear(x, w.take(17, x.shape[-1]), w.take(17))),
    "attention": _attention,
    "convolution": _convolution,
    "depthwise": _depthwise,
    "transposed convolution": _transposed,
    "layer norm": lambda x, w: F.layer_norm(x, x.shape[-1:], w.take(x.shape[-1])),
    "group norm": lambda x, w: F.group_norm(x, 1, w.take(x.shape[1]), w.take(x.shape[1])),
    "softmax of another dimension": lambda x, w: torch.softmax(x * 3, 1),
    "maximum pooling": lambda x, w: F.max_pool2d(_image(x), (1, 3), (1, 2), (0, 1)),
    "reduction": lambda x, w: x - x.mean((0, -1), keepdim=True) + x.amax(1, keepdim=True),
    "permute": lambda x, w: x.transpose(1, -1),
    "flatten": lambda x, w: x.flatten(1),
    "parts": _parts,
    "written in place": _written,
    "gather": lambda x, w: x[:, torch.tensor([0, -1, 0])],
    "where": lambda x, w: torch.where(x > 0.1, torch.tanh(x), x * torch.sigmoid(x)),
    "sums": lambda x, w: x.cumsum(-1) * 0.1,
    "stack": lambda x, w: torch.stack([x, x * 0.5], -1).flatten(-2),
}
SHAPES = [(2, 5, 16), (1, 3, 7, 8), (3, 4), (1, 1, 33), (0, 3, 8), (2, 8, 4, 4)]


@dataclass(frozen=True)
class Case:
    steps: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: torch.dtype
    options: int
    strided: bool


class Chain(nn.Module):
    """The steps one after the other; returns every third value and the last, the last one twice."""

    def __init__(self, steps: tuple[str, ...]) -> None:
        super().__init__()
        self.steps, self.weights = steps, Weights()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        self.weights.position = 0
        values = [x]
        for step in self.steps:
            values.append(STEPS[step](values[-1], self.weights))
        return (*values[::3], values[-1], values[-1])


def case_of(seed: int) -> Case:
    draw = random.Random(seed)
    return Case(
        tuple(draw.sample(sorted(STEPS), 5)),
        draw.choice(SHAPES),
        draw.choice([torch.float32, torch.float32, *TOLERANCES]),
        seed % len(OPTIONS),
        draw.random() < 0.4,
    )


@pytest.mark.parametrize("seed", range(12))
def test_random_models(seed: int) -> None:
    case = case_of(seed)
    torch.manual_seed(0)
    model = Chain(case.steps).eval()
    x = torch.randn(case.shape)
    model(x)  # draws the weights
    model, x = model.to(case.dtype), x.to(case.dtype)
    argument = x.transpose(0, -1).contiguous().transpose(0, -1) if case.strided else x
    got = wse_mlir.compile(model, (argument,), **OPTIONS[case.options])(argument)
    own = model(x)
    expected = model.double()(x.double())
    for a, b, exact in zip(got, own, expected, strict=True):
        assert a.shape == exact.shape and a.dtype == b.dtype
        # what rounding costs PyTorch itself tells how much a chain amplifies it
        assert error(a.double(), exact) <= max(TOLERANCES[case.dtype], 4 * error(b.double(), exact))
