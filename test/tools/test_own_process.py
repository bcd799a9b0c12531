"""Tools work in a process of their own: how its end is told."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from wse_mlir.passes.infra.crashes import about_to
from wse_mlir.tools.own_process import in_own_process

def work():
    about_to(lambda: "in a long place" * 1000)
    about_to(lambda: "in a test", lambda: {note!r})
    {body}
    return 3

sys.exit(in_own_process("tool", work, hint="hint: general"))
"""


def run(body: str, note: str = "") -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(body=body, note=note)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


@pytest.mark.parametrize(("body", "code"), [("pass", 3), ("sys.exit(5)", 5), ("os._exit(7)", 7)])
def test_exit_codes_are_handed_on(body: str, code: int) -> None:
    done = run(body)
    assert (done.returncode, done.stderr) == (code, "")


def test_a_crash_is_told_with_its_place() -> None:
    done = run("os.abort()")
    assert done.returncode == 134
    assert done.stderr == "tool: error: native code crashed in a test: aborted (SIGABRT)\n  hint: general\n"
    assert run("os.abort()", note="try this").stderr.endswith("(SIGABRT)\n  try this\n")


def test_a_process_that_was_killed_may_have_run_out_of_memory() -> None:
    done = run("os.kill(os.getpid(), 9)")
    assert done.returncode == 137 and "was killed in a test: memory may have run out" in done.stderr
