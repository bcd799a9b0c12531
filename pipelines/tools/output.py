"""Writes results so that a failure leaves no half-written file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ...passes.infra.diagnostics import CompilerError


def check_writable(path: Path) -> None:
    """Fails before long work is done when `path` cannot be written.

    Raises:
        CompilerError: its folder does not exist or may not be written to, or it is a folder.
    """
    folder = path.resolve().parent
    if not folder.is_dir():
        raise CompilerError(f"cannot write '{path}': there is no folder '{folder}'")
    if path.is_dir():
        raise CompilerError(f"cannot write '{path}': it is a folder")
    if not os.access(folder, os.W_OK):
        raise CompilerError(f"cannot write '{path}': no permission to write to '{folder}'")


def write_atomically(path: Path, data: str | bytes) -> None:
    """Writes the whole of `data` to `path` or leaves what was there untouched."""
    check_writable(path)
    payload = data.encode() if isinstance(data, str) else data
    handle, temporary = tempfile.mkstemp(dir=path.resolve().parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
