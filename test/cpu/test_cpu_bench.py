"""bench/cpu.py on models small enough for a test: what it reports, not how fast anything is."""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from cpu_families import FAMILIES
from cpu_measure.jobs import Job, run_case
from cpu_measure.machine import multiply_add_loop, reading_loop
from cpu_measure.report import print_report, ratio, write_markdown
from cpu_measure.roofline import work_of

BENCH = Path(__file__).parents[2] / "bench" / "cpu.py"


@pytest.fixture(autouse=True)
def _threads() -> Any:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_case_is_timed_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = run_case(Job("mlp", "tiny", 1, ["eager"], str(tmp_path), rounds=2, seconds=0.0, details=False))
    ours = row["contenders"]["wse_mlir"]
    assert ours["error"] <= 1e-4 and ours["samples"] >= 2 and "wrong" not in ours
    assert json.loads(json.dumps(row)) == row
    row |= {"family": "mlp", "size": "tiny", "threads": 1}
    assert ratio(row, "eager")
    print_report({"rows": [row], "machine": {}, "shapes": []})
    assert "mlp" in capsys.readouterr().out
    write_markdown({"rows": [row], "machine": {}, "shapes": []}, tmp_path / "out.md")
    text = (tmp_path / "out.md").read_text()
    assert "| mlp   | tiny |" in text and "**1 thread: how many times faster**" in text


def test_operations_and_bytes_are_counted() -> None:
    work = work_of(FAMILIES["matmul"].case("tiny"))
    assert work.flops == 2 * 13 * 19 * 21
    assert work.bytes == 4 * (13 * 19 + 19 * 21 + 13 * 21)


def test_the_loops_that_measure_the_machine_run() -> None:
    for run, amount in (multiply_add_loop(), reading_loop(1 << 20)):
        run()
        assert amount > 0


def test_unknown_families_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["cpu.py", "--families", "resnet"])
    with pytest.raises(SystemExit):
        runpy.run_path(str(BENCH), run_name="__main__")
    assert "'resnet' is none of matmul" in capsys.readouterr().err
