"""The tool `wse-reduce`: what it leaves behind, and one message for every mistake."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wse_mlir.tools.wse_reduce import app

PLUGIN = Path(__file__).resolve().parents[1] / "lit" / "tools" / "Inputs" / "planted_bugs.py"
TWO = """
func.func @f(%x: f32) -> f32 {
  %0 = math.exp %x : f32
  %1 = math.sqrt %0 : f32
  return %1 : f32
}
"""
ONE = "module {\n  func.func @f(%arg0: f32) {\n    %0 = math.sqrt %arg0 : f32\n    return\n  }\n}\n"

# Arguments, and what the message says.
MISTAKES = [
    (
        ["--test=sh -c 'echo first >&2; echo last words >&2; exit 3'"],
        "the input is not interesting: the command exits with code 3: .*\n"
        "  note: standard error ends in: last words\n  hint: it has to exit with 0",
    ),
    (["--test=sh -c 'kill -SEGV $$'"], "the input is not interesting: the command is ended by SIGSEGV: "),
    (["--test=./two.mlir"], "'./two.mlir' is not executable\n  hint: chmod [+]x ./two.mlir"),
    (['--test="'], '": the command cannot be split into words: No closing quotation'),
    (["--test="], "the command is empty"),
    (
        ["--test=sh -c 'sleep 60'", "--timeout=0.2"],
        "the command does not end within 0.2 s: .*\n  hint: --timeout SECONDS gives it more",
    ),
    (["--test=true", "--pipeline=cpu"], "--test and --pipeline exclude each other"),
    (["--test=true", "--message=x"], "--message belongs to a pipeline's failure"),
    (["--test=true", "-o", "nowhere/out.mlir"], "cannot write 'nowhere/out.mlir': there is no folder"),
    (["--test=true", "-o", "./two.mlir"], "-o names the input, which is never changed"),
    (["--test=true", "--load=nowhere.py"], "cannot load plugin 'nowhere.py': no such file"),
    (["--pass-pipeline=builtin.module(cse)"], "the input is not interesting: the pipeline succeeds\n$"),
    (["--pass-pipeline=builtin.module(csee)"], "pass pipeline:1:16: no pass is named 'csee'"),
    (["--pipeline=elephant"], "no pipeline is named 'elephant'"),
    (
        ["--pass-pipeline=builtin.module(wse-check-stage{stage=llvm})", "--message=elephant"],
        "the input is not interesting: the pipeline fails in pass 'wse-check-stage': .*, not with 'elephant'\n"
        "  hint: --message is a part of what the failing pass says",
    ),
    (
        [
            f"--load={PLUGIN}",
            "--pass-pipeline=builtin.module(planted-bug{how=hang operation=math.sqrt})",
            "--timeout=0.3",
        ],
        "the input is not interesting: the pipeline does not end in pass 'planted-bug'\n  hint: --timeout SECONDS",
    ),
]


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "two.mlir"
    path.write_text(TWO)
    return path


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=lambda value: str(value)[:40])
def test_every_mistake_gets_one_message(arguments: list[str], message: str, two: Path) -> None:
    result = CliRunner().invoke(
        app, [str(two), *(["-o", "out.mlir"] if "-o" not in arguments else []), *arguments]
    )
    assert result.exit_code == 1
    assert re.match(f"error: {message}", result.stderr), result.stderr
    assert result.stderr.count("error: ") == 1 and "Traceback" not in result.stderr
    assert sorted(path.name for path in two.parent.iterdir()) == ["two.mlir"]


def test_the_input_stays_and_the_output_is_whole(two: Path) -> None:
    result = CliRunner().invoke(app, [str(two), "--test", "grep -q math.sqrt", "-o", "out.mlir"])
    assert result.exit_code == 0, result.stderr
    assert two.read_text() == TWO
    assert Path("out.mlir").read_text() == ONE
    assert sorted(path.name for path in two.parent.iterdir()) == ["out.mlir", "two.mlir"]


def test_a_script_of_ones_own(two: Path) -> None:
    script = two.parent / "has root"
    script.write_text('#!/bin/sh\ngrep -q math.sqrt "$2" && test "$1" = first\n')
    script.chmod(0o755)
    result = CliRunner().invoke(app, [str(two), "--test", "'./has root' first"])
    assert result.exit_code == 0 and result.stdout == ONE
    result = CliRunner().invoke(app, [str(two), "--test", "'has root' first"])
    assert result.exit_code == 1 and "hint: for the file here: ./'has root'" in result.stderr
    script.write_bytes(b"\x7f" + script.read_bytes())
    result = CliRunner().invoke(app, [str(two), "--test", "'./has root' first"])
    assert result.exit_code == 1 and "cannot be executed" in result.stderr


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_reduction_leaves_the_best_so_far(by: signal.Signals, two: Path) -> None:
    """The command is quick until one operation is gone, then the user loses patience."""
    script = two.parent / "slow.sh"
    script.write_text(
        "#!/bin/sh\ngrep -q math.sqrt $1 || exit 1\ngrep -q math.cos $1 && exit 0\ntouch waiting\nsleep 60\n"
    )
    script.chmod(0o755)
    many = TWO.replace("  return", "  %2 = math.cos %1 : f32\n  return")
    two.write_text(many)
    command = [Path(sys.executable).parent / "wse-reduce", two, "--test", "./slow.sh", "-o", "out.mlir"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    while not Path("waiting").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(by)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert re.match(r"wse-reduce: interrupted; \d+ operations.*; the result is in out.mlir\n$", errors), (
        errors
    )
    assert re.findall(r"math\.\w+", Path("out.mlir").read_text()) == ["math.sqrt", "math.cos"]
