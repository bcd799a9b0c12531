"""What native code writes is captured, and is never lost: not when the process dies, not when others write."""

import os
import re
import signal
import subprocess
import sys
import threading

import pytest

from wse_mlir.dialects import fork_lock
from wse_mlir.dialects.host import ir
from wse_mlir.passes.cpu.instruction_sets import _inlined, known_names
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.passes.infra.native_errors import captured_stderr
from wse_mlir.passes.infra.upstream import check_upstream_pass, pass_class_name

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


def test_what_is_expected_is_taken_and_the_rest_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_stderr() as said:
        thread = threading.Thread(target=lambda: os.write(2, b"of a thread\n"))
        thread.start()
        thread.join()
        os.write(2, b"native: one\nwords\nnative: two\n")
    assert said.take(re.compile("native: ").match) == "native: one\nnative: two"
    assert said.take(re.compile("native: ").match) == ""
    assert capfd.readouterr().err == "of a thread\nwords\n"


def _questions() -> None:
    """Everything of this package that reads what native code writes."""
    assert "avx2" in known_names()[1]  # LLVM prints them once in a process
    assert _inlined([(("x86-64", ""), "avx2"), (("x86-64", ""), "sse2")]) == [False, True]
    assert pass_class_name.__wrapped__("cse") == "CSEPass"
    with ir.Context() as context:
        for options, words in (("max-iterations=x", "long argument"), ("top-down=false", "")):
            if words:
                with pytest.raises(CompilerError, match=words):
                    check_upstream_pass("canonicalize", options, "builtin.module", context)
            else:
                check_upstream_pass("canonicalize", options, "builtin.module", context)


def test_no_word_of_other_threads_is_lost(capfd: pytest.CaptureFixture[str]) -> None:
    """Every question is asked while another thread writes, as many words as fit.

    What was captured is passed on when the stream is back: a word written right then may come first.
    """
    ended, written = threading.Event(), [0]

    def write() -> None:
        while not ended.is_set():
            os.write(2, f"word {written[0]}\n".encode())
            written[0] += 1
            ended.wait(0.001)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        _questions()
    finally:
        ended.set()
        thread.join()
    assert sorted(capfd.readouterr().err.splitlines()) == sorted(f"word {k}" for k in range(written[0]))
