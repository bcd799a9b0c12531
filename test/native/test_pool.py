"""The thread pool: every chunk is computed once, whoever calls, however many call, before and after a fork."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st

from wse_mlir.runtime.native.linker import link
from wse_mlir.runtime.native.packed import POOL_RUN
from wse_mlir.runtime.native.pool import POOL_STOP, pool_object

BODY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
RUN = ctypes.CFUNCTYPE(None, BODY, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
UPWARD = 0x800  # FE_UPWARD on x86


class Pool:
    """A pool of its own, linked into this process; chunks are Python functions."""

    def __init__(self) -> None:
        code = pool_object("own_")
        self._library = link(code, [f"own_{name}" for name in (POOL_RUN, POOL_STOP)], "a pool")
        self._run = RUN(self._library[f"own_{POOL_RUN}"])
        self.stop = ctypes.CFUNCTYPE(None)(self._library[f"own_{POOL_STOP}"])

    def run(self, chunk: Callable[[int], object], chunks: int, threads: int) -> None:
        self._run(BODY(lambda environment, k: chunk(k) and None), None, chunks, threads)


POOL = Pool()  # never stopped


def computed(pool: Pool, chunks: int, threads: int) -> list[int]:
    """Which chunks a job computed."""
    done: list[int] = []
    pool.run(done.append, chunks, threads)
    return sorted(done)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 20), st.integers(0, 6))
def test_every_chunk_is_computed_once(chunks: int, threads: int) -> None:
    assert computed(POOL, chunks, threads) == list(range(chunks))


def test_a_job_runs_on_no_more_threads_than_it_asks_for() -> None:
    """Workers of earlier jobs that asked for more stay away."""
    computed(POOL, 8, 8)
    for threads in (1, 2, 3):
        seen: set[int] = set()
        POOL.run(lambda k, seen=seen: seen.add(threading.get_native_id()), 40, threads)
        assert len(seen) <= threads and (threads > 1 or seen == {threading.get_native_id()})


def test_threads_that_call_at_the_same_time_do_not_wait_for_each_other() -> None:
    """Each call of four blocks until all four have begun: only one of them has the workers."""
    barrier = threading.Barrier(4, timeout=60)

    def call(caller: int) -> list[int]:
        done: list[int] = []

        def chunk(k: int) -> None:
            if k == 0:
                barrier.wait()
            done.append(k)

        POOL.run(chunk, 5, 3)
        return sorted(done)

    with ThreadPoolExecutor(4) as callers:
        assert list(callers.map(call, range(4))) == [list(range(5))] * 4


def test_many_jobs_of_many_threads() -> None:
    with ThreadPoolExecutor(4) as callers:
        results = list(callers.map(lambda n: computed(POOL, n % 7, 1 + n % 4), range(200)))
    assert results == [list(range(n % 7)) for n in range(200)]


def test_jobs_in_chunks() -> None:
    """A chunk that brings a job computes it itself."""
    inner: list[list[int]] = []
    POOL.run(lambda k: inner.append(computed(POOL, 3, 2)), 4, 2)
    assert inner == [[0, 1, 2]] * 4


def test_rounding_and_signals_of_workers() -> None:
    """Workers round as the caller does, and leave signals to other threads."""
    libm = ctypes.CDLL("libm.so.6")
    seen: list[tuple[int, bool, bool]] = []

    def chunk(k: int) -> None:
        blocked = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        seen.append((threading.get_native_id(), sum((1.0, *tiny)) > 1.0, blocked))
        started.wait(60)  # so that the other chunk needs another thread

    tiny, before = (1e-20,), libm.fegetround()
    libm.fesetround(UPWARD)
    try:
        started = threading.Barrier(2)
        POOL.run(chunk, 2, 2)
    finally:
        libm.fesetround(before)
    here = threading.get_native_id()
    assert len({thread for thread, _, _ in seen}) == 2
    assert all(upward for _, upward, _ in seen)
    assert all(blocked for thread, _, blocked in seen if thread != here)


def test_a_forked_process_has_workers_of_its_own() -> None:
    computed(POOL, 4, 4)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            started = threading.Barrier(2)
            POOL.run(lambda k: started.wait(60), 2, 2)  # needs two threads
            code = 0 if computed(POOL, 9, 3) == list(range(9)) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert computed(POOL, 4, 4) == [0, 1, 2, 3]


def test_a_process_forked_in_the_middle_of_a_job() -> None:
    """The other thread's job is nobody's business in the child."""
    began, go_on = threading.Event(), threading.Event()

    def chunk(k: int) -> None:
        began.set()
        go_on.wait(60)

    other = threading.Thread(target=POOL.run, args=(chunk, 3, 2))
    other.start()
    began.wait(60)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if computed(POOL, 5, 4) == list(range(5)) else 2
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    go_on.set()
    other.join()
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_stopped_pool_has_no_threads_and_still_computes() -> None:
    pool = Pool()
    before = len(os.listdir("/proc/self/task"))
    started = threading.Barrier(3)
    pool.run(lambda k: started.wait(60), 3, 3)
    assert len(os.listdir("/proc/self/task")) == before + 2
    pool.stop()
    pool.stop()
    assert len(os.listdir("/proc/self/task")) == before
    assert computed(pool, 6, 3) == list(range(6))


def test_a_process_ends_while_workers_wait() -> None:
    program = (
        "import test_pool as t, threading\n"
        "started = threading.Barrier(3)\n"
        "t.POOL.run(lambda k: started.wait(60), 3, 3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=os.path.dirname(__file__), capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
