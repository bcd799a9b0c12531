"""What native code writes is captured, and is never lost: not when the process dies, not when others write."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from wse_mlir.dialects import fork_lock
from wse_mlir.passes.infra.native_errors import captured_stderr

PROLOGUE = """
import ctypes, os, signal
from wse_mlir.dialects import fork_lock
from wse_mlir.passes.infra.native_errors import captured_stderr
libc = ctypes.CDLL(None)
"""


def died(body: str) -> tuple[int, str]:
    """How a program ended, and its error stream."""
    done = subprocess.run(
        [sys.executable, "-c", PROLOGUE + body], capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the guard is written for Linux")
def test_words_before_the_end_of_the_process() -> None:
    """Of an abort inside of nested blocks, a crash under Python's own handler, and a library that leaves."""
    body = """
with captured_stderr():
    os.write(2, b"outside\\n")
    with captured_stderr():
        os.write(2, b"inside\\n")
        libc.abort()
"""
    assert died(body) == (-signal.SIGABRT, "outside\ninside\n")
    body = """
import faulthandler
faulthandler.enable()
with captured_stderr():
    os.write(2, b"words\\n")
    libc.raise_ = libc["raise"]
    libc.raise_(signal.SIGSEGV)
"""
    code, said = died(body)
    assert code == -signal.SIGSEGV and said.startswith("words\nFatal Python error: Segmentation fault")
    body = """
with captured_stderr():
    os.write(2, b"words\\n")
    libc.exit(3)
"""
    assert died(body) == (3, "words\n")
    assert died("with captured_stderr():\n    os.write(2, b'words')\nlibc.abort()") == (-signal.SIGABRT, "")


def test_handlers_of_others_are_put_back() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGFPE, lambda number, frame: heard.append(number))
    try:
        with captured_stderr() as said:
            os.write(2, b"words")
        os.kill(os.getpid(), signal.SIGFPE)
    finally:
        signal.signal(signal.SIGFPE, before)
    assert (heard, said.text) == ([signal.SIGFPE], "words")


def test_blocks_in_blocks_each_have_their_own() -> None:
    with captured_stderr() as outer:
        os.write(2, b"one ")
        for expected in (b"two", b"three"):
            with captured_stderr() as inner:
                os.write(2, expected)
            assert inner.text == expected.decode()
        os.write(2, b"four")
    assert outer.text == "one four"


def test_a_fork_in_the_middle_has_the_stream_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork that did not wait for the thread that captures."""
    monkeypatch.setattr(fork_lock, "PATIENCE", 0.0)
    inside, end = threading.Event(), threading.Event()

    def capture() -> None:
        with captured_stderr():
            inside.set()
            end.wait(60)

    before = os.fstat(2)
    thread = threading.Thread(target=capture)
    thread.start()
    inside.wait(60)
    child = os.fork()
    if child == 0:
        now = os.fstat(2)
        os._exit((now.st_dev, now.st_ino) != (before.st_dev, before.st_ino))
    end.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_other_threads_write_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_stderr() as said:
        thread = threading.Thread(target=lambda: print("of a thread", file=sys.stderr, flush=True))
        thread.start()
        thread.join()
        os.write(2, b"native\n")
    said.pass_on()
    assert capfd.readouterr().err.split() in (["of", "a", "thread", "native"], ["native"])
