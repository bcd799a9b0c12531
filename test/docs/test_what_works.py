"""The table "What works where" of the README: one model a row, on every target that it names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from zoo import error

import wse_mlir
from wse_mlir.artifacts.emit.emit import emit
from wse_mlir.artifacts.emit.kinds import FileKind
from wse_mlir.artifacts.emit.request import Request
from wse_mlir.compiler.workload import OpenedModel

ROWS = torch.export.Dim("rows", min=2, max=8)
X = torch.arange(8.0).reshape(2, 4) - 3


class Counter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x * self.calls


class Noisy(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.randn(4)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.cell(x)[0]


def library(model: nn.Module, out: Path, **options: Any) -> None:
    opened = OpenedModel("model", "model", model, ((X,),), {}, options.get("dynamic_shapes"), None)
    emit([opened], Request(FileKind.SHARED, out / "libmodel.so"))


def test_rows_that_work(tmp_path: Path) -> None:
    for model, x in (
        (nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)), X),
        (Recurrent().eval(), X),
        (nn.Linear(4, 2).to(torch.bfloat16), X.to(torch.bfloat16)),
        (nn.Hardtanh(), X.to(torch.int32)),
    ):
        model = model.requires_grad_(False)
        want = model(x)
        for compiled in (
            wse_mlir.compile(model, (x,)),
            wse_mlir.compile(model, (x,), target="tiny"),
            torch.compile(model, backend="wse_mlir"),
        ):
            assert error(compiled(x), want) <= 1e-2
    library(Recurrent().eval(), tmp_path)
    pooled = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2)).eval().requires_grad_(False)
    image = torch.arange(36.0).reshape(1, 1, 6, 6)
    for target in ("cpu", "tiny"):
        assert error(wse_mlir.compile(pooled, (image,), target=target)(image), pooled(image)) <= 1e-4
    for target in ("cpu", "tiny"):
        sums = wse_mlir.compile(lambda x: x.cumsum(1), (X,), target=target)
        assert torch.equal(sums(X), X.cumsum(1))


def test_state_and_sizes_left_open(tmp_path: Path) -> None:
    for target in ("cpu", "tiny"):
        compiled = wse_mlir.compile(Counter(), (X,), target=target)
        compiled(X)
        assert torch.equal(compiled(X), X * 2)
    library(Counter(), tmp_path)
    shapes: dict[str, Any] = {"dynamic_shapes": ({0: ROWS},)}
    model = nn.Linear(4, 2).eval().requires_grad_(False)
    assert wse_mlir.compile(model, (X,), **shapes)(X.repeat(3, 1)).shape == (6, 2)
    with pytest.raises(wse_mlir.CompilerError):
        wse_mlir.compile(model, (X,), target="tiny", **shapes)
    library(model, tmp_path, **shapes)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.fft.fft(x).real,
        lambda x: x.to(torch.float8_e5m2).float(),
        lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8).dequantize(),
        lambda x: x.to_sparse().to_dense(),
        lambda x: x * 2 if x.sum() > 0 else x,
        Noisy(),
    ],
    ids=["complex", "float8", "quantised", "sparse", "control", "random"],
)
def test_rows_that_do_not(function: Callable[..., Any]) -> None:
    for target in ("cpu", "tiny"):
        with pytest.raises(wse_mlir.CompilerError) as caught:
            wse_mlir.compile(function, (X,), target=target)
        assert len(str(caught.value).splitlines()) <= 4
