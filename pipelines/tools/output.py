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
    if _is_special(path):
        return
    folder = path.resolve().parent
    if not folder.is_dir():
        raise CompilerError(f"cannot write '{path}': there is no folder '{folder}'")
    if path.is_dir():
        raise CompilerError(f"cannot write '{path}': it is a folder")
    if not os.access(folder, os.W_OK):
        raise CompilerError(f"cannot write '{path}': no permission to write to '{folder}'")


def _is_special(path: Path) -> bool:
    """Whether this is a device or a pipe, such as /dev/null: it is written to, never replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


def write_atomically(path: Path, data: str | bytes) -> None:
    """Writes the whole of `data` to `path` or leaves what was there untouched."""
    check_writable(path)
    payload = data.encode() if isinstance(data, str) else data
    if _is_special(path):
        with path.open("wb") as device:
            device.write(payload)
        return
    path = path.resolve()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
