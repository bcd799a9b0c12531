"""bench/cpu_ablation.py: that no pass is forgotten, and what it makes of figures and failures."""

import json
import re
from pathlib import Path
from typing import Any

import cpu_ablation
import pytest
from cpu_families import WITNESSES
from cpu_measure import ablation
from cpu_measure.ablation import KEPT, PROGRESS, STEPS, Ablation, measure_steps, without

from wse_mlir.pipelines.named import CPU


def _job(folder: Path, family: str = "mlp") -> Ablation:
    return Ablation(family, "tiny", 1, rounds=1, seconds=0.0, clock="cpu", folder=str(folder))


def test_every_pass_belongs_to_a_step_or_is_kept() -> None:
    named = {name for passes in STEPS.values() for name in passes}
    assert set(re.findall(r"wse-[\w-]+", CPU.text)) <= named | set(KEPT)
    assert not named & set(KEPT)
    for passes in STEPS.values():
        left = without(passes).text
        assert not any(re.search(rf"{name}(?![\w-])", left) for name in passes)
        assert "()" not in left and ",," not in left and ",)" not in left


def test_options_go_with_their_pass() -> None:
    assert "threads=2" in without((), 2).text
    shorter = without(("wse-vectorize", "wse-parallelize", "wse-tile-and-fuse"), 2).text
    assert "threads=2" not in shorter and "wse-form-kernels" in shorter


def test_an_unknown_pass_is_refused() -> None:
    with pytest.raises(ValueError, match="no pass 'wse-pack'"):
        without(("wse-pack",))


def test_only_steps_that_change_the_code_are_measured(monkeypatch: Any, tmp_path: Path) -> None:
    chosen = {
        "threads": ("wse-parallelize",),
        "weights packed": ("wse-pack-weights",),
        "packed once more": ("wse-pack-weights",),
        "needed": ("wse-bufferize",),
    }
    monkeypatch.setattr(ablation, "STEPS", chosen)
    found = measure_steps(_job(tmp_path))
    assert json.loads(json.dumps(found)) == found
    assert found["steps"]["threads"] == {"same": True}
    assert found["steps"]["weights packed"]["ratio"] > 0
    assert found["steps"]["packed once more"] == found["steps"]["weights packed"]
    assert "failed" in found["steps"]["needed"]


def test_a_step_that_ends_the_process_is_left_out_next_time(monkeypatch: Any, tmp_path: Path) -> None:
    asked = []

    def run(
        _script: Path, _work: str, options: dict[str, Any], folder: Path, _threads: int
    ) -> dict[str, Any]:
        asked.append(list(options["left_out"]))
        if "vectors" not in options["left_out"]:
            (folder / PROGRESS).write_text("vectors")
            return {"failure": "exit -11"}
        return {"ms": 1.0, "noise": 0.0, "steps": {}}

    monkeypatch.setattr(cpu_ablation, "in_own_process", run)
    row = cpu_ablation.measure(_job(tmp_path), tmp_path)
    assert asked == [[], ["vectors"]]
    assert row["steps"] == {"vectors": {"failed": "exit -11"}}


@pytest.mark.parametrize("step", WITNESSES)
def test_a_step_that_no_family_shows_changes_a_model(monkeypatch: Any, tmp_path: Path, step: str) -> None:
    monkeypatch.setattr(ablation, "STEPS", {step: STEPS[step]})
    found = measure_steps(_job(tmp_path, step))
    assert found["steps"][step]["ratio"] > 0


def test_small_and_noisy_differences_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    def row(noise: float, **ratios: Any) -> dict[str, Any]:
        steps: dict[str, Any] = {step: {"same": True} for step in STEPS}
        steps |= {step.replace("_", " "): {"ratio": ratio} for step, ratio in ratios.items()}
        return {"ms": 1.0, "noise": noise, "steps": steps}

    rows = {
        "quiet": row(0.0, vectors=4.0, Winograd=1.02, fusion=0.9),
        "noisy": row(0.2, vectors=1.3, fusion=1.6),
        "odd": {"failure": "exit 1"},
    }
    rows["noisy"]["steps"]["arena"] = {"failed": "TypeError"}
    first, sentence, _ = cpu_ablation.parts(rows)
    cpu_ablation.print_parts([first])
    table = capsys.readouterr().out
    assert re.search(r"vectors\s+│\s+2.00 │\s+1 │ quiet 4.00", table)
    assert re.search(r"fusion\s+│\s+1.20 │\s+2 │ noisy 1.60, quiet 0.90", table)
    assert re.search(r"arena\s+│\s+1.00 │\s+1 │ noisy fails", table)
    assert "Winograd" in str(sentence) and "Winograd" not in table
