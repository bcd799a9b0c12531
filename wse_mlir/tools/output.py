"""Writes results so that a failure leaves no half-written file; `-` stands for standard output."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..passes.infra.diagnostics import CompilerError

if TYPE_CHECKING:
    from rich.console import Console


def is_standard_output(path: Path | None) -> bool:
    """Whether a path that the user gave is `-`."""
    return path is not None and str(path) == "-"


def is_stream(path: Path) -> bool:
    """Whether this is standard output, a device or a pipe: it is written to, never replaced."""
    return is_standard_output(path) or _is_special(path)


def console_beside(*files: Path | None, width: int = 0) -> Console:
    """Where text for people goes: standard error when one of the files is standard output.

    Args:
        width: columns at least, where this is no terminal.

    Raises:
        CompilerError: several files are standard output.
    """
    from rich.console import Console

    taken = sum(map(is_standard_output, files))
    if taken > 1:
        raise CompilerError("standard output can take one result", hint="give a file's name for the others")
    console = Console(stderr=taken == 1, highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, width)
    return console


def check_writable(path: Path) -> None:
    """Fails before long work is done when `path` cannot be written.

    Raises:
        CompilerError: its folder does not exist or may not be written to, or it is a folder.
    """
    if is_stream(path):
        return
    folder = path.resolve().parent
    if not folder.is_dir():
        raise CompilerError(f"cannot write '{path}': there is no folder '{folder}'")
    if path.is_dir():
        raise CompilerError(f"cannot write '{path}': it is a folder")
    if not os.access(folder, os.W_OK):
        raise CompilerError(f"cannot write '{path}': no permission to write to '{folder}'")


def _is_special(path: Path) -> bool:
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
        CompilerError: it cannot be written, or writing failed, as on a full disk; names the file.
    """
    check_writable(path)
    parts = [data.encode()] if isinstance(data, str) else [data] if isinstance(data, bytes) else data
    with naming(path):
        if is_stream(path):
            _pour(path, parts)
            return
        place = path.resolve()
        temporary = _stage(place, parts, _mode(place) & 0o777 or 0o644)
        try:
            os.replace(temporary, place)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Gives an error of the system, such as a full disk, the file's name.

    Raises:
        CompilerError: the block raised an `OSError`, but not for a reader that has left.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "standard output" if is_standard_output(path) else f"'{path}'"
        raise CompilerError(f"cannot write {name}: {error.strerror or error}") from error


def _pour(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Writes to what cannot be replaced: standard output, a device or a pipe."""
    if is_standard_output(path):
        sys.stdout.flush()
        sys.stdout.buffer.writelines(parts)
        sys.stdout.buffer.flush()
        return
    with path.open("wb") as device:
        device.writelines(parts)


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
            if is_stream(path):
                continue
            with naming(path):
                place = path.resolve()
                staged.append((_stage(place, [data], 0o755 if is_program else 0o644), place))
        for temporary, place in staged:
            with naming(place):
                os.replace(temporary, place)
        for path, data, _ in files:
            if is_stream(path):
                with naming(path):
                    _pour(path, [data])
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
