"""The main job: three backends agree on held-back digits, and the report says where the cycles went."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def main_job(commands: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict]:
    out = tmp_path_factory.mktemp("run") / "main.json"
    command = [commands / "wse", "run", ROOT / "examples" / "digits.py", "--json", out]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(out.read_text())


def test_the_three_agree(main_job: tuple[str, dict]) -> None:
    _, data = main_job
    assert data["accuracy"]["eager"] > 0.95
    assert data["accuracy"]["eager"] == data["accuracy"]["cpu"] == data["accuracy"]["wafer"]
    assert data["predictions_identical"]
    assert data["max_relative_error"]["cpu"] <= 1e-4 and data["max_relative_error"]["wafer"] <= 1e-3


def test_layers_explain_the_cycles(main_job: tuple[str, dict]) -> None:
    text, data = main_job
    wafer = data["wafer"]
    layers = {row["layer"]: row for row in wafer["layers"]}
    assert set(layers) == {"hidden1", "norm", "hidden2", "output"}
    assert sum(row["cycles"] for row in layers.values()) == pytest.approx(wafer["cycles_of_a_call"]["device"])
    assert wafer["cycles"] >= wafer["cycles_of_a_call"]["makespan"]
    assert all(0 < row["utilisation"] <= 1 and row["pes"] > 0 and row["sram"] > 0 for row in layers.values())
    for name, row in layers.items():
        assert name in text and row["location"].startswith("digits.py:") and row["location"] in text


def test_cycles_are_the_same_every_time(main_job: tuple[str, dict], tmp_path: Path) -> None:
    """In a process that starts anew, and hashes otherwise."""
    command = [BIN / "wse", "run", ROOT / "examples" / "digits.py", "--json", "again.json"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (
        json.loads((tmp_path / "again.json").read_text())["wafer"]["cycles"] == main_job[1]["wafer"]["cycles"]
    )


def test_a_target_that_does_not_exist_leaves_no_file(commands: Path, tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(
        "import torch\ndef load():\n    return torch.nn.Linear(2, 2), (torch.ones(1, 2),)\n"
    )
    command = [commands / "wse", "run", "m.py", "--target", "tinny", "--json", "out.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "tinny" in done.stderr and "tiny" in done.stderr
    assert not (tmp_path / "out.json").exists()
