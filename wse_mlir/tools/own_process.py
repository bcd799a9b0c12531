"""Runs a tool's work in a process of its own, so that a crash of native code ends with a message.

Upstream's passes, LLVM and compiled models are native code: what crashes there ends the process it is in, at once and
without a word. The process that the user has started therefore does nothing but wait.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from ..passes.infra.crashes import describe_end, send_progress_to
from .interrupts import leave_when_interrupted

_PAGE = 8192
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1


def in_own_process(tool: str, work: Callable[[], int], *, hint: str = "") -> int:
    """Runs `work` in a fork and returns its exit code; returns twice where it forks, once in each process.

    A crash is told on the error stream: what it was, which pass on which operation, what to do about it. The exit code
    then is 128 and the signal's number, as shells have it.

    Args:
        hint: what to do about a crash when no reproducer was written.
    """
    if not hasattr(os, "fork"):
        return work()
    page = mmap.mmap(-1, _PAGE)
    _flush()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _end_with(parent)
        leave_when_interrupted()
        send_progress_to(lambda place, note: _keep(page, place, note))
        return work()
    status = _wait(child)
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    number = os.WTERMSIG(status)
    if number in _FORWARDED:  # the user's wish, no crash
        signal.signal(number, signal.SIG_DFL)
        os.kill(parent, number)
    place, note = _kept(page)
    print(_message(tool, status, place, note or hint), file=sys.stderr)
    return 128 + number


def _message(tool: str, status: int, place: str, note: str) -> str:
    where = f" {place}" if place else ""
    line = f"{tool}: error: native code crashed{where}: {describe_end(status)}"
    if os.WTERMSIG(status) == signal.SIGKILL:
        line = f"{tool}: error: the process was killed{where}: memory may have run out"
    return f"{line}\n  {note}" if note else line


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def _keep(page: mmap.mmap, *texts: str) -> None:
    data = "\0".join(texts).encode(errors="replace")[: _PAGE - 4]
    page[: len(data) + 4] = len(data).to_bytes(4, "little") + data


def _kept(page: mmap.mmap) -> tuple[str, str]:
    size = int.from_bytes(page[:4], "little")
    place, _, note = page[4 : 4 + size].decode(errors="replace").partition("\0")
    return place, note


def _wait(child: int) -> int:
    """Waits for the child; signals that are meant for the tool go to it."""

    def forward(number: int, frame: FrameType | None) -> None:
        os.kill(child, number)

    heard = [number for number in _FORWARDED if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, forward) for number in heard}
    try:
        return os.waitpid(child, 0)[1]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_with(parent: int) -> None:
    """Has this process killed when the one that waits for it is; only Linux can."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
