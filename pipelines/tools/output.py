"""Writes results so that a failure leaves no half-written file."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Sequence
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
    mode = _mode(path)
    return mode != 0 and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _mode(path: Path) -> int:
    """The file's mode, 0 when there is none: asked once, for another process may remove it meanwhile."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def write_atomically(path: Path, data: str | bytes | Iterable[bytes | memoryview]) -> None:
    """Writes the whole of `data` to `path` or leaves what was there untouched.

    Args:
        data: large data can be given as parts, which are written one after the other and never joined.

    Raises:
        CompilerError: as `check_writable`.
        OSError: writing failed, as on a full disk.
    """
    check_writable(path)
    parts = [data.encode()] if isinstance(data, str) else [data] if isinstance(data, bytes) else data
    if _is_special(path):
        with path.open("wb") as device:
            device.writelines(parts)
        return
    path = path.resolve()
    mode = _mode(path) & 0o777 or 0o644
    temporary = _stage(path, parts, mode)
    try:
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_all(files: Sequence[tuple[Path, bytes, bool]]) -> None:
    """Writes several files that belong together: all of them appear, or none.

    Args:
        files: path, content, and whether it is a program that can be executed.

    Raises:
        CompilerError: one of them cannot be written.
    """
    for path, _, _ in files:
        check_writable(path)
    staged: list[tuple[str, Path]] = []
    try:
        for path, data, is_program in files:
            if _is_special(path):
                path.write_bytes(data)
                continue
            path = path.resolve()
            staged.append((_stage(path, [data], 0o755 if is_program else 0o644), path))
        for temporary, path in staged:
            os.replace(temporary, path)
    finally:
        for temporary, _ in staged:
            Path(temporary).unlink(missing_ok=True)


def _stage(path: Path, parts: Iterable[bytes | memoryview], mode: int) -> str:
    """Writes a file under a temporary name beside its own, and returns that name."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
        os.chmod(temporary, mode)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return temporary
