"""What the thread pool of compiled code costs: microseconds of a loop whose chunks do next to nothing.

    python bench/thread_pool.py [--beside POOL.ll] [--rounds N]

`--beside` sets another text of the pool, say an earlier one, beside the present one, in alternating rounds of one
process; the figures are medians of rounds, and the least.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from wse_mlir.runtime.native.linker import link
from wse_mlir.runtime.native.llvm_text import read_llvm_ir
from wse_mlir.runtime.native.packed import POOL_RUN
from wse_mlir.runtime.native.pool import POOL_STOP, pool_object
from wse_mlir.runtime.native.runtime_objects import object_of

CALLS = 5000  # of a round

# Calls of the pool from native code, one after the other; a chunk counts to a number.
CALLER = """
define internal void @chunk(ptr %steps, i64 %k) {
  %most = load i64, ptr %steps
  %count = alloca i64
  br label %step
step:
  %n = phi i64 [ 0, %0 ], [ %next, %step ]
  store volatile i64 %n, ptr %count
  %next = add i64 %n, 1
  %more = icmp slt i64 %next, %most
  br i1 %more, label %step, label %done
done:
  ret void
}

define void @calls(ptr %run, i64 %calls, i64 %chunks, i64 %threads, i64 %steps) {
  %environment = alloca i64
  store i64 %steps, ptr %environment
  br label %call
call:
  %n = phi i64 [ 0, %0 ], [ %next, %call ]
  call void %run(ptr @chunk, ptr %environment, i64 %chunks, i64 %threads)
  %next = add i64 %n, 1
  %more = icmp slt i64 %next, %calls
  br i1 %more, label %call, label %done
done:
  ret void
}
"""


class Case(NamedTuple):
    """A loop; `callers` threads run it at the same time."""

    name: str
    chunks: int
    threads: int
    steps: int
    callers: int = 1


CASES = (
    Case("2 chunks, nothing in them", 2, 2, 1),
    Case("16 chunks, nothing in them", 16, 2, 1),
    Case("2 chunks of about a microsecond", 2, 2, 1000),
    Case("16 chunks of about a microsecond", 16, 2, 1000),
    Case("2 chunks, two callers", 2, 2, 1000, 2),
    Case("4 chunks, four threads", 4, 4, 1000),
)


class Pool:
    """The pool of an object, and what calls it."""

    def __init__(self, code: bytes) -> None:
        self._pool = link(code, [POOL_RUN, POOL_STOP], "a thread pool")
        self._caller = link(object_of(read_llvm_ir(CALLER, "the caller")), ["calls"], "the caller")
        self._calls = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 4)(self._caller["calls"])

    def _loops(self, case: Case) -> None:
        self._calls(self._pool[POOL_RUN], CALLS, case.chunks, case.threads, case.steps)

    def microseconds(self, case: Case) -> float:
        """Of one of the case's loops."""
        begun = time.perf_counter()
        if case.callers == 1:
            self._loops(case)
        else:
            with ThreadPoolExecutor(case.callers) as threads:
                list(threads.map(self._loops, [case] * case.callers))
        return (time.perf_counter() - begun) / CALLS * 1e6

    def stop(self) -> None:
        """Ends the workers: their code goes when nothing refers to this any more."""
        ctypes.CFUNCTYPE(None)(self._pool[POOL_STOP])()


def main() -> None:
    """Prints a row for each case."""
    parser = argparse.ArgumentParser(description="What the thread pool costs.")
    parser.add_argument("--beside", type=Path, help="LLVM IR of another pool")
    parser.add_argument("--rounds", type=int, default=41)
    arguments = parser.parse_args()
    pools = {"this": Pool(pool_object())}
    if arguments.beside is not None:
        other = object_of(read_llvm_ir(arguments.beside.read_text(), "the other pool"))
        pools["other"] = Pool(other)
    print(f"{'microseconds a loop':36}" + "".join(f"{name:>10}{'least':>10}" for name in pools))
    for case in CASES:
        times = {name: [] for name in pools}
        for _ in range(arguments.rounds):
            for name, pool in pools.items():
                times[name].append(pool.microseconds(case))
        figures = [f"{statistics.median(took):10.3f}{min(took):10.3f}" for took in times.values()]
        print(f"{case.name:36}" + "".join(figures))
    for pool in pools.values():
        pool.stop()


if __name__ == "__main__":
    main()
