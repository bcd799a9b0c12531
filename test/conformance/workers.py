"""Processes that try cases and may die: each death is put down to the sample at hand, and another process goes on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from .verdicts import Verdict, first_line

# Of one stage (all samples compiled together, one alone) before it counts as hanging: seconds that it computes; where
# others keep the processor busy, or it waits for something, as many times more as this.
STAGE_SECONDS = 90.0
_WAITED = 10.0


@dataclass(frozen=True)
class Task:
    """What a worker does in one go.

    Attributes:
        case: an operator of the database, or a node test.
        dtypes / bound: types of the samples, and how many there are of each.
        part: whether what was refused when recorded is left out, and most samples.
        judged: words of samples that have a verdict from a process that died later.
        deadly: groups of samples that ended a process.
    """

    suite: str
    case: str
    target: str = "cpu"
    dtypes: tuple[str, ...] = ()
    bound: int = 4
    part: bool = False
    judged: Mapping[str, str] = field(default_factory=dict)
    deadly: frozenset[str] = frozenset()


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    output: Any
    task: Task | None = None
    stage: tuple[str, str] = ("", "")
    since: float = 0.0
    computed: float = 0.0
    judged: dict[str, str] = field(default_factory=dict)


def run_tasks(
    tasks: Sequence[Task],
    workers: int,
    work: Callable[[Task, Any], None],
    limit: float = STAGE_SECONDS,
) -> Iterator[Verdict]:
    """Verdicts as they come. `work(task, report)` runs in a forked process; a stage may compute for `limit` seconds."""
    context = multiprocessing.get_context("fork")
    waiting = list(reversed(tasks))
    busy: list[_Worker] = []
    idle: list[_Worker] = []
    while waiting or busy:
        while waiting and len(busy) < workers:
            worker = idle.pop() if idle else _start(context, work)
            _give(worker, waiting.pop())
            busy.append(worker)
        ready = wait([w.pipe for w in busy], timeout=min(1.0, limit))
        for worker in list(busy):
            state, verdicts = _heard(worker, worker.pipe in ready, limit)
            yield from verdicts
            if state == "busy":
                continue
            busy.remove(worker)
            if state == "idle":
                idle.append(worker)
                continue
            verdicts, again = _buried(worker, state)
            yield from verdicts
            waiting.extend(again)
    for worker in idle:
        worker.pipe.send(None)
        worker.process.join()


def _start(context: Any, work: Callable[[Task, Any], None]) -> _Worker:
    ours, theirs = context.Pipe()
    output = tempfile.TemporaryFile("w+")  # noqa: SIM115  lives as long as the worker
    process = context.Process(target=_serve, args=(theirs, output.fileno(), work), daemon=True)
    sys.stdout.flush()
    process.start()
    theirs.close()
    return _Worker(process, ours, output)


def _serve(pipe: Connection, output: int, work: Callable[[Task, Any], None]) -> None:
    os.dup2(output, 1)
    os.dup2(output, 2)
    while (task := pipe.recv()) is not None:
        work(task, lambda kind, value: pipe.send((kind, value)))
        pipe.send(("done", None))


def _give(worker: _Worker, task: Task) -> None:
    worker.task, worker.stage = task, ("samples", "")
    worker.judged = dict(task.judged)
    _begin(worker)
    worker.output.truncate(0)
    worker.pipe.send(task)


def _begin(worker: _Worker) -> None:
    """A stage begins."""
    worker.since, worker.computed = time.monotonic(), _seconds_computed(worker)


def _seconds_computed(worker: _Worker) -> float:
    """Processor seconds of a worker; 0 once it is gone, and where the system does not tell."""
    try:
        fields = Path(f"/proc/{worker.process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _heard(worker: _Worker, ready: bool, limit: float) -> tuple[str, list[Verdict]]:
    """ "busy", "idle" or how it ended, and new verdicts; a worker that takes too long is ended."""
    verdicts: list[Verdict] = []
    while ready:
        try:
            kind, value = worker.pipe.recv()
        except (EOFError, ConnectionResetError):
            return "", verdicts
        _begin(worker)
        if kind == "verdict":
            worker.judged[value.sample] = value.word
            verdicts.append(value)
        elif kind == "stage":
            worker.stage = value
        else:
            return "idle", verdicts
        ready = worker.pipe.poll()
    late = _seconds_computed(worker) - worker.computed > limit
    late = late or time.monotonic() - worker.since > _WAITED * limit
    if not late or not worker.process.is_alive():
        return "busy", verdicts
    os.kill(worker.process.pid, signal.SIGKILL)
    return f"no end after {limit:g} s", verdicts


def _buried(worker: _Worker, reason: str) -> tuple[list[Verdict], list[Task]]:
    """What a death says of the sample at hand, and the task that is left."""
    worker.process.join()
    task = worker.task
    assert task is not None
    detail = reason or _last_words(worker)
    worker.output.close()
    stage, name = worker.stage
    left = replace(task, judged=worker.judged)
    if stage == "samples":  # a mistake of the suite itself
        return [Verdict(task.suite, task.case, "samples", "crash", detail)], []
    if stage == "together":
        return [], [replace(left, deadly=task.deadly | {name})]
    if stage == "reference":  # PyTorch itself
        return [], [replace(left, judged={**worker.judged, name: "left out"})]
    verdicts = [Verdict(task.suite, task.case, name, "crash", detail)]
    return verdicts, [replace(left, judged={**worker.judged, name: "crash"})]


def _last_words(worker: _Worker) -> str:
    code = worker.process.exitcode
    how = signal.Signals(-code).name if code and code < 0 else f"exit code {code}"
    worker.output.seek(0)
    said = [line for line in worker.output.read().splitlines() if line.strip()]
    return f"{how}: {first_line(said[-1]) if said else ''}"
