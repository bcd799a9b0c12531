"""lit's configuration: `lit test/lit test/upstream` runs every `.mlir` file below them."""

# ruff: noqa: F821  (lit defines `config`)

import os
import sys
from pathlib import Path

import lit.formats

ROOT = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent

config.name = "wse-mlir"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.test_source_root = str(ROOT)
config.test_exec_root = str(ROOT / "build" / "lit")
config.excludes = ["build", ".venv"]

config.environment["PATH"] = os.pathsep.join([str(BIN), os.environ["PATH"]])
config.environment["PYTHONHASHSEED"] = "random"
config.environment.pop("WSE_TRACE", None)

# Upstream's lit files call the check tool `FileCheck`; the package from PyPI installs it as `filecheck`.
config.substitutions += [
    (r"\bFileCheck\b", str(BIN / "filecheck")),
    (r"(?<![\w/.-])filecheck(?![\w-])", str(BIN / "filecheck")),
    # Lit files that were written for upstream's tool run unchanged.
    (r"(?<![\w/.-])mlir-opt(?![\w-])", str(BIN / "wse-opt")),
    (r"%root", str(ROOT)),
]
