"""Turns failures into one readable message and exit code 1, with the full trace on request."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..passes.infra.diagnostics import CompilerError
from .interrupts import EXIT_CODE, interruptible, tell_interrupt


@dataclass(frozen=True)
class TraceOption:
    """Whether to show a failure's full trace; the environment variable WSE_TRACE=1 asks for it too."""

    requested: bool = False

    def __bool__(self) -> bool:
        return self.requested or os.environ.get("WSE_TRACE", "") not in ("", "0")


@contextmanager
def one_message(trace: TraceOption) -> Iterator[None]:
    """Ends the process with one message when the block raises an error that a user can cause.

    An exception of any other kind is a defect of the compiler: it is named as such, in one line, too.
    """
    try:
        with interruptible():
            yield
    except CompilerError as error:
        _leave(f"error: {error}", trace)
    except KeyboardInterrupt:
        tell_interrupt()
        raise SystemExit(EXIT_CODE) from None
    except BrokenPipeError:
        # A reader such as `head` has left; what it did not take is of no use to anybody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except OSError as error:
        subject = f"'{error.filename}': " if error.filename else ""
        _leave(f"error: {subject}{error.strerror or error}", trace)
    except MemoryError as error:
        _leave(f"error: memory has run out: {error}".rstrip(": "), trace)
    except Exception as error:
        _leave(
            f"internal error: {type(error).__name__}: {error}\n  hint: please report it; WSE_TRACE=1 shows where",
            trace,
        )


def _leave(message: str, trace: TraceOption) -> None:
    if trace:
        traceback.print_exc()
    print(message, file=sys.stderr)
    raise SystemExit(1)
