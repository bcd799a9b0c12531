"""What native code writes to the process's error stream while a call fails."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


class CapturedErrors:
    """The text that was written; complete once the block is left."""

    text: str = ""


@contextmanager
def captured_stderr() -> Iterator[CapturedErrors]:
    """Redirects file descriptor 2 for the duration of the block: LLVM reports there and nowhere else."""
    captured = CapturedErrors()
    if sys.stderr is None:  # closed by the caller: there is none to keep clean
        yield captured
        return
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield captured
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            file.seek(0)
            captured.text = file.read().decode(errors="replace").strip()
