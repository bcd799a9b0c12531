"""What parameters determine on the wafer: the host computes it when they are bound."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lowering import Function, error, lower
from torch import nn

import wse_mlir
from wse_mlir.frontend.imported import import_model
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.runtime.wafer.preparation import take_preparation
from wse_mlir.runtime.wafer.target import SPLIT_DIMS
from wse_mlir.runtime.wafer.target import lower as lower_to_wafer


class Gated(nn.Module):
    """Two products of the same rows, and one of what they give."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up = nn.Linear(12, 20, bias=False), nn.Linear(12, 20, bias=False)
        self.down = nn.Linear(20, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(nn.functional.silu(self.gate(x)) * self.up(x))


class Attention(nn.Module):
    """Of some places on themselves, two query heads for each of two key heads."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(10, n, bias=False) for n in (24, 12, 12))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q = self.query(x).view(5, 2, 2, 6)
        k, v = (f(x).view(5, 2, 6) for f in (self.key, self.value))
        scores = torch.einsum("qghd,kgd->ghqk", q, k).softmax(dim=-1)
        return torch.einsum("ghqk,kgd->qghd", scores, v)


class Normed(nn.Module):
    """Statistics that become a factor and a number, and constants besides."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.out = nn.BatchNorm1d(6), nn.Linear(6, 4)
        self.norm.running_mean.normal_()  # pyright: ignore[reportOptionalMemberAccess]
        self.register_buffer("table", torch.randn(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.norm(x)) * torch.tensor([1.0, 2.0, 3.0, 5.0]) + self.get_buffer("table")


class Turned(nn.Module):
    """Rows of two tables at the same place."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("sine", "cosine"):
            self.register_buffer(name, torch.randn(9, 4))

    def forward(self, x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        return x * self.get_buffer("cosine")[at] + x.flip(-1) * self.get_buffer("sine")[at]


CASES = {
    "turned": (Turned(), (torch.randn(2, 4), torch.tensor([5]))),
    "gated": (Gated(), (torch.randn(3, 12),)),
    "attention": (Attention(), (torch.randn(5, 10),)),
    "normed": (Normed(), (torch.randn(3, 6),)),
}


@pytest.mark.parametrize("grid", ["3x2", "5x3"])
@pytest.mark.parametrize("name", CASES)
def test_results_are_the_models(name: str, grid: str, tmp_path: Path) -> None:
    """As compiled, and once more from a file."""
    model, args = CASES[name]
    model.eval().requires_grad_(False)
    compiled = wse_mlir.compile(model, args, target="tiny", grid=grid, effort="high")
    assert error(compiled(*args), model(*args)) < 1e-5
    compiled.save(tmp_path / "model.wsec")
    again = wse_mlir.load(tmp_path / "model.wsec")
    assert error(again(*args), model(*args)) < 1e-5


@pytest.mark.parametrize(("name", "effort"), [("gated", "high"), ("normed", "")])
def test_other_parameters_are_prepared_anew(name: str, effort: str) -> None:
    model, args = CASES[name]
    compiled = wse_mlir.compile(model.eval(), args, target="tiny", grid="3x2", effort=effort)
    other = type(model)().eval().requires_grad_(False)
    compiled.update_parameters(other)
    assert error(compiled(*args), other(*args)) < 1e-5


@pytest.mark.parametrize("options", [{}, {"programs": 2}, {"programs": 2, "effort": "high"}])
def test_normalisations_of_programs_of_any_number(options: dict[str, Any], tmp_path: Path) -> None:
    """Each program has tensors of its own."""
    model, x = normalised(), torch.randn(3, 6)
    compiled = wse_mlir.compile(model, (x,), target="tiny", grid="3x2", **options)
    assert error(compiled(x), model(x)) < 1e-5
    compiled.save(tmp_path / "model.wsec")
    assert error(wse_mlir.load(tmp_path / "model.wsec")(x), model(x)) < 1e-5


@pytest.mark.parametrize("effort", ["", "high"])
def test_normalisations_are_a_factor_and_a_number(effort: str) -> None:
    """Of what statistics and weights determine the PEs compute nothing."""
    imported = import_model(normalised(), (torch.randn(3, 6),))
    options = {"grid": "3x2", "effort": effort}
    lowered, plain = (
        str(lower_to_wafer(imported.module, "tiny", options, prepares=p).module) for p in (True, False)
    )
    assert "rsqrt" not in lowered and lowered.count("wse.vector") < plain.count("wse.vector")


def normalised() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(Normed(), nn.Tanh(), nn.Linear(4, 6), Normed()).eval().requires_grad_(False)


def test_masks_are_computed_in_the_call() -> None:
    """What depends on no parameter takes no memory from call to call."""
    mask = Function(lambda x: x * torch.ones(5, 5).tril())
    lowered = lower_to_wafer(import_model(mask, (torch.randn(5, 5),)).module, "tiny", {"grid": "2x2"})
    assert lowered.preparation is None


@pytest.mark.parametrize(
    ("name", "members", "prepared"), [("gated", 2, 2), ("attention", 3, 1), ("turned", 2, 1)]
)
def test_reductions_of_the_same_are_one(name: str, members: int, prepared: int) -> None:
    """Parameters are put side by side beside @main, which reads the whole alone; others are transposed there."""
    model, args = CASES[name]
    imported = lower(model.eval(), args, "2x3", "bind-tables")
    run_pipeline(imported.module, f"builtin.module({SPLIT_DIMS})")
    preparation = take_preparation(imported.module.operation)
    assert preparation is not None
    texts = [str(module) for module in (preparation.module, imported.module)]
    assert [text.count("tensor.insert_slice") for text in texts] == [members, 0]
    assert texts[1].count('wse.kind = "prepared"') == prepared
