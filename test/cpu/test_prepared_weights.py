"""Weights that are packed and prepared when parameters are bound, against PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from zoo import ScaledByState, error

import wse_mlir

TARGETS: list[dict[str, str]] = [{}, {"features": "-avx512f"}, {"cpu": "x86-64"}]


def prepared(compiled: wse_mlir.Compiled) -> int:
    """Bytes of all prepared tensors."""
    return compiled.report["memory"]["prepared_bytes"]


def check(
    model: nn.Module, *args: torch.Tensor, tolerance: float = 1e-4, **options: Any
) -> wse_mlir.Compiled:
    model = model.eval().requires_grad_(False)
    compiled = wse_mlir.compile(model, args, **options)
    assert error(compiled(*args), model(*args)) <= tolerance
    return compiled


@settings(max_examples=8)
@given(st.integers(0, 20), st.integers(1, 70), st.integers(1, 70), st.sampled_from(TARGETS))
def test_linear_layers_of_any_size(rows: int, columns: int, depth: int, target: dict[str, str]) -> None:
    torch.manual_seed(0)
    check(nn.Linear(depth, columns), torch.randn(rows, depth), **target)


CONVOLUTIONS = [
    (nn.Conv2d(3, 17, 3, padding=1), (2, 3, 9, 7)),
    (nn.Conv2d(6, 10, (3, 1), stride=2, dilation=(2, 1), groups=2), (1, 6, 11, 8)),
    (nn.Conv2d(8, 8, 3, groups=8), (1, 8, 6, 6)),
    (nn.Conv1d(5, 33, 4, stride=3), (2, 5, 20)),
    (nn.Conv3d(2, 5, 2), (1, 2, 4, 5, 3)),
    (nn.ConvTranspose2d(4, 6, 3, stride=2), (1, 4, 5, 5)),
]


@pytest.mark.parametrize(("layer", "shape"), CONVOLUTIONS, ids=lambda x: str(x)[:40])
def test_convolutions(layer: nn.Module, shape: tuple[int, ...]) -> None:
    check(layer, torch.randn(shape))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
def test_other_element_types(dtype: torch.dtype) -> None:
    tolerance = 1e-2 if dtype.itemsize == 2 else 1e-4
    compiled = check(nn.Linear(40, 24).to(dtype), torch.randn(9, 40, dtype=dtype), tolerance=tolerance)
    assert prepared(compiled) <= 40 * 32 * dtype.itemsize + 24 * 4, "narrow weights stay narrow"


class Tied(nn.Module):
    """Two products with the same weights, which are also an output."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(32, 48))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> Any:
        return x @ self.weight.T + y @ self.weight.T, self.weight


def test_weights_that_several_products_read_are_packed_once() -> None:
    model, args = Tied().requires_grad_(False), (torch.randn(9, 48), torch.randn(9, 48))
    compiled = wse_mlir.compile(model, args)
    product, weight = compiled(*args)
    assert error(product, model(*args)[0]) <= 1e-4
    assert torch.equal(weight, model.weight)
    assert prepared(compiled) == 32 * 48 * 4


def test_an_open_batch() -> None:
    model = nn.Sequential(nn.Conv2d(3, 9, 3), nn.ReLU(), nn.Flatten(), nn.Linear(9 * 16, 5)).eval()
    model.requires_grad_(False)
    dim = torch.export.Dim("batch")
    compiled = wse_mlir.compile(model, (torch.randn(2, 3, 6, 6),), dynamic_shapes=({0: dim},))
    for batch in (0, 1, 2, 7):
        x = torch.randn(batch, 3, 6, 6)
        assert error(compiled(x), model(x)) <= 1e-4
    assert prepared(compiled) > 0


def test_parameters_are_prepared_again_when_they_change() -> None:
    model = nn.Linear(24, 40).requires_grad_(False)
    x = torch.randn(9, 24)
    compiled = wse_mlir.compile(model, (x,))
    before = model(x)
    model.weight.mul_(2)
    model.bias.zero_()
    compiled.update_parameters()
    assert error(compiled(x), model(x)) <= 1e-4
    assert error(compiled(x), before) > 1e-2


def test_a_saved_model_prepares_when_it_is_loaded(tmp_path: Path) -> None:
    model = nn.Linear(24, 40).requires_grad_(False)
    x = torch.randn(9, 24)
    wse_mlir.compile(model, (x,)).save(tmp_path / "saved")
    loaded = wse_mlir.load(tmp_path / "saved")
    assert error(loaded(x), model(x)) <= 1e-4
    assert prepared(loaded) > 0
    model.weight.neg_()
    loaded.update_parameters(model)
    assert error(loaded(x), model(x)) <= 1e-4


def test_states_are_not_prepared() -> None:
    model, x = ScaledByState().requires_grad_(False), torch.randn(12, 8)
    compiled = wse_mlir.compile(model, (x,))
    for _ in range(3):
        assert error(compiled(x), model(x)) <= 1e-4
