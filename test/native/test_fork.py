"""A process may fork at any time: the child calls what is compiled and compiles."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from wse_mlir.dialects import fork_lock
from wse_mlir.dialects.fork_lock import ForkLock, LockOrder
from wse_mlir.passes.infra.diagnostics import CompilerError


def test_forks_while_threads_call_and_compile() -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("fork_programs.py"))],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def child_enters(lock: ForkLock) -> str:
    """What a child says when it enters."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with lock:
                os.write(writer, b"entered")
        except CompilerError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        return pipe.read()


def held_while(lock: ForkLock, end: threading.Event) -> threading.Thread:
    """A thread that is inside until something happens."""
    inside = threading.Event()

    def hold() -> None:
        with lock:
            inside.set()
            end.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(60)
    return thread


def test_a_fork_waits_for_who_is_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread is let out by the fork itself, once that has begun to wait."""
    lock, end = ForkLock(LockOrder.CALL, "busy"), threading.Event()
    thread = held_while(lock, end)
    wait = ForkLock.wait

    def let_out(self: ForkLock, seconds: float) -> bool:
        if self is lock:
            end.set()
        return wait(self, seconds)

    monkeypatch.setattr(ForkLock, "wait", let_out)
    assert child_enters(lock) == "entered"
    thread.join()


def test_what_lasts_too_long_is_refused_in_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_lock, "PATIENCE", 0.0)
    lock, end = ForkLock(LockOrder.CALL, "busy"), threading.Event()
    thread = held_while(lock, end)
    said = child_enters(lock)
    end.set()
    thread.join()
    assert "was forked while another thread was busy" in said and "spawn" in said
    assert child_enters(lock) == "entered"


def test_a_thread_may_fork_while_it_is_inside() -> None:
    lock = ForkLock(LockOrder.CALL, "busy")
    with lock:
        assert child_enters(lock) == "entered"


def test_a_fork_has_its_turn_among_those_who_enter_again_and_again() -> None:
    lock, stop, inside = ForkLock(LockOrder.CALL, "busy"), threading.Event(), threading.Event()

    def enter() -> None:
        while not stop.is_set():
            with lock:
                inside.set()

    threads = [threading.Thread(target=enter) for _ in range(3)]
    for thread in threads:
        thread.start()
    inside.wait(60)
    said = [child_enters(lock) for _ in range(5)]
    stop.set()
    for thread in threads:
        thread.join()
    assert said == ["entered"] * 5
