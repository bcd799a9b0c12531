"""What native code writes to the process's error stream.

The stream is one for the whole process. While it is captured, other threads' words are captured too: whoever captures
passes on what is not for it. A process that ends meanwhile, by a signal or by leaving, still says what was written:
`native_errors.ll` sees to that, since Python has no say then.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import llvmlite.binding as llvm

from ...dialects.fork_lock import ForkLock, LockOrder

# Threads that redirected it at once would put it back in the wrong order.
_REDIRECTING = ForkLock(LockOrder.STREAM, "reading what native code writes")


class CapturedErrors:
    """The text that was written; complete once the block is left."""

    text: str = ""

    def take(self, is_expected: Callable[[str], object]) -> str:
        """The lines that are expected; all others, somebody else's, are written to the error stream after all.

        Once: the text is empty then.
        """
        lines = [(line, bool(is_expected(line))) for line in self.text.splitlines()]
        self.text = ""
        others = "".join(f"{line}\n" for line, is_ours in lines if not is_ours)
        if others.strip():
            os.write(2, others.encode())
        return "\n".join(line for line, is_ours in lines if is_ours)


class _Redirected(NamedTuple):
    saved: int
    file: int


_present: list[_Redirected] = []  # the redirection that is in force, if one is


@contextmanager
def captured_stderr() -> Iterator[CapturedErrors]:
    """Redirects file descriptor 2 for the duration of the block: LLVM reports there and nowhere else.

    Only one thread at a time does; others wait. In a block within a block, the inner one's text is not the outer one's.
    """
    captured = CapturedErrors()
    if sys.stderr is None:  # closed by the caller: there is none to keep clean
        yield captured
        return
    with _REDIRECTING:
        if _present:
            yield from _captured_from_here(captured, _present[0].file)
        else:
            yield from _redirected(captured)


def _redirected(captured: CapturedErrors) -> Iterator[CapturedErrors]:
    sys.stderr.flush()
    guard = _guard()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file:
        # A file that is appended to can be cut short where an inner block began.
        append = (
            os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDWR | os.O_APPEND)
            if guard
            else os.dup(file.fileno())
        )
        os.dup2(append, 2)
        _present.append(_Redirected(saved, append))
        if guard:
            guard.begin(saved, append)
        try:
            yield captured
        finally:
            sys.stderr.flush()
            if guard:
                guard.end()
            _present.clear()
            os.dup2(saved, 2)  # before the file is read: threads write until the last moment
            os.close(saved)
            captured.text = os.pread(append, os.fstat(append).st_size, 0).decode(errors="replace").strip()
            os.close(append)


def _captured_from_here(captured: CapturedErrors, file: int) -> Iterator[CapturedErrors]:
    start = os.fstat(file).st_size
    try:
        yield captured
    finally:
        sys.stderr.flush()
        written = os.pread(file, os.fstat(file).st_size - start, start)
        os.ftruncate(file, start)
        captured.text = written.decode(errors="replace").strip()


def _restore_in_child() -> None:
    """Gives a forked process its error stream if a thread had redirected it that does not exist there."""
    if _present and not _REDIRECTING.is_mine():
        saved, _ = _present.pop()
        os.dup2(saved, 2)
        if guard := _guard():
            guard.end()


os.register_at_fork(after_in_child=_restore_in_child)


class _Guard(NamedTuple):
    """Native code that tells what was captured when the process ends; between `begin(saved, file)` and `end()`."""

    begin: Callable[[int, int], None]
    end: Callable[[], None]


@cache
def _guard() -> _Guard | None:
    """The guard; None on systems that it is not written for."""
    if not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    names = [f"wse_errors_{name}" for name in ("begin", "end", "at_exit")]
    builder = (
        llvm.JITLibraryBuilder().add_ir(Path(__file__).with_suffix(".ll").read_text()).add_current_process()
    )
    for name in names:
        builder.export_symbol(name)
    code = builder.link(llvm.create_lljit_compiler(use_jit_link=True, suppress_errors=True), "native_errors")
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(code))  # it is called after Python has gone
    begin, end, at_exit = (code[name] for name in names)
    ctypes.CFUNCTYPE(None)(at_exit)()
    return _Guard(ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_int)(begin), ctypes.CFUNCTYPE(None)(end))
