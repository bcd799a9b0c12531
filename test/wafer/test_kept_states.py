"""States that stay on the device between calls: values, what is seen of them, and when the host keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lowering import compile_model
from torch import nn

import wse_mlir
from wse_mlir.compiler.compiled import Compiled
from wse_mlir.runtime.wafer.target import pipeline_text

KINDS = {
    "total": torch.zeros(5, 7),
    "count": torch.zeros(()),
    "narrow": torch.zeros(7, dtype=torch.bfloat16),
    "number": torch.zeros(5, dtype=torch.int64),
    "byte": torch.zeros(6, dtype=torch.uint8),
    "flag": torch.zeros(7, dtype=torch.bool),
    "column": torch.zeros(7),
}


class Everything(nn.Module):
    """States of many types, of rank 0 to 2, and one that is a sum over rows, which other PEs have parts of."""

    def __init__(self) -> None:
        super().__init__()
        for name, value in KINDS.items():
            self.register_buffer(name, value.clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x)
        self.count.add_(1.0)
        self.narrow.add_(x[0].to(torch.bfloat16))
        self.number.add_(3)
        self.byte.add_(100)
        self.flag.logical_or_(x[1] > 1)
        self.column.copy_(x.sum(0))
        return self.total.sum(1) / self.count


class Exchange(nn.Module):
    """States whose next values are other states' present ones, and one whose present value is returned."""

    def __init__(self) -> None:
        super().__init__()
        for number, name in enumerate(("a", "b", "first", "second", "old")):
            self.register_buffer(name, torch.full((6,), float(number)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before = self.old.clone()
        a, b, second = self.a.clone(), self.b.clone(), self.second.clone()
        self.a.copy_(b)
        self.b.copy_(a)
        self.first.copy_(second)
        self.second.copy_(x)
        self.old.add_(x)
        return before


def held(compiled: Compiled) -> set[str]:
    return set(compiled._executable.held_states)


def agree(compiled: Compiled, model: nn.Module, *inputs: torch.Tensor) -> None:
    torch.testing.assert_close(compiled(*inputs), model(*inputs), rtol=1e-4, atol=1e-5)


def same_state(compiled: Compiled, model: nn.Module) -> None:
    for name, value in compiled.state.items():
        wanted = model.get_buffer(name)
        assert value.dtype == wanted.dtype and value.shape == wanted.shape, name
        torch.testing.assert_close(
            value, wanted, rtol=1e-2 if name == "narrow" else 1e-4, atol=1e-5, msg=name
        )


@pytest.mark.parametrize("grid", ["3x2", "1x4"])
def test_states_stay_on_the_device(grid: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    compiled = compile_model(Everything(), (torch.zeros(5, 7),), target="tiny", grid=grid)
    assert {"total", "count", "number", "byte", "flag"} <= held(compiled)
    model = Everything()
    for _ in range(3):
        agree(compiled, model, torch.randn(5, 7))
    moved = compiled.report["cycles"]
    most = 100 + 35 + (100 + 7 / 2 + 100 + 7) * (len(KINDS) - len(held(compiled)))
    assert moved["host_in"] <= most, "states go to the PEs at each call"
    same_state(compiled, model)
    agree(compiled, model, torch.randn(5, 7))
    compiled.save(tmp_path / "model.wse")
    again = wse_mlir.load(tmp_path / "model.wse")
    assert held(again) == held(compiled)
    x = torch.randn(5, 7)
    torch.testing.assert_close(again(x), compiled(x))
    model(x)
    same_state(again, model)
    again.reset()
    same_state(again, Everything())
    same_state(compiled, model)


def test_what_is_seen_of_a_state_is_the_state() -> None:
    """Calls bring it up to date and take over what is written, also by somebody who has let go of it since."""
    torch.manual_seed(1)
    compiled = compile_model(Everything(), (torch.zeros(5, 7),), target="tiny", grid="2x2")
    model, x = Everything(), torch.randn(5, 7)
    agree(compiled, model, x)
    row = compiled.state["total"][1]
    agree(compiled, model, x)
    torch.testing.assert_close(row, model.total[1])
    row.fill_(5.0)
    model.total[1] = 5.0
    agree(compiled, model, x)
    torch.testing.assert_close(row, model.total[1])
    del row
    compiled.state["count"].fill_(8.0)
    model.count.fill_(8.0)
    agree(compiled, model, x)
    agree(compiled, model, x)
    assert not compiled._states._mirrors, "nobody looks any more"
    count = compiled.state["count"]
    compiled.reset()
    assert count == 0 and compiled.state["count"] == 0


def test_states_that_others_read_at_the_end_stay_with_the_host() -> None:
    compiled = compile_model(Exchange(), (torch.zeros(6),), target="tiny", grid="2x1")
    assert held(compiled) & {"a", "b", "second"} == set()
    model = Exchange()
    for step in range(4):
        agree(compiled, model, torch.full((6,), 10.0 + step))
        same_state(compiled, model)


def test_without_room_on_the_device_states_travel() -> None:
    """As an option of the pass; `compile` takes it when nothing else fits."""
    assert "wse-emit-programs{keep-states=false" in pipeline_text("tiny", {}, keep_states=False)


class Layers(nn.Module):
    """Equal layers, each with a state of its own: on the wafer they are a loop."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        for number in range(count):
            self.register_buffer(f"state{number}", torch.zeros(12, 12))
        self.layers = nn.ModuleList(nn.Linear(12, 12) for _ in range(count))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for number, layer in enumerate(self.layers):
            x = torch.softmax(layer(x), 1)
            self.get_buffer(f"state{number}").mul_(0.5).add_(x)
            x = x + self.get_buffer(f"state{number}")
        return x


def test_states_of_equal_layers() -> None:
    torch.manual_seed(2)
    model, x = Layers(6), torch.randn(12, 12)
    compiled = compile_model(model, (x,), target="tiny", grid="2x2")
    assert len(held(compiled)) == 6
    for _ in range(2):
        x = torch.randn(12, 12)
        agree(compiled, model, x)
        same_state(compiled, model)
