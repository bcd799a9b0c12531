"""Crashes of native code: what ran when one happened, what it was, and trying first where one is known to happen."""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Callable

CrashReceiver = Callable[[str, str], None]

_receiver: CrashReceiver | None = None


def send_progress_to(receiver: CrashReceiver | None) -> None:
    """Has a function told, from now on, what is about to run; it must put that where it outlives the process."""
    global _receiver
    _receiver = receiver


def about_to(place: Callable[[], str], note: Callable[[], str] = str) -> None:
    """Says what is about to run ("in pass 'cse' on 'func.func' at file:3") and what helps if it should crash.

    Both are functions, for nobody may be listening and then nothing is spent on texts.
    """
    if _receiver is not None:
        _receiver(place(), note())


def describe_end(status: int) -> str:
    """How a process ended that did not leave by itself, from `os.waitpid`'s status."""
    if not os.WIFSIGNALED(status):
        return f"the process left with exit code {os.waitstatus_to_exitcode(status)}"
    number = os.WTERMSIG(status)
    name = signal.Signals(number).name if number in signal.valid_signals() else str(number)
    return f"{(signal.strsignal(number) or 'signal').lower()} ({name})"


def rehearse(work: Callable[[], object]) -> str:
    """Runs `work` in a fork and throws its results away; how it crashed, empty when it did not.

    For what is known to crash: what ends a process would end the caller's, be it a notebook.
    """
    child = os.fork()
    if child == 0:
        try:
            faulthandler.disable()
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            work()
        finally:
            os._exit(0)
    try:
        _, status = os.waitpid(child, 0)
    except BaseException:  # interrupted: nobody waits for it any more
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    return describe_end(status) if os.WIFSIGNALED(status) else ""
