"""What native code writes to the process's error stream while a call fails."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from ...dialects.fork_lock import ForkLock, Order

# The stream is one for the whole process: threads that redirected it at once would put it back in the wrong order.
_REDIRECTING = ForkLock(Order.STREAM, "reading what native code writes")


class CapturedErrors:
    """The text that was written; complete once the block is left."""

    text: str = ""


@contextmanager
def captured_stderr() -> Iterator[CapturedErrors]:
    """Redirects file descriptor 2 for the duration of the block: LLVM reports there and nowhere else.

    Only one thread at a time does; others wait.
    """
    captured = CapturedErrors()
    if sys.stderr is None:  # closed by the caller: there is none to keep clean
        yield captured
        return
    with _REDIRECTING:
        yield from _redirected(captured)


def _redirected(captured: CapturedErrors) -> Iterator[CapturedErrors]:
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
