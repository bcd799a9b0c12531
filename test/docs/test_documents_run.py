"""Every command and program in README.md and docs/ is executed, block by block, in an empty folder.

A fenced block with `file=NAME` is written to that file; `sh` blocks run with the project's tools on PATH;
`python` blocks of one document share a namespace, as a reader's session would.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What runs this test, hence cannot be run by it.
RUNS_THE_TESTS = ("make run", "make test", "git clone")


def run_shell(code: str, folder: Path, commands: Path) -> None:
    lines = [line for line in code.splitlines() if not line.startswith(RUNS_THE_TESTS)]
    path = os.pathsep.join([str(commands), str(Path(sys.executable).parent), os.environ["PATH"]])
    script = "set -eu\n" + "\n".join(lines)
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{script}\n{done.stderr}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_document_runs(
    document: Path, commands: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("examples", "bench"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for language, file, code in BLOCK.findall(document.read_text()):
        if file:
            (tmp_path / file).write_text(code)
        elif language == "sh":
            run_shell(code, tmp_path, commands)
        elif language == "python":
            exec(compile(code, str(document), "exec"), namespace)


def test_every_document_is_tried() -> None:
    assert BLOCK.findall((ROOT / "README.md").read_text())


def test_a_command_that_fails_is_noticed(tmp_path: Path, commands: Path) -> None:
    run_shell("echo 'module {}' | wse-opt - --cse | grep -q module", tmp_path, commands)
    with pytest.raises(AssertionError, match="no pass is named 'no-pass'"):
        run_shell("wse-opt nothing.mlir --pass-pipeline='builtin.module(no-pass)'", tmp_path, commands)
