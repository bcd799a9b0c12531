"""lit's configuration: `lit test/lit test/upstream` runs every `.mlir` file below them."""

# ruff: noqa: F821  (lit defines `config`)

import atexit
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import lit.formats

ROOT = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
sys.path.insert(0, str(ROOT / "test"))

from warm_commands import IR, warm_commands  # noqa: E402

os.environ["PYTHONHASHSEED"] = "random"

# Hundreds of commands, each of which would spend ten times as long on imports as on its work: they are forks of one
# process, which ends with lit. `test/infra/test_wse_opt_process.py` and `test/packaging/` start the scripts themselves.
lifetime = ExitStack()
atexit.register(lifetime.close)
TOOLS = lifetime.enter_context(warm_commands(Path(lifetime.enter_context(tempfile.TemporaryDirectory())), IR))

config.name = "wse-mlir"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.test_source_root = str(ROOT)
config.test_exec_root = str(ROOT / "build" / "lit")
config.excludes = ["build", ".venv"]

config.environment["PATH"] = os.pathsep.join([str(TOOLS), str(BIN), os.environ["PATH"]])
config.environment.pop("WSE_TRACE", None)

# Upstream's lit files call the check tool `FileCheck`; the package from PyPI installs it as `filecheck`.
config.substitutions += [
    (r"\bFileCheck\b", str(TOOLS / "filecheck")),
    (r"(?<![\w/.-])filecheck(?![\w-])", str(TOOLS / "filecheck")),
    # Lit files that were written for upstream's tool run unchanged.
    (r"(?<![\w/.-])mlir-opt(?![\w-])", str(TOOLS / "wse-opt")),
    (r"%root", str(ROOT)),
]
