"""PyTorch itself, and its compiler."""

from __future__ import annotations

import copy
import time

import torch
from cpu_families import Case

from .contender import Absent, Contender, as_tuple


def eager(case: Case, threads: int) -> Contender:
    """The model as it is; with state of its own, so that nobody else's calls change it."""
    torch.set_num_threads(threads)
    model, args = copy.deepcopy(case.model), case.args

    def run() -> object:
        with torch.inference_mode():
            return model(*args)

    return Contender("eager", run, lambda: as_tuple(run()))


def inductor(case: Case, threads: int) -> Contender:
    """`torch.compile` with its default backend, which needs a C++ compiler.

    Raises:
        Absent: it fails.
    """
    torch.set_num_threads(threads)
    torch._dynamo.reset()
    compiled, args = torch.compile(copy.deepcopy(case.model)), case.args

    def run() -> object:
        with torch.no_grad():
            return compiled(*args)

    started = time.perf_counter()
    try:
        run()
    except Exception as error:  # whatever its stack raises, from missing compilers to internal errors
        raise Absent("failed", f"{type(error).__name__}: {error}"[:2000]) from error
    facts = {"compile_seconds": time.perf_counter() - started}
    return Contender("inductor", run, lambda: as_tuple(run()), facts)
