"""What Ctrl-C does to a tool: it says so in one word and ends with exit code 130, whatever it was doing.

Work may be interrupted by a `KeyboardInterrupt`, and then removes what it has begun to write. Imports may not: much
code that they run takes an exception for a missing feature, or is native and crashes. A process that is importing, or
that has not begun to work, is left at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

EXIT_CODE = 130
_WORD = "interrupted"
_IMPORT = "<frozen importlib._bootstrap>"


def leave_when_interrupted() -> None:
    """Has this process end at once when it is interrupted, unless interrupts are ignored in it."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)


@contextmanager
def interruptible() -> Iterator[None]:
    """Lets an interrupt raise `KeyboardInterrupt` in the block, but in imports, if this process would else be left."""
    if signal.getsignal(signal.SIGINT) != _leave:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt_once)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) == _interrupt_once:
            signal.signal(signal.SIGINT, _leave)


def tell_interrupt() -> None:
    """Says on the error stream that work was interrupted."""
    print(_WORD, file=sys.stderr)


def _leave(number: int, frame: FrameType | None) -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # closed, or in the middle of a write
            stream.flush()
    with suppress(OSError):
        os.write(2, f"{_WORD}\n".encode())
    os._exit(EXIT_CODE)


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    """A terminal interrupts both processes of a tool, and the waiting one passes it on: the second is for nobody."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT:
            _leave(number, frame)
        frame = frame.f_back
    raise KeyboardInterrupt
