"""`wse show` and `wse targets` print what people want to read."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def wse(commands: Path) -> Run:
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([commands / "wse", *arguments], capture_output=True, text=True)

    return run


def test_a_program_is_listed_with_buffers_routes_and_classes(wse: Run) -> None:
    done = wse("show", ROOT / "examples" / "digits.py")
    assert done.returncode == 0, done.stderr
    for part in (
        "on tiny",
        "buffers",
        "colours",
        "parameter_hidden1.weight: tensor<96x64xf32>",
        "class @",
        "fma",
    ):
        assert part in done.stdout


def test_a_plan_is_listed_by_operation(wse: Run) -> None:
    done = wse("show", ROOT / "examples" / "digits.py", "--plan")
    assert done.returncode == 0, done.stderr
    first, *_ = done.stdout.splitlines()
    assert first.startswith("tiny: ") and "bytes of data a PE; other grids: " in first
    for part in (
        "hidden1 (digits.py:",
        "aten.layer_norm",
        "[x:8/8, y:8/12]",
        "combined along",
    ):
        assert part in done.stdout
    assert wse("show", ROOT / "examples" / "digits.py", "--plan", "--target", "cpu").returncode == 1


def test_the_grid_may_be_given(wse: Run) -> None:
    done = wse("show", ROOT / "examples" / "digits.py", "--plan", "--grid", "3x2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tiny: 3 x 2 PEs, ")
    narrow = wse("show", ROOT / "examples" / "digits.py", "--plan", "--grid", "1x4")
    assert narrow.returncode == 0 and "on every PE alike" in narrow.stdout
    wrong = wse("show", ROOT / "examples" / "digits.py", "--grid", "30x2")
    assert wrong.returncode == 1 and "30x2" in wrong.stderr


def test_targets_are_listed_with_their_size(wse: Run) -> None:
    done = wse("targets")
    assert done.returncode == 0, done.stderr
    for part in ("cpu", "tiny", "8 x 8", "wse2", "wse3", "48 KiB"):
        assert part in done.stdout


def test_help_names_every_command(wse: Run) -> None:
    done = wse("--help")
    assert done.returncode == 0
    for command in ("run", "verify", "show", "targets"):
        assert command in done.stdout
