"""Inputs that follow each other: results of single calls, bit for bit, and what goes wrong in one message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from region_models import FAMILIES, load
from torch import nn
from typer.testing import CliRunner

import wse_mlir
from wse_mlir.compiler import stream as taking
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.tools.wse import app
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim import Simulation

TOWER = Path(__file__).parent / "tower.py"
TINY = load_machine("tiny")


def compiled(model: nn.Module, args: tuple[torch.Tensor, ...], **options: Any) -> wse_mlir.Compiled:
    return wse_mlir.compile(model, args, target=options.pop("target", "tiny"), cache=False, **options)


def tensors(output: Any) -> tuple[torch.Tensor, ...]:
    return output if isinstance(output, tuple) else (output,)


def same(one: Any, other: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_stream_has_the_results_of_calls(family: str) -> None:
    model, args = load(family)
    made = compiled(model, args, regions=2, grid="6x3")
    inputs = [tuple(torch.randn_like(a) for a in args) for _ in range(5)]
    singles = [made(*one) for one in inputs]
    alone = made.report["cycles"]["total"]
    made.reset()
    outputs = list(made.stream(inputs))
    assert len(outputs) == 5
    assert all(map(same, outputs, singles))
    found = made.report["stream"]
    assert found["inputs"] == 5
    assert found["latency"] == alone + made.report["cycles"]["host_io"]
    assert found["device_interval"] < alone  # several inputs are under way
    assert found["interval"] >= max(stage["cycles"] + stage["host"] for stage in found["stages"])
    assert found["inputs_per_second"] == pytest.approx(1e9 / found["interval"])
    assert found["evenness"] >= 1
    assert [stage["columns"][0] for stage in found["stages"]] == [
        r["columns"][0] for r in made.report["regions"]
    ]


@pytest.mark.parametrize("family", ["residual", "attention"])
def test_engines_agree_on_streams(family: str) -> None:
    model, args = load(family)
    made = compiled(model, args, regions=2, grid="5x2")
    program = made._executable.program.image  # type: ignore[attr-defined]
    shapes = [spec.on_host for spec in program.arguments]
    values = [
        np.random.default_rng(k).normal(size=shape).astype(np.float32) for k, shape in enumerate(shapes)
    ]

    def streamed(engine: Any) -> Any:
        simulation = Simulation(program, TINY, engine=engine)
        called = simulation.call_arguments
        simulation.load({i: v for i, v in enumerate(values) if i not in called})
        return simulation.stream([[values[i] + k for i in called] for k in range(4)])

    flow, wavelet = streamed("flow"), streamed("wavelet")
    for one, other in zip(flow.outputs, wavelet.outputs, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    ends = [found.clocks.max(axis=1) for found in (flow, wavelet)]
    np.testing.assert_allclose(ends[0], ends[1], rtol=0.05, atol=20)


@pytest.fixture(scope="module")
def tower() -> wse_mlir.Compiled:
    return compiled(*load("tower"), regions=2, grid="4x2")


def test_long_streams_are_simulated_in_turns(
    tower: wse_mlir.Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never fewer inputs at a time than that, so that the report is about a steady state; inputs are arrays here."""
    monkeypatch.setattr(taking, "MOST_AT_A_TIME", 2)
    inputs = [np.full((3, 11), k, np.float32) for k in range(7)]
    outputs = list(tower.stream(iter(inputs)))
    assert len(outputs) == 7
    assert tower.report["stream"]["inputs"] == 3
    for one, given in zip(outputs, inputs, strict=True):
        np.testing.assert_array_equal(one, tower(given))
    assert list(tower.stream([])) == []


def test_what_goes_wrong_comes_behind_what_was_right(tower: wse_mlir.Compiled) -> None:
    good = torch.ones(3, 11)

    def broken() -> Iterator[torch.Tensor]:
        yield good
        yield good * 2
        raise RuntimeError("no more disk")

    def results(inputs: Any, match: str) -> list[torch.Tensor]:
        found = []
        with pytest.raises(CompilerError, match=match):
            found.extend(iter_into(found, tower.stream(inputs)))
        return found

    def iter_into(found: list[torch.Tensor], outputs: Iterator[torch.Tensor]) -> list[torch.Tensor]:
        for one in outputs:
            found.append(one)
        return []

    found = results(broken(), "ended with RuntimeError behind 2 of them: no more disk")
    assert [torch.equal(a, tower(b)) for a, b in zip(found, (good, good * 2), strict=True)] == [True, True]
    found = results([good, torch.ones(4, 11), good], r"(?s).*")
    assert len(found) == 1
    with pytest.raises(CompilerError) as raised:
        list(tower.stream([good, torch.ones(4, 11)]))
    assert "input 1 of a stream" in str(raised.value)
    assert torch.equal(next(iter(tower.stream(good for _ in range(3)))), tower(good))  # left in the middle
    assert torch.equal(tower(good), next(iter(tower.stream([good]))))


def test_elsewhere_inputs_are_called_one_after_another() -> None:
    model, args = load("state")
    made = compiled(model, args, target="cpu")
    inputs = [torch.randn_like(args[0]) for _ in range(3)]
    streamed = list(made.stream(inputs))
    made.reset()
    assert all(torch.equal(a, made(b)) for a, b in zip(streamed, inputs, strict=True))
    named = wse_mlir.compile(model, (), {"x": args[0]}, target="cpu", cache=False)
    assert [tuple(one.shape) for one in named.stream([{"x": x} for x in inputs])] == [(5, 9)] * 3


def test_a_state_that_travels_cannot_be_streamed() -> None:
    class Shared(nn.Module):
        """A state that two regions read."""

        total: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("total", torch.zeros(4, 6))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.exp(x * self.total)
            z = torch.tanh(torch.sin(y) + self.total)
            self.total.copy_(z)
            return z

    made = compiled(Shared().eval(), (torch.randn(4, 6),), regions=2, grid="4x2")
    x = torch.randn(4, 6)
    assert made(x).shape == (4, 6)
    with pytest.raises(CompilerError, match="'total' is changed by the model and does not stay on the PEs"):
        list(made.stream([x]))


def test_an_estimate_of_repetitions_tells_of_their_stream() -> None:
    model, args = load("tower")
    found = wse_mlir.estimate(
        model, args, target="tiny", regions=2, grid="6x3", repeat=5, critical_path=False
    )
    made = compiled(model, args, regions=2, grid="6x3")
    list(made.stream([args] * 5))
    assert found["stream"] == made.report["stream"]
    assert found["regions"] == made.report["regions"]


def test_run_streams_and_compares(tmp_path: Path) -> None:
    """`wse run --stream`: what is printed, and the same as JSON."""
    report = tmp_path / "report.json"
    asked = ["run", str(TOWER), "--regions", "2", "--grid", "4x2", "--stream", "4", "--json", str(report)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "4 inputs in a row" in done.output
    assert "results are those of single calls" in done.output
    found = json.loads(report.read_text())["wafer"]
    assert found["stream"]["same_as_calls"] is True
    assert len(found["stream"]["stages"]) == len(found["regions"]) == 2
    refused = CliRunner().invoke(app, ["run", str(TOWER), "--programs", "2", "--stream", "4"])
    assert refused.exit_code != 0
    assert "there are several" in refused.output
