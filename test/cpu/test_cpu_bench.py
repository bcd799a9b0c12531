"""bench/cpu.py on models small enough for a test: what it reports, not how fast anything is."""

import json
import runpy
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from cpu_families import FAMILIES, Case
from cpu_measure.contender import as_tuple
from cpu_measure.jobs import Job, run_case
from cpu_measure.machine import multiply_add_loop, reading_loop
from cpu_measure.report import print_report, ratio, write_markdown
from cpu_measure.roofline import Work, work_of
from torch import nn

BENCH = Path(__file__).parents[2] / "bench" / "cpu.py"


@pytest.fixture(autouse=True)
def _threads() -> Any:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_case_is_timed_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = run_case(
        Job("mlp", "tiny", 1, ["eager"], str(tmp_path), rounds=2, seconds=0.0, details=False, roofline=True)
    )
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
    assert work == Work(2 * 13 * 19 * 21, 4 * 19 * 21, 4 * (13 * 19 + 13 * 21))


def test_a_cache_is_read_whole_and_written_by_rows() -> None:
    """One token of a decoder: tables are read by rows, and all but the new rows of the caches stay as they are."""
    family = FAMILIES["gpt-token"]
    case = family.case("tiny")
    parameters = dict(case.model.named_parameters())
    tables = [name for name in parameters if name.endswith(("token.weight", "place.weight"))]
    caches = {name: tensor for name, tensor in case.model.named_buffers() if tensor.dim() == 4}
    width = next(tensor for name, tensor in parameters.items() if name in tables).shape[1]
    work = work_of(case)
    assert work.parameter_bytes == 4 * sum(t.numel() for n, t in parameters.items() if n not in tables)
    read = sum(cache.numel() for cache in caches.values())
    written = sum(cache[:, :, 0].numel() for cache in caches.values())
    outputs = 4 * sum(output.numel() for output in as_tuple(case.model(*case.args)))
    inputs = sum(tensor.nbytes for tensor in case.args)
    assert work.call_bytes == inputs + outputs + 4 * (read + written + len(tables) * width)


def test_padding_and_empty_tensors_are_no_work() -> None:
    image = nn.Conv2d(2, 3, 3, padding=1, bias=False).eval().requires_grad_(False)
    work = work_of(Case(image, (torch.zeros(1, 2, 1, 1),)))
    assert work == Work(2 * 2 * 3, 4 * 2 * 3, 4 * (2 + 3))
    assert work_of(FAMILIES["mlp"].case("tiny", batch=0)).flops == 0


def test_the_roofline_is_the_longer_of_operations_and_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    machine = {"cpu": "a CPU", "llvm_cpu": "x", "peak_gflops": 100.0}
    machine |= {"read_gb_s": {"l2": 200.0, "l3": 100.0, "memory": 20.0}}
    busy, wide = Work(10**9, 10**5, 10**5), Work(10**6, 4 * 10**7, 0)
    assert busy.level == "l2" and busy.seconds(machine) == pytest.approx(1e-2)
    assert wide.level == "memory" and wide.seconds(machine) == pytest.approx(2e-3)
    row = {"family": "mlp", "size": "large", "threads": 1, "work": asdict(wide)}
    row["contenders"] = {"wse_mlir": {"median_ms": 4.0}}
    two = {**row, "threads": 2}
    print_report({"rows": [row, two], "machine": machine, "shapes": []})
    printed = " ".join(capsys.readouterr().out.split())
    assert "the roofline of one core" in printed and printed.count("50%") == 1


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
