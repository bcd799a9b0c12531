"""A call for which there is not enough memory raises, frees what it had, and the next one runs."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).with_name("memory_programs.py")


@pytest.mark.parametrize("program", ["little", "wrapped"])
def test_a_call_without_enough_memory_raises_and_the_next_one_runs(program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAMS), program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "right\n"), done.stderr[-3000:]
