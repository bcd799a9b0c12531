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
BOUND = {"cpu": 4, "tiny": 1}  # samples of a type in a full run
PARTS = 16  # of the names, one is what `make test` tries
QUICK_TYPES = ("float32", "float16", "int64", "uint8", "bool")  # in a part, a sample of each
WAFER_TYPES = ("float32", "float16", "int64", "uint8")


@dataclass(frozen=True)
class Plan:
    """
    Attributes:
        dtypes / names: that the run is limited to; empty for all.
        bound: samples of a type; 0 for as many as the target's full run has.
        part: only the names whose checksum is divisible by `PARTS`, without what was refused when recorded, with one
            sample of each of a few types.
        shard: (index, count), for several runs side by side.
    """

    suite: str
    target: str
    dtypes: Sequence[str] = ()
    names: Sequence[str] = ()
    bound: int = 0
    part: bool = False
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
        return not self.part or _order(name)[0] == 0

    def _task(self, name: str) -> Task | None:
        task = Task(self.suite, name, self.target, part=self.part)
        if self.suite == "onnx":
            return task
        supported = {str(t).removeprefix("torch.") for t in OPERATORS[name].supported_dtypes("cpu")}
        usual = WAFER_TYPES if self.target != "cpu" else QUICK_TYPES if self.part else supported
        types = tuple(sorted(supported.intersection(self.dtypes or usual)))
        return replace(task, dtypes=types, bound=self.bound or BOUND[self.target]) if types else None


def _order(name: str) -> tuple[int, int]:
    """The part that a name is in, and its place there: families are mixed."""
    checksum = zlib.crc32(name.encode())
    return checksum % PARTS, checksum


def work(task: Task, report: Any) -> None:
    """Does a task; runs in a worker."""
    recorded = Recorded.read(task.suite, task.target)
    if task.suite == "onnx":
        if not (task.part and recorded.is_refused(task.case, "0")):
            run_node_test(task.case, task.target, report, task.judged)
        return
    on_cpu = Recorded.read(task.suite, "cpu") if task.target != "cpu" else Recorded({})
    together: list[Sample] = []
    apart: list[Sample] = []
    for dtype in task.dtypes:
        bound = 1 if dtype.startswith("complex") else task.bound  # all of them are refused
        samples = samples_of(OPERATORS[task.case], getattr(torch, dtype), bound)
        taken = [s for s in samples if not on_cpu.is_refused(s.entry, s.name)]
        fit = [s for s in taken if not recorded.is_refused(s.entry, s.name)]
        together += _quick(fit) if task.part else fit
        apart += [] if task.part else [s for s in taken if s not in fit]
    Trial(task.case, task.target, report, dict(task.judged), task.deadly).run(together, apart)


def _quick(samples: Sequence[Sample]) -> list[Sample]:
    """The first into which values can be planted; the first of all where there is none."""
    wide = [s for s in samples if any(t.numel() > 1 for t in s.tensors)]
    return (wide or list(samples))[:1]
