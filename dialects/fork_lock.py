"""Locks that a fork of the process does not tear.

A forked process has one thread. What the others were in the middle of stays half done in it, and what they held is
held for ever. So a fork waits until nobody else is inside of what such a lock guards. It does not wait for ever: what
lasts longer is half done in the child, and whoever enters it there gets a message.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from enum import IntEnum
from types import TracebackType
from typing import Any

from ..wse_target.errors import CompilerError

PATIENCE = 60.0  # seconds that a fork waits for other threads


class LockOrder(IntEnum):
    """In which order a thread may take locks, and a fork does; those of one rank are not taken together."""

    CAPTURE = 0
    CALL = 1
    COMPILE = 2
    POOL = 3
    LINK = 4
    STREAM = 5
    LLVM = 6
    RECORD = 7


class ForkLock:
    """A reentrant lock.

    Args:
        doing: what a thread that holds it does, for messages: "compiling".
        lock: a `threading.RLock` of somebody else's; one of its own by default.

    Raises:
        CompilerError: on entering, in a process that was forked while another thread was inside.
    """

    def __init__(self, order: LockOrder, doing: str, lock: Any = None) -> None:
        self.order = order
        self._doing = doing
        self._lock = threading.RLock() if lock is None else lock
        self._is_torn = False
        key = id(self)
        _LOCKS[key] = weakref.ref(self, lambda _: _LOCKS.pop(key, None))

    def __enter__(self) -> None:
        if _FORKING:
            _let_forks_pass()
        self._lock.acquire()
        if self._is_torn:
            self._lock.release()
            raise CompilerError(
                f"this process was forked while another thread was {self._doing}, and took longer than "
                f"{PATIENCE:.0f} s; what it left behind cannot be used",
                hint="fork at another time, or start processes afresh: multiprocessing.get_context('spawn')",
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def wait(self, seconds: float) -> bool:
        """Takes the lock, unless that takes longer; whether it did."""
        return self._lock.acquire(timeout=max(seconds, 0.0))

    def is_mine(self) -> bool:
        """Whether this thread holds it."""
        return self._lock._is_owned()  # type: ignore[attr-defined]

    def leave(self) -> None:
        """Gives back what `wait` took."""
        self._lock.release()

    def settle_in_child(self) -> None:
        """Makes the lock free if a thread that does not exist holds it, and remembers that."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._lock._at_fork_reinit()  # type: ignore[attr-defined]
            self._is_torn = True


_LOCKS: dict[int, weakref.ref[ForkLock]] = {}
_TAKEN = threading.local()  # `held`: the locks that this thread took for its fork
_FORKING: dict[int, threading.Event] = {}  # threads that are about to fork, and what they tell when they have


def _present() -> list[ForkLock]:
    found = (reference() for reference in list(_LOCKS.values()))
    return sorted((lock for lock in found if lock is not None), key=lambda lock: lock.order)


def _let_forks_pass() -> None:
    """Waits for forks, or they would wait for as long as others take turns; not where they wait for this thread."""
    me = threading.get_ident()
    if me not in _FORKING and not any(lock.is_mine() for lock in _present()):
        for forked in list(_FORKING.values()):
            forked.wait(PATIENCE)


def _before_fork() -> None:
    _FORKING[threading.get_ident()] = threading.Event()
    deadline = time.monotonic() + PATIENCE
    _TAKEN.held = [lock for lock in _present() if lock.wait(deadline - time.monotonic())]


def _in_parent() -> None:
    _leave()
    _FORKING.pop(threading.get_ident()).set()


def _leave() -> None:
    for lock in reversed(_TAKEN.__dict__.pop("held", [])):
        lock.leave()


def _in_child() -> None:
    _FORKING.clear()
    _leave()
    for lock in _present():
        lock.settle_in_child()


os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
