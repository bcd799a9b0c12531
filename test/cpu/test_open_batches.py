"""Batched products and attention whose number of matrices, rows or keys is known at the call only."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.export import Dim

import wse_mlir
from wse_mlir import CompilerError

OPEN = Dim("open", max=64)


class Applied(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        return self.function(*tensors)


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return nn.functional.scaled_dot_product_attention(q, k, v)


def causal(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


@pytest.mark.parametrize(
    ("function", "shapes", "dim"),
    [
        (torch.bmm, ((2, 3, 4), (2, 4, 5)), 0),
        (attention, ((2, 2, 5, 8),) * 3, 0),
        (causal, ((2, 3, 5, 8),) * 3, 2),
    ],
)
def test_any_number_of_matrices(
    function: Callable[..., torch.Tensor], shapes: tuple[tuple[int, ...], ...], dim: int
) -> None:
    def draw(size: int) -> tuple[torch.Tensor, ...]:
        return tuple(torch.randn([size if d == dim else s for d, s in enumerate(shape)]) for shape in shapes)

    torch.manual_seed(5)
    compiled = wse_mlir.compile(Applied(function), draw(2), dynamic_shapes=(({dim: OPEN},) * len(shapes),))
    for size in (1, 5, 33) if dim else (1, 5, 0):
        arguments = draw(size)
        torch.testing.assert_close(compiled(*arguments), function(*arguments), atol=1e-5, rtol=1e-4)
    with pytest.raises(CompilerError, match="must equal"):
        compiled(*draw(4)[:1], *draw(3)[1:])


@pytest.mark.parametrize("shape", [(0, 2, 5, 8), (2, 0, 5, 8)])
def test_attention_without_matrices(shape: tuple[int, ...]) -> None:
    arguments = (torch.randn(shape),) * 3
    assert wse_mlir.compile(Applied(attention), arguments)(*arguments).shape == shape
