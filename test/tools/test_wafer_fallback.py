"""`--fallback=cpu` on the commands that compile for a wafer."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import wse_mlir
from wse_mlir.tools.wse import app

MODEL = """
import torch
from torch import nn


def doubled(y, times):
    turn = lambda k, y: (k - 1, y + y)
    return torch._higher_order_ops.while_loop(lambda k, y: k > 0, turn, (times, y))[1]


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(8, 6), nn.Linear(8, 6)

    def forward(self, x, i):
        return torch.softmax(self.left(x), -1) * doubled(torch.sin(self.right(x)), i)


def load():
    torch.manual_seed(0)
    return Branches().eval(), (torch.randn(5, 4, 8), torch.tensor(1))
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "branches.py"
    path.write_text(MODEL)
    return path


def wse(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_run_tells_parts_and_transfers(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    told = " ".join(wse("run", model, "--grid", "2x2", "--fallback=cpu", "--json", out).split())
    for said in (
        "cpu_1: branches.py:8: 'scf.while' has no lowering to the wafer yet",
        "480 bytes (1 tensor) to the CPU, 480 bytes (1 tensor) to the wafer",
        "which no cycles count",
        "The wafer runs 2 programs in turn, which are loaded at each call",
    ):
        assert said in told
    data = json.loads(out.read_text())
    assert data["max_relative_error"]["wafer"] <= 1e-3
    assert [part["on"] for part in data["wafer"]["parts"]] == ["wafer", "cpu", "wafer"]
    assert {row["layer"] for row in data["wafer"]["layers"]} >= {"left", "right"}


def test_show_lists_every_program(model: Path) -> None:
    told = wse("show", model, "--grid", "2x2", "--fallback=cpu")
    assert told.count("program @program on tiny") == 2 and "// wafer_0" in told and "// wafer_2" in told
    plan = wse("show", model, "--grid", "2x2", "--fallback=cpu", "--plan")
    assert "tiny, wafer_0: 2 x 2 PEs" in plan and "tiny, wafer_2: 2 x 2 PEs" in plan
    assert all("Between the wafer and the CPU at each call: 480 bytes" in text for text in (told, plan))


def test_compile_writes_parts_at_a_stage_and_saves_them(model: Path, tmp_path: Path) -> None:
    given = ("--target", "tiny", "--fallback=cpu")
    text = wse("compile", model, *given, "-o", "-", "--emit", "mlir", "--stage", "logical")
    parts = text.split("// -----\n")
    assert [part.splitlines()[0] for part in parts] == ["// wafer_0", "// cpu_1", "// wafer_2"]
    assert "wse.scatter" in parts[0] and "wse." not in parts[1].replace("wse.kind", "").replace(
        "wse.name", ""
    )
    kept, saved = tmp_path / "kept", tmp_path / "model.wse"
    wse("compile", model, *given, "-o", saved, "--emit", "saved", "--keep-intermediates", kept)
    assert "wafer_0" in {path.name for path in kept.iterdir()}
    assert "2 states" not in repr(wse_mlir.load(saved, trusted=True))


def test_what_does_not_take_it(model: Path, tmp_path: Path) -> None:
    for arguments, said in (
        (
            ("compile", model, "-o", tmp_path / "x.mlir", "--fallback=cpu"),
            "target 'cpu' has no option 'fallback'",
        ),
        (("show", model, "--fallback=gpu"), "fallback is 'gpu', and the only one that there is is 'cpu'"),
        (("show", model), "fallback='cpu' what has no lowering to the wafer"),
    ):
        done = CliRunner().invoke(app, [str(a) for a in arguments])
        assert done.exit_code == 1 and said in " ".join(done.output.split())
