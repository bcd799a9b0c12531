"""A process that forks while its threads call and compile; run by `test_fork.py`."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import torch

import wse_mlir

FORKS = 3
PATIENCE = 100  # seconds, for a machine that does other things


class Counting(torch.nn.Module):
    """Has a state: how often it was called, thrice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(8, 8)
        self.register_buffer("calls", torch.zeros(3))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.calls.add_(1)
        return self.layer(x), self.calls + 0


def make(module: torch.nn.Module) -> torch.nn.Module:
    return module.eval().requires_grad_(False)


MODEL, LARGE = (
    make(torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU())),
    make(torch.nn.Linear(512, 512)),
)
ANOTHER = make(torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Tanh()))
X, Y = torch.rand(4, 8), torch.rand(256, 512)
PLAIN = wse_mlir.compile(MODEL, (X,), cache=False)
THREADED = wse_mlir.compile(LARGE, (Y,), cache=False, num_threads=2)
STATEFUL = wse_mlir.compile(make(Counting()), (X,), cache=False)
WAFER = wse_mlir.compile(MODEL, (X,), cache=False, target="tiny")
EXPECTED, EXPECTED_LARGE = MODEL(X), LARGE(Y)


def check(compiles: bool) -> None:
    """What a child does."""
    assert torch.allclose(PLAIN(X), EXPECTED, atol=1e-5)
    assert torch.allclose(THREADED(Y), EXPECTED_LARGE, atol=1e-4)
    before, after = STATEFUL(X)[1], STATEFUL(X)[1]
    assert len(set(before.tolist())) == 1 and torch.equal(after, before + 1)
    assert torch.allclose(WAFER(X), EXPECTED, atol=1e-3)
    if compiles:
        assert torch.allclose(wse_mlir.compile(ANOTHER, (X,), cache=False)(X), ANOTHER(X), atol=1e-5)


def forked(compiles: bool) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(PATIENCE)  # ends it if it hangs
            check(compiles)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    stop = threading.Event()
    began = threading.Barrier(6)

    def repeat(work: Callable[[], Any]) -> None:
        began.wait()
        while not stop.is_set():
            work()

    works = (
        lambda: PLAIN(X),
        lambda: THREADED(Y),
        lambda: STATEFUL(X),
        lambda: WAFER(X),
        lambda: wse_mlir.compile(ANOTHER, (X,), cache=False),
    )
    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    began.wait()
    codes = [forked(compiles=number % 3 == 2) for number in range(FORKS)]
    stop.set()
    for thread in threads:
        thread.join()
    check(compiles=True)
    sys.exit(f"the children ended with {codes}" if any(codes) else 0)


if __name__ == "__main__":
    main()
