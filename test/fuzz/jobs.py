"""Processes that draw and judge cases side by side."""

from __future__ import annotations

import multiprocessing
import queue
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from .campaign import Finding, run_for
from .case import Verdict

Message = tuple[str, int, Verdict, Finding | None]


def run_jobs(seconds: float, kinds: list[str], first: int, jobs: int) -> Iterator[Message]:
    """Runs a campaign in `jobs` processes; yields each case as it ends.

    Raises:
        RuntimeError: a process died; cases run in forks of theirs, so this is a fault of the fuzzer.
    """
    context = multiprocessing.get_context("spawn")
    messages: Any = context.Queue()
    workers = [
        context.Process(target=_work, args=(messages, seconds, kinds, first + number, jobs))
        for number in range(jobs)
    ]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers) or not messages.empty():
        try:
            yield messages.get(timeout=1)
        except queue.Empty:
            continue
    for worker in workers:
        worker.join()
        if worker.exitcode:
            raise RuntimeError(f"a process of the fuzzer ended with exit code {worker.exitcode}")


def _work(messages: Any, seconds: float, kinds: list[str], first: int, step: int) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    run_for(seconds, kinds, first, step, lambda *message: messages.put(message))
