"""Ctrl-C at any time: one word, exit code 130, no trace of Python's."""

import subprocess
import sys

import pytest

# Sends the interrupt while the named module is imported, as if a user had met that moment.
PROGRAM = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
sys.argv = {words!r}
from wse_mlir.tools import entry_points
sys.exit(entry_points.{entry}())
"""


def run(entry: str, module: str, *words: str) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(entry=entry, module=module, words=[entry, *words])
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, input="")


@pytest.mark.parametrize(
    ("entry", "module", "words"),
    [
        ("wse", "typer", []),
        ("wse", "wse_mlir.tools.run", ["run", "missing.py"]),  # in the process that works
        ("wse_opt", "wse_mlir.tools.wse_opt", []),
        ("wse_opt", "torch_mlir._mlir_libs", ["--canonicalize"]),  # native code that an exception would crash
        ("wse_reduce", "typer", []),
    ],
)
def test_an_interrupted_import_ends_in_a_word(entry: str, module: str, words: list[str]) -> None:
    done = run(entry, module, *words)
    assert (done.returncode, done.stderr, done.stdout) == (130, "interrupted\n", "")


def test_ignored_interrupts_stay_ignored() -> None:
    """As `nohup` and shells leave them to commands in the background."""
    program = PROGRAM.format(entry="wse", module="typer", words=["wse", "--help"])
    ignored = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    done = subprocess.run([sys.executable, "-c", ignored + program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and "Usage: " in done.stdout
