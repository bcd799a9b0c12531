"""Programs that use a library, compiled as users compile theirs, and run in an empty environment."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from library_models import Case

from wse_mlir.artifacts.aot.library import Library

PROGRAMS = Path(__file__).parent / "programs"
STRICT = ["-O1", "-Wall", "-Wextra", "-Werror", "-pedantic"]
C99 = ["gcc", "-std=c99", *STRICT]
CPP = ["g++", "-std=c++11", "-x", "c++", *STRICT]
VALGRIND_CPU = "x86-64-v3"  # newer instructions are unknown to valgrind


@dataclass(frozen=True)
class Zoo:
    """A library with an embedded function for every case."""

    library: Library
    cases: dict[str, Case]
    keep: Path

    @property
    def folder(self) -> Path:
        return self.library.path.parent


def compile_program(
    source: Path, library: Path, out: Path, command: Sequence[str] = C99, libraries: Sequence[str] = ()
) -> Path:
    """Builds a program with a library, which it finds in its own folder."""
    own = [f"-I{library.parent}", str(source), "-o", str(out), "-x", "none", str(library)]
    subprocess.run([*command, *own, "-Wl,-rpath,$ORIGIN", *libraries], check=True)
    if library.suffix == ".so" and out.parent != library.parent:
        shutil.copy(library, out.parent)
    return out


def run_alone(command: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a program in a folder, without any environment."""
    return subprocess.run([str(word) for word in command], cwd=folder, env={}, capture_output=True, text=True)
