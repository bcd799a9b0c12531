"""Columns in factors: two loops share the grid's x where one of them leaves half of it idle."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from lowering import error, lower, lower_rest, simulated
from torch import nn

from wse_mlir.frontend.imported import ImportedModel
from wse_mlir.passes.wafer.executable import symbols
from wse_mlir.passes.wafer.shard.choice import grids
from wse_mlir.passes.wafer.shard.choice.plan import Plan, Planner
from wse_mlir.wse_target.sim.engine import EngineName


class FeedForward(nn.Module):
    """Two products with a nonlinearity between them, behind a normalisation."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.narrow(torch.relu(self.widen(self.norm(x))))


@pytest.mark.parametrize("engine", ["flow", "wavelet"])
@pytest.mark.parametrize(
    ("tokens", "grid", "mesh"), [(3, "8x5", "xo:4 xi:2; y:5"), (2, "6x7", "xo:2 xi:3; y:7")]
)
def test_few_rows_use_all_columns(tokens: int, grid: str, mesh: str, engine: EngineName) -> None:
    torch.manual_seed(0)
    model, rows = FeedForward(42, 90), torch.randn(tokens, 42)
    lowered = lower(model, (rows,), grid, "partition")
    assert f"on {mesh} at" in str(lowered.module)
    found = simulated(lower_rest(lowered, "partition"), (rows,), engine=engine)
    assert error(torch.from_numpy(found.outputs[0]), model(rows).detach()) < 1e-5


def test_with_high_effort_many_options_are_searched_for_with_a_narrow_beam(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those that are much dearer than others are left out, and changes make the plan better."""
    monkeypatch.setattr(grids, "_MANY", 1)
    widths: list[int] = []
    run = Planner.run

    def noted(planner: Planner, width: int, limit: float = math.inf) -> Plan | None:
        if "xi" in planner.mesh:
            assert not planner.problem.has_dear
            widths.append(width)
        return run(planner, width, limit)

    monkeypatch.setattr(Planner, "run", noted)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))
    image = torch.randn(1, 4, 8, 8)
    assert "on x:8; y:8 at" in str(lower(model, (image,), "8x8", "partition").module) and not widths
    for asked in ("8x8 effort=high", "8x8 effort=high brief=true"):
        lowered = lower(model, (image,), asked, "partition")
        assert "on xo:4 xi:2; y:8 at" in str(lowered.module) and set(widths) == {1}
        found = simulated(lower_rest(lowered, "partition"), (image,))
        assert error(torch.from_numpy(found.outputs[0]), model(image).detach()) < 1e-5
        widths.clear()


def test_loops_that_fill_the_columns_leave_them_whole() -> None:
    lowered = lower(FeedForward(42, 90), (torch.randn(40, 42),), "8x5", "partition")
    assert " xi:" not in str(lowered.module)


def test_sums_along_a_factor_are_needed() -> None:
    torch.manual_seed(0)
    model, rows = FeedForward(42, 90), torch.randn(2, 42)

    def sums(lowered: ImportedModel) -> list[Any]:
        block = symbols(lowered.module.operation, "func.func")[0].body.blocks[0]
        reductions = [op for op in block.operations if op.operation.name == "wse.all_reduce"]
        return [op for op in reductions if op.axis.value == "xi"]

    count = len(sums(lower(model, (rows,), "6x7", "partition")))
    assert count
    for position in range(count):
        lowered = lower(model, (rows,), "6x7", "partition")
        missing = sums(lowered)[position]
        missing.result.replace_all_uses_with(missing.input)
        missing.operation.erase()
        found = simulated(lower_rest(lowered, "partition"), (rows,))
        assert error(torch.from_numpy(found.outputs[0]), model(rows).detach()) > 1e-3
