"""How large programs are: classes, code and IR have bounds, and layers that repeat add nothing to code."""

from __future__ import annotations

import pytest
import torch
from lowering import lower
from torch import nn
from zoo import FAMILIES, family

import wse_mlir
from wse_mlir.frontend.imported import import_model
from wse_mlir.runtime.wafer import target as wafer
from wse_mlir.runtime.wafer.image_builder import build_image
from wse_mlir.runtime.wafer.sram_shares import Shares
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.instructions import Loop, Phase

MOST_CLASSES, MOST_TEXT = 64, 1 << 20


class Residual(nn.Module):
    """What a transformer's feed-forward half is."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up, self.down, self.norm = (
            nn.Linear(width, 2 * width),
            nn.Linear(2 * width, width),
            nn.LayerNorm(width),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x + self.down(torch.relu(self.up(x))))


def lowered(model: nn.Module, x: torch.Tensor, grid: str) -> tuple[Program, int]:
    """A model's image, and the characters of its executable stage."""
    module = lower(model.eval(), (x,), grid, "plan-memory").module.operation
    return build_image(module), len(str(module))


def trips(program: Program) -> int:
    """Of the loops over layers together."""
    loops = [op for op in program.classes[0].body if isinstance(op, Loop)]
    return sum(
        int(loop.trips.evaluate({})) for loop in loops if any(isinstance(op, Phase) for op in loop.body)
    )


def test_equal_layers_add_no_code() -> None:
    found = {
        n: lowered(nn.Sequential(*(Residual(16) for _ in range(n))), torch.randn(8, 16), "4x4")
        for n in (6, 8)
    }
    (small, text), (large, longer) = found[6], found[8]
    assert trips(large) - trips(small) == 2
    assert max(large.code_bytes.values()) == max(small.code_bytes.values())
    assert len(large.classes) == len(small.classes) <= MOST_CLASSES
    assert (longer - text) / 2 < 3000  # its buffers, and how its parameters get there


def test_text_that_shall_be_brief_is_shorter_and_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model, x = Residual(64).eval().requires_grad_(False), torch.randn(2, 64)
    codes = []
    for brief in (0, 1, 2):
        monkeypatch.setattr(wafer, "Shares", lambda brief=brief: Shares(brief=brief))
        compiled = wse_mlir.compile(model, (x,), target="tiny", grid="8x8", cache=False)
        torch.testing.assert_close(compiled(x), model(x), rtol=1e-3, atol=1e-4)
        codes.append(compiled.report["sram"]["code"])
    assert max(codes[1:]) < codes[0], codes


def test_steps_of_a_recurrence_add_no_code() -> None:
    """Rows of the result have different owners; fusing stays within a step."""

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.LSTM(8, 8, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.cell(x)[0]

    torch.manual_seed(0)
    model = Recurrent()
    code = [max(lowered(model, torch.randn(1, n, 8), "3x3")[0].code_bytes.values()) for n in (16, 24)]
    assert max(code) < 1.1 * min(code)


@pytest.mark.parametrize("grid", ["2x5", *(pytest.param(g, marks=pytest.mark.slow) for g in ("3x2", "8x8"))])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_zoo_is_within_bounds(name: str, grid: str) -> None:
    """Also on grids that do not divide its sizes."""
    case = family(name)
    module = lower(case.model, case.args, grid, "plan-memory").module.operation
    program = build_image(module)
    assert len(program.classes) <= MOST_CLASSES and len(str(module)) < MOST_TEXT


@pytest.mark.parametrize("layers", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_an_encoder_is_within_bounds(layers: int) -> None:
    """Trees along both axes give PEs as many roles as there are PEs."""
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, dropout=0.0)
    model = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
    imported = import_model(model.eval(), (torch.randn(1, 16, 32),))
    module = wafer.lower(imported.module, "tiny", {"grid": "8x8"}).module
    program, text = build_image(module), len(str(module))
    assert len(program.classes) <= MOST_CLASSES and text < MOST_TEXT
    assert max(program.code_bytes.values()) < 16384
