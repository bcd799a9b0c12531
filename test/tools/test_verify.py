"""`wse verify`: a line a stage, the pass at fault, a file that replays it."""

import json
import subprocess
from pathlib import Path

import pytest

from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.tools.verify import Settings, replay_file, verify_model
from wse_mlir.verify.verify import CPU_STAGES, WAFER_STAGES

WORKLOAD = """
import torch
def load():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.ReLU()).eval(), (torch.randn(3, 8),)
"""


def test_the_command_prints_stages_and_writes_json(commands: Path, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(WORKLOAD)
    done = subprocess.run(
        [commands / "wse", "verify", "model.py", "--json", "out.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every stage matches PyTorch" in done.stdout
    report = json.loads((tmp_path / "out.json").read_text())
    names = [s["stage"] for s in report["stages"]]
    assert names == [*CPU_STAGES, *WAFER_STAGES]
    assert all(s["matches"] and max(s["errors"]) < 1e-4 for s in report["stages"]) and report["faults"] == []
    assert not list(tmp_path.glob("wse-reproducer*"))


def test_a_model_without_pytorch_is_compared_with_its_import(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = """func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = math.exp %a : tensor<4xf32>
  return %0 : tensor<4xf32>
}
"""
    (tmp_path / "exp.mlir").write_text(text)
    assert verify_model(str(tmp_path / "exp.mlir"), Settings(target="cpu"))
    assert "every stage matches the imported model" in capsys.readouterr().out


def test_an_unknown_target_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(WORKLOAD)
    with pytest.raises(CompilerError, match="no target is named 'wse4'"):
        verify_model(str(tmp_path / "model.py"), Settings(target="wse4"))


def test_mistakes_on_the_command_line_get_one_message(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(WORKLOAD)
    with pytest.raises(CompilerError, match="no model is given"):
        verify_model("", Settings())
    with pytest.raises(CompilerError, match="there is no folder"):
        verify_model(str(tmp_path / "model.py"), Settings(reproducer=tmp_path / "none"))
    (tmp_path / "plain.mlir").write_text("module {}\n")
    with pytest.raises(CompilerError, match="holds no reproducer"):
        replay_file(tmp_path / "plain.mlir")
    (tmp_path / "plain.mlir").write_bytes(b"module {\xff}")
    with pytest.raises(CompilerError, match=r"plain\.mlir: this is not text: byte 8 is not UTF-8"):
        replay_file(tmp_path / "plain.mlir")


def test_operations_are_listed_worst_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = """func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = math.tanh %a : tensor<4xf32>
  %1 = arith.addf %0, %0 : tensor<4xf32>
  return %1 : tensor<4xf32>
}
"""
    (tmp_path / "two.mlir").write_text(text)
    out = tmp_path / "out.json"
    settings = Settings(target="cpu", operations=1, json=out, reproducer=tmp_path)
    assert verify_model(str(tmp_path / "two.mlir"), settings)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].split()[-2:] == ["source", "line"] and lines[-1].split()[1] in ("imported", "tensor")
    listed = json.loads(out.read_text())["operations"]
    assert {o["operation"] for o in listed if o["level"] == "imported"} == {"math.tanh", "arith.addf"}
    assert [s["stage"] for s in listed[0]["stages"]] == ["imported", "tensor", "bufferized", "llvm"]
