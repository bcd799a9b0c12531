"""`wse compare`: rows, verdicts, and what a user can get wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from wse_mlir.compare.live_bytes import peak_temporaries
from wse_mlir.compare.targets import choose_targets
from wse_mlir.compiler.compiled import Compiled
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.tools.wse import app

MLP = """
import torch
def load():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    return model, (torch.randn(4, 8),)
class Wide(torch.nn.Module):
    def forward(self, x):
        return x.softmax(1)
def wide():
    return Wide(), (torch.randn(2000, 1000),)
def fails():
    return torch.nn.Linear(4, 4), (torch.zeros(2, 3),)
"""


@pytest.fixture
def workload(tmp_path: Path) -> str:
    file = tmp_path / "mlp.py"
    file.write_text(MLP)
    return str(file)


def wse(*words: str) -> Any:
    return CliRunner().invoke(app, ["compare", *words])


def test_a_row_for_each_target(workload: str, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    result = wse(workload, "--targets", "eager,cpu,cpu{cpu=x86-64},tiny{grid=2x2}", "--json", str(out))
    assert result.exit_code == 0, result.output
    rows = {row["target"]: row for row in json.loads(out.read_text())}
    assert list(rows) == ["eager", "cpu", "cpu{cpu=x86-64}", "tiny{grid=2x2}"]
    assert all(row["matches"] and row["seconds"] > 0 for row in rows.values())
    assert rows["eager"]["errors"] == [0.0] and rows["eager"]["passes"] == []
    parameters = 4 * (8 * 16 + 16 + 16 * 4 + 4)
    assert (
        rows["eager"]["memory_bytes"]["parameters"] == rows["cpu"]["memory_bytes"]["parameters"] == parameters
    )
    assert rows["tiny{grid=2x2}"]["memory_bytes"]["pes"] == 4
    assert rows["tiny{grid=2x2}"]["cycles"]["makespan"] > 0 and rows["cpu"]["cycles"] == {}
    fuse = next(p for p in rows["cpu"]["passes"] if p["pass"] == "wse-fuse")
    assert fuse["changed"] and fuse["after"]["traffic"] < fuse["before"]["traffic"]
    for text in ("wse-fuse", "wse-emit-programs", "matches", "PEs"):
        assert text in result.output


def test_a_target_that_does_not_hold_the_model_is_part_of_the_answer(workload: str) -> None:
    result = wse(f"{workload}:wide", "--targets", "eager,cpu,tiny")
    assert result.exit_code == 0, result.output
    assert "does not run" in result.output
    assert "tiny does not run the model:" in result.output and "mlp.py" in result.output


def test_numbers_that_differ_are_told(workload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Compiled.__call__
    monkeypatch.setattr(Compiled, "__call__", lambda self, *args: original(self, *args) + 0.01)
    result = wse(workload, "--targets", "eager,cpu")
    assert result.exit_code == 1
    assert "DIFFERS" in result.output


def test_without_a_model_of_pytorch_the_first_target_is_the_reference() -> None:
    result = wse("examples/matmul.mlir", "--targets", "cpu,tiny")
    assert result.exit_code == 0, result.output
    result = wse("examples/matmul.mlir", "--targets", "eager,cpu")
    assert result.exit_code == 1
    assert "nothing to run eagerly" in result.output + result.stderr


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ("", "no target"),
        ("gpu", "no target is named 'gpu'"),
        ("eager,,cpu", "cannot read ',cpu'"),
        ("cpu,cpu", "given twice"),
        ("cpu{speed=9}", "no option 'speed'"),
        ("eager{grid=2x2}", "has no options"),
        ("tiny{grid=2x2", "cannot read"),
    ],
)
def test_lists_of_targets_that_are_wrong(targets: str, expected: str) -> None:
    with pytest.raises(CompilerError, match=expected):
        choose_targets(targets)


def test_options_have_the_types_that_compile_takes() -> None:
    (cpu, tiny) = choose_targets("cpu{debug=false num_threads=1 cpu=x86-64},tiny{grid=4x4 origin=2,1}")
    assert cpu.options == {"debug": False, "num_threads": 1, "cpu": "x86-64"}
    assert tiny.options == {"grid": "4x4", "origin": "2,1"}


def test_models_that_fail_and_files_that_cannot_be_written(workload: str, tmp_path: Path) -> None:
    failing = wse(f"{workload}:fails")
    assert failing.exit_code == 1 and "fails in PyTorch already" in failing.output + failing.stderr
    unwritable = wse(workload, "--json", str(tmp_path / "nowhere" / "rows.json"))
    assert unwritable.exit_code == 1 and "there is no folder" in unwritable.output + unwritable.stderr


def test_peak_of_temporaries_counts_what_is_alive_together() -> None:
    class Model(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x + 1  # 400 bytes, alive until z is there
            z = y * 2  # another 400
            del y
            return z.view(10, 10).sum(0)  # 40 bytes; a view is no memory

    assert peak_temporaries(Model(), (torch.zeros(100),)) == 800


def test_loops_as_operators_are_compared_without_their_temporaries(tmp_path: Path) -> None:
    path = tmp_path / "loop.py"
    path.write_text(
        "import torch\n"
        "def halved(x):\n"
        "    loop = torch._higher_order_ops.while_loop\n"
        "    start = torch.tensor(0), x\n"
        "    return loop(lambda k, y: y.max() > 1, lambda k, y: (k + 1, y * 0.5), start)[1]\n"
        "def load():\n"
        "    return halved, (torch.full((4,), 10.0),)\n"
    )
    done = wse(str(path), "--targets", "eager,cpu,tiny{fallback=cpu}")
    assert done.exit_code == 0, done.output
    assert done.output.count("matches") == 3
