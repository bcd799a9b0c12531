"""The scripts in examples/ do what their first lines say."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def test_progressive_lowering_prints_every_stage_down_to_llvm(commands: Path) -> None:
    done = subprocess.run(
        [ROOT / "examples" / "progressive_lowering.sh"],
        env={**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    titles = [line.split("=====")[1] for line in done.stdout.splitlines() if line.startswith("// =====")]
    assert [t.split(":")[0].strip() for t in titles] == [
        "linalg on tensors", "tiled", "bufferized", "loops", "branches", "llvm",
    ]  # fmt: skip
    last = done.stdout.rsplit(" =====\n", 1)[1]
    assert "llvm.func @matmul" in last and "llvm.fmul" in last
    for left_over in ("linalg.", "tensor<", "scf.", "memref.", "func.func", "unrealized"):
        assert left_over not in last


def test_the_issue_of_the_tiling_pipeline_from_file_and_stdin(commands: Path) -> None:
    pipeline = "builtin.module(func.func(wse-fuse),canonicalize,wse-tile{sizes=8,16,0},cse)"
    source = ROOT / "examples" / "matmul.mlir"
    runs = [
        subprocess.run(
            [commands / "wse-opt", *where, f"--pass-pipeline={pipeline}"],
            input=source.read_text() if not where else None,
            capture_output=True,
            text=True,
        )
        for where in ([source], [])
    ]
    assert all(run.returncode == 0 for run in runs), runs[0].stderr
    assert runs[0].stdout == runs[1].stdout
    assert "scf.for" in runs[0].stdout and "tensor<8x16xf32>" in runs[0].stdout


def test_digits_trained_through_torch_compile_become_a_program_that_classifies_scans(
    commands: Path, tmp_path: Path
) -> None:
    path = {**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
    example = ROOT / "examples" / "trained_digits.py"

    def run(*words: object, env: dict[str, str] = path) -> str:
        done = subprocess.run([*map(str, words)], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("wse", "compile", example, "-o", "classify", "--emit=executable")
    told = run(BIN / "python", example, "--scan", "0.npy")
    pixels, labels = load_digits_of(example)
    assert told.split()[-1] == str(int(labels[0]))
    right = 0
    for number, label in enumerate(labels[:20]):
        np.save(tmp_path / f"{number}.npy", pixels[number])
        printed = run(tmp_path / "classify", f"{number}.npy", "--print", env={})
        right += int(printed.split()[2]) == label  # "output0: int64[1] 7 ..."
    assert right >= 19  # the network is right on 98 of 100


def load_digits_of(example: Path) -> tuple[np.ndarray, np.ndarray]:
    """The scans that the example holds back, and what they are."""
    loaded = runpy.run_path(str(example))
    return loaded["scans"]().numpy(), loaded["digits"]()[3].numpy()


def printed_by(
    example: str, arguments: str, monkeypatch: pytest.MonkeyPatch, out: pytest.CaptureFixture[str]
) -> str:
    """What a script of examples/ writes."""
    path = ROOT / "examples" / example
    monkeypatch.syspath_prepend(str(path.parent))
    monkeypatch.setattr(sys, "argv", [example, *arguments.split()])
    runpy.run_path(str(path), run_name="__main__")
    return out.readouterr().out


def test_lenet_is_as_good_on_the_wafer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed_by("lenet.py", "--grid 4x2 --batches 3", monkeypatch, capsys).splitlines()
    in_pytorch, on_wafer = (
        int(re.fullmatch(r"\w+: (\d+) of 24 digits are right", line)[1]) for line in lines[:2]
    )
    assert in_pytorch == on_wafer >= 20
    assert sum(line.lstrip().startswith("features") for line in lines) == 6


def test_a_gpt_with_resident_keys_writes_what_pytorch_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = printed_by("gpt.py", "--grid 4x2 --length 12", monkeypatch, capsys)
    assert "PyTorch  monday tuesday wedne\nwafer    monday tuesday wedne\n" in told
    assert "'gpt.layers.0.attention.keys': (1, 4, 48, 8)" in told


def test_waves_spread_as_in_pytorch_with_a_loop_in_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = printed_by("waves.py", "--size 8x8x12 --steps 5 --grid 2x2", monkeypatch, capsys)
    difference = re.search(r"difference to PyTorch: (\S+)", told)
    assert difference is not None and float(difference[1]) < 1e-5
    assert re.search(r"aten\.conv3d #\d+-\d+ ", told), "steps are written out in time"
    assert "% of the roofline" in told
