"""examples/c: its Makefile builds a program that classifies drawings without Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from library_programs import run_alone

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "c"


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_the_c_example_classifies_drawings(tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLE, tmp_path / "c")
    # The tests themselves may be run by make, whose flags are not meant for the example.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment = {**inherited, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    flags = "CFLAGS=-O2 -Wall -Wextra -Werror -pedantic"
    made = subprocess.run(["make", "run", flags], cwd=folder, env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert made.stdout.endswith("a disc\n")
    assert run_alone([folder / "classify", "cross.txt"], folder).stdout.endswith("a cross\n")
    refused = run_alone([folder / "classify", "missing.txt"], folder)
    assert refused.returncode == 2 and refused.stderr.startswith("usage: ")
