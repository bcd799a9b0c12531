"""Everything besides the model that decides what code comes out: versions, and this project's own sources."""

from __future__ import annotations

import hashlib
import sys
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path

_LOADED = time.time()
_BESIDE = ("wse_target", "dialects", "passes", "pipelines")
_PACKAGES = ("torch", "torch-mlir", "llvmlite", "numpy", "ml_dtypes")


@cache
def toolchain() -> str:
    """A digest of the versions of Python and of all packages that take part, and of this project's sources.

    Sources and not the version alone: who works on the compiler must not be given yesterday's code. Empty when they
    were changed after this process began to load them: it may run the old ones.
    """
    digest = hashlib.sha256(sys.version.encode())
    for name in _PACKAGES:
        digest.update(f"\0{name} {version(name)}".encode())
    for file in _sources():
        if file.stat().st_mtime > _LOADED:
            return ""
        digest.update(b"\0" + str(file.name).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _sources() -> list[Path]:
    """Python files of this project; in the source tree four folders lie beside the package, installed inside it."""
    package = Path(__file__).parents[1]
    tree = package.parent
    beside = [tree / name for name in _BESIDE] if (tree / "pyproject.toml").exists() else []
    return [file for folder in (*beside, package) for file in sorted(folder.rglob("*.py"))]
