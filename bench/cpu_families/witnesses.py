"""Models in which a step of the pipeline counts that changes no family by 3%, by the step's name.

`python bench/cpu_ablation.py --families "kernels tiled,states in place"` measures them as it does families.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch._higher_order_ops.scan import scan
from torch.nn import functional

from .case import Case, Family


class _Computes(nn.Module):
    """A function of tensors, as a model."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self._function = function

    def forward(self, *args: torch.Tensor) -> Any:
        return self._function(*args)


class _Bytes(nn.Module):
    """A product of bytes with a zero point, as quantised models have it."""

    def __init__(self, features: int) -> None:
        super().__init__()
        weight = torch.randint(-128, 128, (features, 4 * features), dtype=torch.int8)
        self.weight = nn.Parameter(weight, requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.matmul(x.to(torch.int32) - 131, self.weight.to(torch.int32))


class _Cells(nn.Module):
    """A recurrent cell in a Python loop."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.cell = nn.GRUCell(features, features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = torch.zeros_like(x[0])
        for step in range(x.shape[0]):
            state = self.cell(x[step], state)
        return state


def _linear_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Token after token, with a matrix for each head as state."""

    def step(state: torch.Tensor, token: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        q, k, v = token
        state = state * 0.97 + k[:, :, None] * v[:, None, :]
        return state, (q[:, :, None] * state).sum(1)

    return scan(step, torch.zeros(*q.shape[1:], q.shape[2]), (q, k, v))[1]


def _attention(*operands: torch.Tensor) -> torch.Tensor:
    return functional.scaled_dot_product_attention(*operands, is_causal=True)


def _bicubic(x: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(x, scale_factor=4, mode="bicubic", align_corners=False)


def _bilinear(x: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _softmax(x: torch.Tensor) -> torch.Tensor:
    return x.softmax(-1)


def _family(model: Callable[[int], nn.Module], args: Callable[[int], tuple[torch.Tensor, ...]],
            tiny: int, small: int) -> Family:  # fmt: skip
    """A model and its arguments, by one size."""
    sizes = {"tiny": {"size": tiny}, "small": {"size": small}}
    return Family(lambda size: Case(model(size), args(size)), sizes, has_batch=False)


def _computes(function: Callable[..., Any]) -> Callable[[int], nn.Module]:
    return lambda _: _Computes(function)


WITNESSES: Mapping[str, Family] = {
    "constants folded": _family(
        _computes(_bicubic), lambda n: (torch.randn(1, 16, n, n),), 8, 32,
    ),
    "loops rerolled": _family(_Cells, lambda n: (torch.randn(64, 8, n),), 16, 64),
    "filters shrunk": _family(
        lambda n: nn.Conv2d(n, n, 3, padding=1), lambda n: (torch.randn(1, n, 1, 1),), 16, 256,
    ),
    "convolutions in phases": _family(
        lambda n: nn.ConvTranspose2d(n, n, 4, 2, 1), lambda n: (torch.randn(1, n, 32, 32),), 8, 32,
    ),
    "resampling separated": _family(_computes(_bilinear), lambda n: (torch.randn(1, 32, n, n),), 16, 64),
    "softmax reciprocals": _family(_computes(_softmax), lambda n: (torch.randn(2048, n),), 64, 4096),
    "bytes multiplied": _family(
        _Bytes, lambda n: (torch.randint(0, 256, (64, n), dtype=torch.uint8),), 32, 256,
    ),
    "rows widened": _family(
        lambda n: nn.Linear(n, 4 * n).half(), lambda n: (torch.randn(64, n).half(),), 64, 256,
    ),
    "states in place": _family(
        _computes(_linear_attention), lambda n: tuple(torch.randn(n, 12, 64) for _ in range(3)), 8, 64,
    ),
    "kernels tiled": _family(
        _computes(_attention), lambda n: tuple(torch.randn(1, 8, n, 64) for _ in range(3)), 256, 1024,
    ),
}  # fmt: skip
