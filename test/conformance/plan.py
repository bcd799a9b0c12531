"""Which operators, types and samples a run tries."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.testing._internal.common_methods_invocations import op_db

from .onnx_cases import node_tests, run_node_test
from .recorded import Recorded
from .samples import Sample, samples_of
from .trial import Trial
from .workers import Task

OPERATORS = {entry.full_name: entry for entry in op_db}
BOUND = 4  # samples of a type in a full run
QUICK_BOUND = 2  # in a quarter


@dataclass(frozen=True)
class Plan:
    """
    Attributes:
        dtypes / names: that the run is limited to; empty for all.
        quarter: only the quarter of names whose checksum is divisible by four, without what was refused when
            recorded, and fewer samples.
        shard: (index, count), for several runs side by side.
    """

    suite: str
    target: str
    dtypes: Sequence[str] = ()
    names: Sequence[str] = ()
    bound: int = BOUND
    quarter: bool = False
    shard: tuple[int, int] = (0, 1)

    def tasks(self) -> list[Task]:
        """A task for each operator or node test."""
        names = list(OPERATORS if self.suite == "torch" else node_tests())
        unknown = sorted(set(self.names) - set(names))
        if unknown:
            raise SystemExit(f"no such operators or tests: {', '.join(unknown)}")
        chosen = sorted((n for n in names if self._chooses(n)), key=_order)
        mine = chosen[self.shard[0] :: self.shard[1]]
        return [task for name in mine if (task := self._task(name))]

    def _chooses(self, name: str) -> bool:
        if self.names:
            return name in self.names
        return not self.quarter or _order(name)[0] == 0

    def _task(self, name: str) -> Task | None:
        task = Task(self.suite, name, self.target, quarter=self.quarter)
        if self.suite == "onnx":
            return task
        types = [str(t).removeprefix("torch.") for t in OPERATORS[name].supported_dtypes("cpu")]
        types = sorted(t for t in types if not self.dtypes or t in self.dtypes)
        return replace(task, dtypes=tuple(types), bound=self.bound) if types else None


def _order(name: str) -> tuple[int, int]:
    """The quarter that a name is in, and its place there: families are mixed."""
    checksum = zlib.crc32(name.encode())
    return checksum % 4, checksum


def work(task: Task, report: Any) -> None:
    """Does a task; runs in a worker."""
    recorded = Recorded.read(task.suite, task.target)
    if task.suite == "onnx":
        if not (task.quarter and recorded.is_refused(task.case, "0")):
            run_node_test(task.case, task.target, report, task.judged)
        return
    together: list[Sample] = []
    apart: list[Sample] = []
    for dtype in task.dtypes:
        bound = 1 if dtype.startswith("complex") else task.bound  # all of them are refused
        samples = samples_of(OPERATORS[task.case], getattr(torch, dtype), bound)
        fit = [s for s in samples if not recorded.is_refused(s.entry, s.name)]
        together += fit[:QUICK_BOUND] if task.quarter else fit
        apart += [] if task.quarter else [s for s in samples if s not in fit]
    Trial(task.case, task.target, report, dict(task.judged), task.deadly).run(together, apart)
