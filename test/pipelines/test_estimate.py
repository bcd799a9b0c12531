"""`estimate`: the cost of a model from its shapes, without data."""

import json

import pytest
import torch

import wse_mlir
from wse_mlir.runtime.wafer.simulate import simulate_module


def small(device: str = "cpu") -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    with torch.device(device):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(24, 40), torch.nn.GELU(), torch.nn.Linear(40, 8)).eval()
        return model, (torch.ones(6, 24),)


def test_a_model_without_data_costs_what_it_costs_with_data() -> None:
    compiled = wse_mlir.compile(*small(), target="tiny")
    compiled(*small()[1])
    found = wse_mlir.estimate(*small("meta"), target="tiny")
    for key in ("cycles", "split", "phases", "sram", "flops", "link_loads", "grid"):
        assert found[key] == compiled.report[key], key
    assert found["phases"][0]["module_path"] == "0"
    json.dumps(found, allow_nan=False)


def test_options_are_those_of_the_target() -> None:
    found = wse_mlir.estimate(*small("meta"), target="wse3", grid="4x2")
    assert found["machine"] == "wse3" and found["grid"] == [4, 2] and found["check"] is None
    with pytest.raises(wse_mlir.CompilerError, match="no option 'gird'"):
        wse_mlir.estimate(*small("meta"), target="wse3", gird="4x2")
    with pytest.raises(wse_mlir.CompilerError, match="not a wafer"):
        wse_mlir.estimate(*small("meta"), target="cpu")


class Running(torch.nn.Module):
    """Adds what it is given to what it was given before."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.ones(6, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x)
        return self.total * 2


def test_a_model_with_state_can_be_estimated_and_checked() -> None:
    found = wse_mlir.estimate(Running(), (torch.ones(6, 8),), target="tiny")
    simulated = simulate_module(Running(), "tiny", example_args=(torch.ones(6, 8),))
    assert simulated.check is not None and simulated.check.matches and len(simulated.check.errors) == 2
    assert simulated.report.cycles.device == found["cycles"]["device"] > 0
