"""Machines with other numbers: as an object, as text, by --set, in comparisons and saved models: the same machine."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import wse_mlir
from wse_mlir.compare.targets import choose_targets
from wse_mlir.compiler.targets import target_with
from wse_mlir.tools.errors import TraceOption, one_message
from wse_mlir.tools.wse import app
from wse_mlir.wse_target.machine import machine_from

PRODUCT = """
func.func @product(%a: tensor<16x8xf32>, %b: tensor<8x16xf32>) -> tensor<16x16xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<16x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<16x16xf32>) -> tensor<16x16xf32>
  %c = linalg.matmul ins(%a, %b : tensor<16x8xf32>, tensor<8x16xf32>)
      outs(%init : tensor<16x16xf32>) -> tensor<16x16xf32>
  return %c : tensor<16x16xf32>
}
"""
FAR = ("--set", "fabric.hop_latency=50", "--set", "fabric.turn_latency=1")


def test_one_machine_whichever_way_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "product.mlir").write_text(PRODUCT)
    path = str(tmp_path / "product.mlir")
    tiny = wse_mlir.load_machine("tiny")
    far = tiny.replace(fabric__hop_latency=50, fabric__turn_latency=1)
    own = machine_from(dict(far.contents))  # from no file, known in this process alone
    text = "tiny{fabric.hop_latency=50 fabric.turn_latency=1}"
    near = wse_mlir.estimate(path, target=tiny, grid="4x4", algorithm="mesh_gemm")["cycles"]
    assert near == wse_mlir.estimate(path, target="tiny", grid="4x4", algorithm="mesh_gemm")["cycles"]
    found = [
        wse_mlir.estimate(path, target=t, grid="4x4", algorithm="mesh_gemm")["cycles"]
        for t in (far, own, text)
    ]
    assert found[0] == found[1] == found[2] and found[0]["device"] > near["device"] + 40
    done = CliRunner().invoke(
        app,
        ["simulate", path, "--grid", "4x4", "--algorithm", "mesh_gemm", *FAR, "--timing-only", "--json", "-"],
        catch_exceptions=False,
    )
    assert done.exit_code == 0 and json.loads(done.stdout)["cycles"] == found[0]
    assert target_with("tiny", FAR[1::2]) == text


def test_compiled_saved_and_compared(tmp_path: Path) -> None:
    model, x = nn.Linear(8, 4).eval().requires_grad_(False), torch.ones(4, 8)
    machine = wse_mlir.load_machine("tiny").replace(fabric__hop_latency=50)
    for target in (machine, machine_from(dict(machine.contents))):
        compiled = wse_mlir.compile(model, (x,), target=target, grid="2x2")
        assert torch.allclose(compiled(x), model(x), atol=1e-5)
        compiled.save(tmp_path / "model.wse")
        loaded = wse_mlir.load(tmp_path / "model.wse")
        loaded(x)
        assert loaded.report["cycles"] == compiled.report["cycles"]
    chosen = choose_targets("tiny{grid=2x2 fabric.hop_latency=50},tiny{grid=2x2}")
    assert [c.target.identity({}).startswith("tiny{fabric.hop_latency=50}") for c in chosen if c.target] == [
        True,
        False,
    ]


@pytest.mark.parametrize("command", ["run", "show", "simulate"])
def test_commands_for_wafers_refuse_the_cpu(command: str, tmp_path: Path) -> None:
    (tmp_path / "product.mlir").write_text(PRODUCT)
    done = CliRunner().invoke(app, [command, str(tmp_path / "product.mlir"), "--target", "cpu"])
    assert done.exit_code == 1 and done.stderr.startswith("error: 'cpu' is not a wafer\n  hint: give tiny")


def test_what_memory_does_not_hold_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), one_message(TraceOption()):
        raise MemoryError("Unable to allocate 46.6 TiB")
    assert capsys.readouterr().err == "error: memory has run out: Unable to allocate 46.6 TiB\n"


@pytest.mark.parametrize("command", ["run", "verify", "show", "simulate", "compile"])
def test_a_setting_that_is_none_ends_every_command_with_one_message(command: str, tmp_path: Path) -> None:
    (tmp_path / "product.mlir").write_text(PRODUCT)
    given = [command, str(tmp_path / "product.mlir"), *(("-o", "-") if command == "compile" else ())]
    for setting, target, words in (
        ("fabric.hop_latncy=4", "tiny", "did you mean 'fabric.hop_latency'?"),
        ("fabric.hop_latency=far", "tiny", 'expected a number, got "far"'),
        ("fabric.hop_latency", "tiny", "write KEY=VALUE"),
        ("fabric.hop_latency=4", "cpu", "is no wafer"),
        ("fabric.hop_latency=4", "tinny", "did you mean 'tiny'?"),
    ):
        done = CliRunner().invoke(app, [*given, "--target", target, "--set", setting])
        assert done.exit_code == 1 and words in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) <= 3 and done.stdout == ""
