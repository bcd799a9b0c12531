"""Models in regions: one program on disjoint strips of the wafer, with the results of a single one."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from region_models import FAMILIES, load
from torch import nn

import wse_mlir
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.runtime.wafer.regions.equal_regions import EqualRegions
from wse_mlir.wse_target.analysis.deadlock import verdict
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.instructions import Receive, Send, all_instructions
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim import Simulation

TINY = load_machine("tiny")


def compiled(family: str, **options: Any) -> tuple[wse_mlir.Compiled, nn.Module, tuple[torch.Tensor, ...]]:
    model, args = load(family)
    return wse_mlir.compile(copy.deepcopy(model), args, target="tiny", cache=False, **options), model, args


def image_of(made: wse_mlir.Compiled) -> Program:
    return made._executable.program.image  # type: ignore[attr-defined]


def streams(program: Program) -> list[Send | Receive]:
    """Transfers between regions."""
    everything = (op for c in program.classes for op in all_instructions(c.body))
    return [op for op in everything if isinstance(op, (Send, Receive)) and op.colour.startswith("stream_")]


@pytest.mark.parametrize("family", FAMILIES)
def test_regions_give_the_results_of_the_model(family: str) -> None:
    made, model, args = compiled(family, regions=2, grid="6x3")
    for _ in range(2):  # a state goes on
        got, expected = made(*args), model(*args)
        for one, other in zip(
            *((x,) if isinstance(x, torch.Tensor) else x for x in (got, expected)), strict=True
        ):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    assert made.report["deadlock"] == "free"
    assert made.report["grid"] == [6, 3]
    assert streams(image_of(made))


def test_values_go_through_the_regions_between() -> None:
    """Three regions: what the last one reads of the first comes through the second, and the host has no part in it."""
    made, model, args = compiled("residual", regions=3)
    for one, other in zip(made(*args), model(*args), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    program = image_of(made)
    assert {op.colour for op in streams(program)} == {"stream_0", "stream_1"}
    assert {t.tensor for t in program.gathers} == {0, 1}
    assert len({program.colours["stream_0"], program.colours["stream_1"]}) == 2


@pytest.mark.parametrize("family", ["residual", "images"])
def test_both_engines_agree(family: str) -> None:
    made, _, _ = compiled(family, regions=2, grid="5x3")
    program = image_of(made)
    arguments = [spec.on_host for spec in program.arguments]
    values = [
        np.random.default_rng(k).normal(size=shape).astype(np.float32) for k, shape in enumerate(arguments)
    ]

    def outputs(engine: Any) -> list[np.ndarray]:
        simulation = Simulation(program, TINY, engine=engine)
        called = simulation.call_arguments
        simulation.load({i: v for i, v in enumerate(values) if i not in called})
        return simulation.call([values[i] for i in called]).outputs

    for one, other in zip(outputs("flow"), outputs("wavelet"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_streams_bite() -> None:
    """Without one of the transfers between regions the program does not come to its end, and that is known before."""
    made, _, _ = compiled("residual", regions=2, grid="5x3")
    program = image_of(made)
    assert verdict(program, TINY).outcome == "free"
    for dropped in streams(program):
        classes = tuple(
            replace(c, body=tuple(op for op in c.body if op is not dropped)) for c in program.classes
        )
        assert verdict(replace(program, classes=classes), TINY).outcome == "deadlocks"


def test_a_saved_program_has_its_regions(tmp_path: Any) -> None:
    made, _, args = compiled("tower", regions=2, grid="6x3")
    made.save(tmp_path / "model.wse")
    again = wse_mlir.load(tmp_path / "model.wse")
    assert torch.equal(again(*args), made(*args))
    assert again.report["cycles"] == made.report["cycles"]
    assert [phase["name"] for phase in again.report["phases"]] == [p["name"] for p in made.report["phases"]]
    assert [phase["location"] for phase in again.report["phases"]] == [
        p["location"] for p in made.report["phases"]
    ]


def test_what_regions_cannot_be() -> None:
    model, args = load("tower")

    def refused(match: str, **options: Any) -> None:
        with pytest.raises(CompilerError, match=match):
            wse_mlir.compile(model, args, target="tiny", cache=False, **options)

    refused("regions is 'many', and has to be a number", regions="many")
    refused("objective is 'speed', and has to be 'latency' or 'throughput'", objective="speed")
    refused("regions are parts of one program", objective="throughput", programs=2)
    refused("regions are parts of one program", regions=2, programs=2)
    refused("'origin' says nothing", regions=2, origin=(1, 0))
    refused("3 regions have no room side by side on a grid of 2x4", regions=3, grid="2x4")


def test_equal_regions_are_lowered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four equal layers: the first, the last and those between; each says where in the model it is."""
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Sequential(nn.Linear(8, 8), nn.Tanh()) for _ in range(5))).eval()
    x = torch.randn(6, 8)
    counts = list[int]()
    original = EqualRegions.lower

    def counted(self: EqualRegions, module: Any, **given: str) -> Any:
        found = original(self, module, **given)
        counts.append(self.count)
        return found

    monkeypatch.setattr(EqualRegions, "lower", counted)
    made = wse_mlir.compile(model, (x,), target="tiny", regions=5, grid="5x3", cache=False)
    assert counts == [1, 2, 2, 2, 3]
    torch.testing.assert_close(made(x), model(x), atol=1e-5, rtol=1e-5)
    layers = {phase["module_path"].split(".")[0] for phase in made.report["phases"] if phase["module_path"]}
    assert layers == {"0", "1", "2", "3", "4"}
    places = [p["name"] for p in made.report["phases"] if p["name"].startswith("region")]
    assert {f"region {k}: stream_in" for k in range(1, 5)} <= set(places)


def test_strips_are_within_the_machine() -> None:
    """Where no grid is asked for, regions share the machine's columns: the widest is no wider than its share."""
    made, model, args = compiled("attention", regions=3)
    torch.testing.assert_close(made(*args), model(*args), atol=1e-5, rtol=1e-5)
    regions = made.report["regions"]
    assert len(regions) == 3
    ends = [first + count for first, count in (region["columns"] for region in regions)]
    assert [region["columns"][0] for region in regions] == [0, *ends[:-1]]
    assert ends[-1] <= TINY.grid[0]
    assert len({region["rows"] for region in regions}) == 1


def test_throughput_decides_how_many_regions() -> None:
    """On the same PEs, as many as plans promise the shortest interval for; runs bear them out."""
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Sequential(nn.Linear(8, 8), nn.Tanh()) for _ in range(4))).eval()
    x = torch.randn(6, 8)
    made = wse_mlir.compile(model, (x,), target="tiny", objective="throughput", grid="8x3", cache=False)
    torch.testing.assert_close(made(x), model(x), atol=1e-5, rtol=1e-5)
    tried = {int(one["regions"]): one["interval"] for one in made.report["regions_tried"]}
    chosen = len(made.report["regions"])
    assert chosen == 4
    assert tried[chosen] == min(tried.values())

    def interval(regions: int | str) -> float:
        found = wse_mlir.estimate(
            model, (x,), target="tiny", regions=regions, grid="8x3", repeat=6, critical_path=False
        )
        return found["stream"]["device_interval"]

    simulated = {regions: interval(regions) for regions in (1, 2, 4)}
    assert min(simulated, key=lambda regions: simulated[regions]) == chosen
    for regions, cycles in simulated.items():
        assert cycles == pytest.approx(tried[regions], rel=0.15)
