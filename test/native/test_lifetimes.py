"""Objects go when they please: in the middle of calls, in circles, and when the process ends."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).with_name("lifetime_programs.py")


@pytest.mark.parametrize("program", ["collected", "cycles", "leaving"])
def test_no_signal_ends_the_process(program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(PROGRAMS), program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "right\n"), done.stderr[-3000:]
